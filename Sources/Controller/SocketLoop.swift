import Piloting
import Planning
import Recording
import Robotics
import Transport
import Wire

/// The socket thread's work: an order of parts that read, answer and send. It never waits for the planner or the disk.
///
/// An observation's way: `ObservationIntake` -> `Agenda` -> `ChunkOutlet.dispatch` -> the planner thread ->
/// `ChunkOutlet.deliverOutcomes` -> `Pilot` -> `CommandOutlet`.
final class SocketLoop {
    /// The longest that robots are braked when the daemon ends, in nanoseconds.
    private static let longestEndNs: UInt64 = 1_000_000_000

    /// The addresses as bound or connected.
    let endpoints: InfoMessage.Endpoints

    private let sockets: [ZeroMQSocket]
    private let alarm: Alarm
    private let place: ThreadPlace
    private let robots: Robots
    private let intake: ObservationIntake
    private let requests: RequestDesk
    private var gr00t: Gr00tDesk?
    private let chunks: ChunkOutlet
    private let commands: CommandOutlet
    private let stops: DurableStops
    private let heartbeat: Heartbeat
    private let announce: () -> Void

    init(
        configuration: DaemonConfiguration,
        context: ZeroMQContext,
        planner: PlannerFacts,
        mailbox: PlannerMailbox,
        telemetry: Telemetry
    ) throws(ZeroMQError) {
        let bound = try DaemonSockets(configuration: configuration, policy: planner.policy, context: context)
        endpoints = bound.endpoints
        sockets = [bound.requests, bound.observations] + (bound.gr00t.map { [$0.socket] } ?? [])
        alarm = try Alarm()
        place = mailbox.socketPlace
        robots = Robots(
            agenda: Agenda(emptyHistory: planner.emptyHistory, settings: configuration.agenda),
            pilots: Pilots(
                files: configuration.robots,
                strategy: configuration.strategy,
                mostRobots: configuration.maximumRobots,
                policy: planner.policy
            )
        )
        let replies = Replies(requests: bound.requests, gr00t: bound.gr00t)
        let rejections = Rejections(telemetry: telemetry, logger: configuration.logger)
        intake = ObservationIntake(
            socket: bound.observations,
            configuration: configuration,
            planner: planner,
            robots: robots,
            telemetry: telemetry,
            rejections: rejections
        )
        chunks = ChunkOutlet(
            socket: bound.chunks,
            configuration: configuration,
            planner: planner,
            mailbox: mailbox,
            robots: robots,
            replies: replies,
            telemetry: telemetry,
            rejections: rejections
        )
        commands = CommandOutlet(
            socket: bound.chunks,
            robots: robots,
            telemetry: telemetry,
            tap: configuration.tap
        )
        stops = DurableStops(configuration: configuration, robots: robots, replies: replies)
        heartbeat = Heartbeat(
            configuration: configuration,
            robots: robots,
            commands: commands,
            stops: stops,
            telemetry: telemetry
        )
        var sampler = planner.sampler
        sampler.budgetMs = Double(configuration.budgetNs ?? 0) / 1e6
        requests = RequestDesk(
            configuration: configuration,
            endpoints: endpoints,
            policy: planner.policy,
            sampler: sampler,
            robots: robots,
            intake: intake,
            commands: commands,
            stops: stops,
            replies: replies,
            telemetry: telemetry,
            rejections: rejections
        )
        if let endpoint = bound.gr00t {
            gr00t = Gr00tDesk(
                endpoint: endpoint,
                robots: robots,
                intake: intake,
                requests: requests,
                replies: replies,
                telemetry: telemetry,
                rejections: rejections
            )
        }
        announce = { [sampler] in
            configuration.tap?.take(TappedMessage(.started(policy: planner.policy, sampler: sampler)))
        }
    }

    /// Works until `isStopping` says so, which is asked after each wake-up.
    func run(wakeUp: WakeUp, isStopping: () -> Bool) throws(ZeroMQError) {
        try place.place { () throws(ZeroMQError) in
            announce()
            stops.start(wakeUp: wakeUp)
            defer { stops.release() }
            while !isStopping() { try turn(wakeUp) }
            try bringToRest()
            commands.countLimitViolations()
            try stops.end()
            try requests.refuseWhatWaits()
        }
    }

    /// Waits for something to do, and does it: what robots wait for first.
    private func turn(_ wakeUp: WakeUp) throws(ZeroMQError) {
        chunks.beat()
        try setAlarm()
        let hasMessage = try ZeroMQSocket.wait(for: sockets, wakeUp: wakeUp, alarm: alarm)
        place.release()
        try chunks.deliverOutcomes { () throws(ZeroMQError) in try commands.sendDue() }
        try chunks.deliverInterim()
        try commands.sendDue()
        if hasMessage[0] { try requests.answer() }
        if hasMessage[1] { try intake.receive() }
        if hasMessage.count > 2, hasMessage[2] { try gr00t?.answer() }
        robots.forgetUnknownPilots()
        chunks.dispatch()
        stops.keepChanges()
        try stops.answerKept()
        try heartbeat.sendIfDue()
    }

    /// Sets the alarm to the next thing that is due.
    private func setAlarm() throws(ZeroMQError) {
        let nowNs = Clock.monotonicNs()
        let commandNs = commands.nextNs(after: nowNs) ?? .max
        try alarm.set(toNs: min(commandNs, heartbeat.dueNs, chunks.nextNs(nowNs: nowNs)))
    }

    /// Brings every robot to rest, in no more than a second, for the end of the daemon.
    private func bringToRest() throws(ZeroMQError) {
        let beganNs = Clock.monotonicNs()
        _ = robots.pilots.stopAll("the daemon is ending", nowNs: beganNs)
        while commands.nextNs(after: Clock.monotonicNs()) != nil,
            Clock.monotonicNs() - beganNs < Self.longestEndNs
        {
            try setAlarm()
            _ = try ZeroMQSocket.wait(for: [], alarm: alarm)
            try commands.sendDue()
            try heartbeat.sendIfDue()
        }
    }
}

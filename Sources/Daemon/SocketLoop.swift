import CameraServers
import Clocks
import Piloting
import Planning
import Recording
import Robotics
import Stalls
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
    private let stallWatch: StallWatch
    private let robots: Robots
    private let intake: ObservationIntake
    private let requests: RequestDesk
    private let orders: OrderDesk
    private var gr00t: Gr00tDesk?
    private var openPI: OpenPIDesk?
    private let chunks: ChunkOutlet
    private let commands: CommandOutlet
    private let stops: DurableStops
    private let heartbeat: Heartbeat
    private let cameraServers: CameraServers?
    private let announce: () -> Void

    init(
        configuration given: DaemonConfiguration,
        context: ZeroMQContext,
        policies: ServedPolicies,
        mailbox: PlannerMailbox,
        orders box: OrderBox,
        openPI endpoint: OpenPIEndpoint?,
        telemetry: Telemetry
    ) throws(ZeroMQError) {
        let configuration = given.withRoomForFrames(of: policies.descriptions)
        let bound = try DaemonSockets(
            configuration: configuration,
            policy: policies[0].policy,
            openPI: endpoint?.url,
            context: context
        )
        endpoints = bound.endpoints
        sockets = [bound.requests, bound.observations] + (bound.gr00t.map { [$0.socket] } ?? [])
        alarm = try Alarm()
        stallWatch = mailbox.stallWatch
        let shared = LoopContext(
            configuration: configuration,
            policies: policies,
            mailbox: mailbox,
            replies: Replies(requests: bound.requests, gr00t: bound.gr00t, openPI: endpoint),
            telemetry: telemetry
        )
        robots = shared.robots
        let intake = ObservationIntake(socket: bound.observations, context: shared)
        let commands = CommandOutlet(socket: bound.chunks, context: shared)
        let stops = DurableStops(context: shared)
        let requests = RequestDesk(
            endpoints: bound.endpoints,
            intake: intake,
            commands: commands,
            stops: stops,
            context: shared
        )
        orders = OrderDesk(box: box, commands: commands, stops: stops, context: shared)
        gr00t = bound.gr00t.map {
            Gr00tDesk(endpoint: $0, intake: intake, requests: requests, context: shared)
        }
        openPI = endpoint.map {
            OpenPIDesk(endpoint: $0, intake: intake, requests: requests, context: shared)
        }
        chunks = ChunkOutlet(socket: bound.chunks, mailbox: mailbox, context: shared)
        heartbeat = Heartbeat(commands: commands, stops: stops, context: shared)
        (self.intake, self.commands, self.stops, self.requests) = (intake, commands, stops, requests)
        announce = {
            let told = configuration.told(policies, mailbox.tunings)
            configuration.tap?.take(TappedMessage(.started(policies: told)))
        }
        cameraServers = try CameraServers.reading(shared, context: context)
    }

    deinit { cameraServers?.stop() }

    /// Works until `isStopping` says so, which is asked after each wake-up.
    func run(wakeUp: WakeUp, isStopping: () -> Bool) throws(ZeroMQError) {
        try stallWatch.beRescuer { () throws(ZeroMQError) in
            announce()
            stops.start(wakeUp: wakeUp)
            defer { stops.release() }
            while !isStopping() { try turn(wakeUp) }
            orders.close()
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
        stallWatch.releaseRescuer()
        try chunks.deliverOutcomes { () throws(ZeroMQError) in try commands.sendDue() }
        try chunks.deliverInterim()
        try commands.sendDue()
        try orders.answer()
        if hasMessage[0] { try requests.answer() }
        if hasMessage[1] { try intake.receive() }
        if hasMessage.count > 2, hasMessage[2] { try gr00t?.answer() }
        try openPI?.answer()
        robots.forgetUnknownPilots()
        chunks.dispatch()
        stops.keepChanges()
        try stops.answerKept()
        try heartbeat.sendIfDue()
    }

    /// Sets the alarm to the next thing that is due.
    private func setAlarm() throws(ZeroMQError) {
        let now = MonotonicTime.now()
        var due = heartbeat.due
        if let tick = commands.nextTick(after: now) { due = min(due, tick) }
        if let turn = chunks.nextTurn(now: now) { due = min(due, turn) }
        try alarm.set(to: due)
    }

    /// Brings every robot to rest, in no more than a second, for the end of the daemon.
    private func bringToRest() throws(ZeroMQError) {
        let began = MonotonicTime.now()
        _ = robots.pilots.stopAll("the daemon is ending", now: began)
        while commands.nextTick(after: .now()) != nil,
            MonotonicTime.now().elapsedNs(since: began) < Self.longestEndNs
        {
            try setAlarm()
            _ = try ZeroMQSocket.wait(for: [], alarm: alarm)
            try commands.sendDue()
            try heartbeat.sendIfDue()
        }
    }
}

import Dispatch
import Logging
import Piloting
import Planning
import Recording
import Robotics
import Transport
import Wire

/// The socket thread's work: it owns the three sockets and every robot's history, and never waits for the planner.
///
/// An observation's way: `receiveObservations` -> `Agenda` -> `dispatch` -> the planner thread -> `deliver`.
final class SocketLoop {
    /// The addresses as bound or connected.
    let endpoints: InfoMessage.Endpoints

    /// How many messages of one socket are read before the others, and the planner, get their turn.
    static let messagesAtATime = 256
    /// For how long one socket is read before commands get their turn.
    static let readingNs: UInt64 = 2_000_000

    let observations: ZeroMQSocket
    let chunks: ZeroMQSocket
    let requests: ZeroMQSocket
    let alarm: Alarm
    var gr00t: Gr00tEndpoint?
    let planner: PlannerFacts
    let mailbox: PlannerMailbox
    let telemetry: Telemetry
    let budgetNs: UInt64?
    let limits: MessagePackLimits
    let logger: Logger
    let tap: (any MessageTap)?
    var agenda: Agenda
    var interim: InterimWatch?
    var pilots: Pilots
    var heartbeatDueNs = Clock.monotonicNs()
    var watchdog: Watchdog?
    var rates: RateLimiter<[UInt8]>
    let state: StateFile?
    var keeper: StateKeeper?
    var keeperDeadline: DispatchTime?
    var unkeptReplies: [UnkeptReply] = []
    var descriptors = DescriptorWatch()
    var errorLog = LogLimiter<MessageError.Code>()
    var stateLog = LogBudget()
    /// The warnings about robots that were logged last, and when they are logged again.
    var loggedWarnings: (texts: [String], againNs: UInt64) = ([], 0)

    init(
        configuration: DaemonConfiguration,
        context: ZeroMQContext,
        planner: PlannerFacts,
        mailbox: PlannerMailbox,
        telemetry: Telemetry
    ) throws(ZeroMQError) {
        observations = try ZeroMQSocket(
            .subscribe,
            context: context,
            options: SocketBounds.observations(configuration)
        )
        chunks = try ZeroMQSocket(.publish, context: context, options: SocketBounds.chunks(configuration))
        requests = try ZeroMQSocket(.router, context: context, options: SocketBounds.requests(configuration))
        // Also to what has another topic or none: a publisher drops what nobody subscribes to, and nobody would hear of it.
        try observations.subscribe(to: [])
        gr00t = try Gr00tEndpoint(configuration: configuration, policy: planner.policy, context: context)
        endpoints = try InfoMessage.Endpoints(
            observations: observations.attach(configuration.observations),
            chunks: chunks.attach(configuration.chunks),
            requests: requests.bind(configuration.requests),
            gr00t: gr00t?.address
        )
        self.planner = planner
        self.mailbox = mailbox
        self.telemetry = telemetry
        budgetNs = configuration.budgetNs
        limits = configuration.limits
        logger = configuration.logger
        watchdog = configuration.watchdog
        tap = configuration.tap
        agenda = Agenda(emptyHistory: planner.emptyHistory, settings: configuration.agenda)
        alarm = try Alarm()
        pilots = Pilots(
            files: configuration.robots,
            strategy: configuration.strategy,
            mostRobots: configuration.maximumRobots,
            policy: planner.policy
        )
        state = configuration.state
        if let stops = state?.stops { pilots.restore(stops, nowNs: Clock.monotonicNs()) }
        rates = RateLimiter(
            perSecond: configuration.messagesPerSecond,
            mostSenders: 4 * configuration.maximumRobots
        )
    }

    /// Works until `isStopping` says so, which is asked after each wake-up.
    func run(wakeUp: WakeUp, isStopping: () -> Bool) throws(ZeroMQError) {
        try mailbox.socketPlace.place { () throws(ZeroMQError) in
            try work(wakeUp: wakeUp, isStopping: isStopping)
        }
    }

    private func work(wakeUp: WakeUp, isStopping: () -> Bool) throws(ZeroMQError) {
        let sockets = [requests, observations] + (gr00t.map { [$0.socket] } ?? [])
        tap?.take(TappedMessage(.started(policy: planner.policy, sampler: sampler)))
        startKeeping(wakeUp: wakeUp)
        defer { releaseState() }
        while !isStopping() {
            watchdog?.beat(nowNs: Clock.monotonicNs())
            try setAlarm()
            let hasMessage = try ZeroMQSocket.wait(for: sockets, wakeUp: wakeUp, alarm: alarm)
            mailbox.socketPlace.release()
            for outcome in mailbox.takeOutcomes() {
                try deliver(outcome)
                // Of several chunks, commands wait for one.
                try sendCommands()
            }
            try deliverInterim()
            try sendCommands()
            if hasMessage[0] { try answerRequests() }
            if hasMessage[1] { try receiveObservations() }
            if hasMessage.count > 2, hasMessage[2] { try answerGr00t() }
            pilots.keep { agenda.knows($0) }
            dispatch()
            keepStops()
            try answerWhatIsKept()
            try sendHeartbeat()
        }
        try bringToRest()
        countLimitViolations()
        try endKeeping()
        for job in agenda.unansweredPredictions {
            try reply(
                .error(ErrorMessage(MessageError(.stopping, "the daemon is ending"))),
                to: job.destination
            )
        }
    }
}

extension ZeroMQSocket {
    fileprivate func attach(_ address: SocketAddress) throws(ZeroMQError) -> String {
        switch address {
        case .bind(let endpoint): try bind(endpoint)
        case .connect(let endpoint): try connect(endpoint)
        }
    }
}

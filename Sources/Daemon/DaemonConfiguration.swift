import CameraServers
import Logging
import Planning
import Motion
import Recording
import RobotDescription
import Robotics
import Wire

/// How a socket finds its peers.
public enum SocketAddress: Sendable, Hashable {
    /// Listens at an endpoint; `tcp://127.0.0.1:*` takes any free port.
    case bind(String)
    /// Calls at an endpoint where somebody else listens.
    case connect(String)

    /// Where the socket listens or calls.
    public var endpoint: String {
        switch self {
        case .bind(let endpoint), .connect(let endpoint): endpoint
        }
    }
}

/// Policies that one daemon cannot run, or not with its configuration.
public struct SeveralPoliciesError: Error, CustomStringConvertible {
    /// What was found, and what was expected.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Where a daemon listens and what it accepts.
public struct DaemonConfiguration: Sendable {
    /// Where observations come in. Port 5555 of the loopback interface unless set.
    public var observations: SocketAddress = .bind("tcp://127.0.0.1:5555")
    /// Where chunks go out. Port 5556 of the loopback interface unless set.
    public var chunks: SocketAddress = .bind("tcp://127.0.0.1:5556")
    /// Where requests are answered; always bound. Port 5557 of the loopback interface unless set.
    public var requests = "tcp://127.0.0.1:5557"
    /// The socket for clients of a GR00T policy server; nil: none.
    public var gr00t: Gr00tConfiguration?
    /// The server for clients of an openpi policy server; nil: none.
    public var openPI: OpenPIConfiguration?
    /// The seed from which, with robot, episode and sequence number, each chunk's noise seed is derived.
    public var seed: UInt64 = 0
    /// The time from an observation's receipt to its chunk that the planner is to keep, positive; nil: it takes the time it
    /// takes. The planner must have been made for it.
    public var budget: Duration?
    /// What a message may hold.
    public var limits: MessagePackLimits = .standard
    /// Encodes frames of observations that ask for no chunk as they come, while no chunk is planned; a later chunk then need not wait
    /// for it.
    public var encodesAhead = true
    /// How long a camera's newest frame stands in for those that observations leave out, because the camera is slower than the
    /// others; positive or zero.
    public var frameAge = Duration.milliseconds(500)
    /// Where frames come from that robots do not send, each for another camera of the policy.
    public var cameraSources: [CameraSource] = []
    /// The most robots whose history is kept; beyond, the one heard least recently is forgotten.
    public var maximumRobots = 256
    /// The most `predict` requests that wait for the planner, less than `maximumRobots`.
    public var maximumWaitingPredictions = 16
    /// What is known of the robots that get commands, one file for each; the one without an id is for all others. Their limits
    /// have as many dimensions as the policy's actions.
    public var robots: [RobotFile] = []
    /// How one chunk follows another, where a robot file does not say.
    public var strategy: ChunkStrategy = .blend
    /// The most messages a second that are read under one topic.
    public var messagesPerSecond = 1000
    /// An observation counts as one message for each so many bytes begun.
    var countedBytes = 4096
    /// The most that `messagesPerSecond` may be.
    public static let mostMessagesPerSecond = 10_000_000
    /// The daemon's keys and the clients that it lets in; nil: everybody who reaches a socket is let in.
    public var security: DaemonSecurity?
    /// The priority of the thread that takes observations and sends chunks and commands; nil: that of the process.
    public var priority: RealTimePriority?
    /// Whom the daemon tells that it works; nil: nobody.
    public var watchdog: Watchdog?
    /// Where it is kept which robots are stopped; nil: a restart forgets that.
    public var state: StateFile?
    /// Gets what is taken in and given out; nil: nobody does.
    public var tap: (any MessageTap)?
    /// Where the daemon tells what it does and what it rejects.
    public var logger = Logger(label: "denoised")
    /// How many lines of that log have been lost so far. Asked on the socket thread, so it must not wait for anything.
    public var lostLogLines: @Sendable () -> UInt64 = { 0 }

    /// The defaults.
    public init() {}

    /// Endpoints inside the process, for a daemon and a robot that share a `ZeroMQContext`; `name` keeps daemons in
    /// one context apart.
    public static func embedded(name: String = "denoised") -> DaemonConfiguration {
        var configuration = DaemonConfiguration()
        configuration.observations = .bind("inproc://\(name).observations")
        configuration.chunks = .bind("inproc://\(name).chunks")
        configuration.requests = "inproc://\(name).requests"
        // A simulated robot that waits for its chunks lives as fast as they come.
        configuration.messagesPerSecond = mostMessagesPerSecond
        return configuration
    }
}

extension DaemonConfiguration {
    /// The budget in whole nanoseconds.
    var budgetNs: UInt64? { budget.map { UInt64(max($0 / .nanoseconds(1), 0)) } }

    /// A sampler with the budget that is kept.
    func budgeted(_ sampler: SamplerDescription) -> SamplerDescription {
        var sampler = sampler
        sampler.budgetMs = Double(budgetNs ?? 0) / 1e6
        return sampler
    }

    /// Checks that policies can be run by it.
    ///
    /// - Throws: `ClientNamesError`, or ``SeveralPoliciesError``.
    func check(_ policies: [PolicyDescription]) throws {
        guard policies.count > 1 else {
            _ = try gr00t?.mapping(for: policies[0])
            _ = try openPI?.mapping(for: policies[0])
            return
        }
        if gr00t != nil { throw SeveralPoliciesError("GR00T's clients name no policy, expected one") }
        if openPI != nil { throw SeveralPoliciesError("openpi's clients name no policy, expected one") }
        let names = policies.map(\.name)
        if let name = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw SeveralPoliciesError("two policies are called \(name), expected each to have its own name")
        }
        for source in cameraSources {
            let cameras = policies.flatMap(\.cameras).filter { $0.name == source.camera }
            guard let other = cameras.first(where: { $0 != cameras[0] }) else { continue }
            throw SeveralPoliciesError(
                "the frames of \(source.camera) are \(cameras[0].width)x\(cameras[0].height) to one policy and "
                    + "\(other.width)x\(other.height) to another, expected one size of a camera server's"
            )
        }
    }

    /// What is told of the policies.
    func told(_ policies: ServedPolicies, _ tunings: [PlannerTuning]) -> [ServedPolicy] {
        zip(policies.facts, tunings).map { facts, tuning in
            ServedPolicy(
                policy: facts.policy,
                sampler: budgeted(tuning.sampler),
                weightBytes: facts.weightBytes,
                calibrationPercent: UInt64(tuning.calibratedHundredths)
            )
        }
    }

    /// The configuration with room for the frames of the policies' cameras.
    ///
    /// An observation may then hold the pixels of one frame of each camera, and a message of a GR00T or openpi client those of a whole history. Such an
    /// observation counts as 9 messages at most, so that 30 a second of each robot are well within the rate.
    func withRoomForFrames(of policies: [PolicyDescription]) -> DaemonConfiguration {
        func frameBytes(_ policy: PolicyDescription) -> Int {
            policy.cameras.reduce(0) { $0 + $1.byteCount }
        }
        let historyBytes = policies.map { frameBytes($0) * $0.nObsSteps }.max() ?? 0
        let frameBytes = policies.map(frameBytes).max() ?? 0
        var configuration = self
        configuration.limits.messageBytes += frameBytes
        configuration.gr00t?.limits.messageBytes += historyBytes
        configuration.openPI?.limits.messageBytes += historyBytes
        configuration.countedBytes = max(countedBytes, frameBytes / 8)
        return configuration
    }

    /// How long a camera's newest frame stands in for others, in whole nanoseconds.
    var frameAgeNs: UInt64 { UInt64(max(frameAge / .nanoseconds(1), 0)) }

    /// What the agenda keeps, and for whom.
    var agenda: Agenda.Settings {
        Agenda.Settings(
            maximumRobots: maximumRobots,
            maximumWaitingPredictions: maximumWaitingPredictions,
            seed: seed,
            frameHeldNs: frameAgeNs,
            commandedRobots: Set(robots.compactMap(\.robot)),
            isEveryRobotCommanded: robots.contains { $0.robot == nil }
        )
    }
}

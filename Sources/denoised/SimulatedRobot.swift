import Benchmarking
import Clocks
import Daemon
import ForeignText
import Foundation
import Logging
import Planning
import Policy
import PushT
import Motion
import Reporting
import Robotics
import Transport
import Wire

/// A robot whose body is the PushT simulator: it publishes what it sees at every control step, subscribes to chunks and
/// carries out their actions one by one. In lock-step it asks for the next chunk when the last action is done, and the
/// world waits for it; in real time the world does not.
final class SimulatedRobot {
    /// What the robot is connected to, for people.
    let title: String
    /// The solver and its steps.
    let samplerName: String
    /// How the daemon samples.
    let sampler: SamplerDescription
    let client: RobotClient
    /// The policy whose chunks the robot carries out.
    let policy: PolicyDescription
    /// What the robot sees through; nil: the policy has no camera.
    let camera: SimulatedCamera?
    /// The latency that the daemon keeps, in milliseconds; nil: it has no budget.
    let budgetMs: Double?
    /// Whether results have what the camera sent. That takes some megabytes an episode.
    var keepsFrames = false
    /// What the camera sent in this episode; nil: there is no camera, or that is not kept.
    private(set) var keptFrames: [CameraFrame?]?
    /// The longest that one of the last chunks took, from publishing the observation to receiving it.
    var roundTrip: LatencyEstimate
    let simulation: PushTSimulation
    private let features: PushTFeatures
    private let daemon: Daemon?
    /// What a daemon elsewhere reads; the robot's own reads everything.
    private var rate: PublishingRate?
    /// What the daemon knows the episode as.
    private var episode = EpisodeID.name("warm-up")
    /// How many episodes each seed has had.
    private var episodes: [UInt64: Int] = [:]

    /// A robot with a daemon of its own in this process, reached over in-process sockets.
    ///
    /// - Parameters:
    ///   - camera: how the camera is, if the policy has one.
    ///   - worldWaits: whether the world's time stands still while a chunk is planned.
    convenience init(
        policy: PolicyBundle,
        sampler: SamplerOptions,
        camera: CameraSettings = CameraSettings(),
        worldWaits: Bool = true
    ) throws {
        let features = try Failure.asInput { try PushTFeatures(of: policy) }
        try camera.check(for: features, of: policy.name)
        let planner = try PolicyPlanner.factory(bundle: policy, sampler: sampler)
        var configuration = DaemonConfiguration.embedded()
        configuration.seed = sampler.firstSeed
        configuration.budget = sampler.budget
        configuration.logger = Logger(level: .warning, writer: Console.log)
        // The daemon's clock goes on while the world stands still; how old a frame may be, the robot counts in control steps.
        if worldWaits { configuration.frameAge = .seconds(86_400) }
        let daemon = try Failure.asRun { try Daemon(configuration: configuration, makePlanner: planner) }
        let endpoints = try Failure.asRun { try daemon.start() }
        let client = try Failure.asRun {
            try RobotClient(robot: Self.robot(nil), endpoints: endpoints, context: daemon.context)
        }
        try self.init(client, of: daemon, camera: camera)
    }

    /// A robot of a daemon that runs elsewhere.
    ///
    /// - Parameters:
    ///   - endpoint: where the daemon answers requests.
    ///   - policy: the name of one of its policies; nil: it has one.
    ///   - keys: for a daemon that asks for them.
    ///   - camera: how the camera is, if the policy has one.
    ///   - shard: which share of a run the robot plays: robots on several machines may have the same process id.
    convenience init(
        connectingTo endpoint: String,
        policy: String? = nil,
        keys: CurveClientKeys? = nil,
        camera: CameraSettings = CameraSettings(),
        shard: Shard? = nil
    ) throws {
        let client: RobotClient
        do {
            client = try RobotClient.connecting(
                robot: Self.robot(shard),
                requests: endpoint,
                context: ZeroMQContext(),
                security: keys
            )
        } catch {
            let hint = keys == nil ? "does it ask for keys" : "does it let this key in"
            throw Failure.run("\(error); is `denoised serve` running there? If so, \(hint)?")
        }
        try self.init(client, of: nil, policy: policy, camera: camera)
    }

    /// Checks that the daemon's policy can drive this robot, and has it plan twice: once so that neither side's sockets and
    /// caches are new when the first episode starts, and once to know how long it takes.
    ///
    /// - Parameters:
    ///   - daemon: the robot's own, if it has one.
    ///   - policy: the name of one of the daemon's policies; nil: it has one.
    private init(
        _ client: RobotClient,
        of daemon: Daemon?,
        policy name: String? = nil,
        camera settings: CameraSettings
    ) throws {
        var info = try Failure.asRun { try client.info(timeout: .seconds(30)) }
        if let served = try Self.policy(named: name, of: info) {
            (info.policy, info.sampler) = (served.policy, served.sampler)
            info.calibrationPercent = served.calibrationPercent
            _ = try Failure.asRun { try client.reset(policy: served.policy.name) }
        }
        if info.calibrationPercent < 100 {
            Console.note(
                "\(info.policy.name) is calibrated to \(info.calibrationPercent) %; until that is done its chunks are sampled one "
                    + "step after the other"
            )
        }
        let features = try Failure.asInput { try PushTFeatures(of: info.policy) }
        try settings.check(for: features, of: info.policy.name)
        try Self.checkSizes(of: info.policy)
        let simulation = PushTSimulation()
        let camera = try Failure.asRun {
            try features.camera.map { try SimulatedCamera($0, of: simulation, settings: settings) }
        }
        var milliseconds = 0.0
        for sequence: UInt64 in 0...1 {
            let observed = try Failure.asRun {
                features.observation(simulation.observation, frame: try camera?.undisturbedFrame())
            }
            let observation = RobotObservation(
                robot: client.robot,
                episode: .name("warm-up"),
                sequence: sequence,
                timeNs: MonotonicTime.now().unsignedNs,
                values: observed.values,
                frames: observed.frames
            )
            (_, milliseconds) = try Failure.asRun {
                try timed { try client.chunk(for: observation, timeout: .seconds(120)) }
            }
        }

        let sampler = info.sampler
        let parallel =
            sampler.window > 1 ? ", window \(sampler.window), tolerance \(fixed(sampler.tolerance, 3))" : ""
        title = "\(info.policy.name): \(sampler.solver), \(sampler.steps) steps, \(sampler.method)\(parallel)"
        samplerName = "\(sampler.solver) \(sampler.steps)"
        budgetMs = sampler.budgetMs > 0 ? sampler.budgetMs : nil
        self.sampler = sampler
        policy = info.policy
        roundTrip = LatencyEstimate(.milliseconds(milliseconds))
        (self.client, self.daemon, self.camera) = (client, daemon, camera)
        (self.simulation, self.features) = (simulation, features)
        rate = daemon == nil ? PublishingRate() : nil
    }

    /// The policy that a robot has to name in its reset; nil: the daemon has one, and none was named.
    ///
    /// - Throws: `Failure` if it has none of that name, or several and none was named.
    private static func policy(named name: String?, of info: InfoMessage) throws -> ServedPolicy? {
        let served =
            info.policies.isEmpty ? [ServedPolicy(policy: info.policy, sampler: info.sampler)] : info.policies
        let names = served.map { printable($0.policy.name, limit: 64) }.joined(separator: " or ")
        guard let name else {
            guard served.count > 1 else { return nil }
            throw Failure.input("the daemon runs \(served.count) policies, expected --policy \(names)")
        }
        guard let policy = served.first(where: { $0.policy.name == name }) else {
            throw Failure.input(
                "--policy: found \"\(printable(name, limit: 64))\", expected a policy of the daemon: \(names)"
            )
        }
        return policy
    }

    /// Ends the daemon, if it is this robot's own.
    func stop() {
        daemon?.stop()
    }

    private static func robot(_ shard: Shard?) -> RobotID {
        let part = shard.map { "\($0.number)-" } ?? ""
        guard let robot = RobotID("pusht-\(part)\(ProcessInfo.processInfo.processIdentifier)") else {
            preconditionFailure("the process's id makes a valid robot id")
        }
        return robot
    }

    private static func checkSizes(of policy: PolicyDescription) throws {
        let (horizon, observed, acted) = (policy.horizon, policy.nObsSteps, policy.nActionSteps)
        guard (1...1 << 20).contains(horizon), (1...horizon).contains(observed),
            (1...horizon - observed + 1).contains(acted)
        else {
            throw Failure.run(
                "the daemon says horizon \(horizon), \(observed) observation steps and \(acted) action steps; "
                    + "expected at most horizon - observation steps + 1 action steps"
            )
        }
    }

    /// After what time an observation is published again whose chunk is not there. The robot's own daemon loses none, and would
    /// plan it again.
    var repeatInterval: Duration { daemon == nil ? .milliseconds(250) : .seconds(60) }

    /// Begins the episode of a seed.
    func reset(seed: UInt64) -> PushTObservation {
        let earlier = episodes[seed, default: 0]
        episodes[seed] = earlier + 1
        // To the daemon the same episode could not begin again.
        episode = earlier == 0 ? .number(seed) : .name("\(seed)-\(earlier + 1)")
        camera?.reset(seed: seed)
        keptFrames = camera == nil || !keepsFrames ? nil : []
        return simulation.reset(seed: seed)
    }

    /// What the robot publishes at a control step. To be called once in each.
    ///
    /// - Throws: an error of the camera.
    func message(
        _ observation: PushTObservation,
        seed: UInt64,
        step: UInt64,
        replan: Bool,
        committed: ActionRows? = nil
    ) throws -> RobotObservation {
        let frame = try camera?.look()
        keptFrames?.append(frame)
        let observed = features.observation(observation, frame: frame)
        return RobotObservation(
            robot: client.robot,
            episode: episode,
            sequence: step,
            timeNs: MonotonicTime.now().unsignedNs,
            values: observed.values,
            frames: observed.frames,
            replan: replan,
            noiseSeed: PushTEpisodes.noiseSeed(seed: seed, step: Int(step)),
            committed: committed
        )
    }

    /// Runs the episode of a seed in lock-step to its success or its last step.
    ///
    /// An observation that the daemon would refuse, because the camera's newest frame is too old to stand in for those that were
    /// lost, is not published. If no action is left then, the robot holds its last target.
    ///
    /// - Parameter show: is called after each control step.
    func runEpisode(seed: UInt64, show: (Moment) -> Void) throws -> EpisodeResult {
        var observation = reset(seed: seed)
        var recording = EpisodeRecording(of: simulation, seed: seed)
        var result = EpisodeResult(seed: seed, recording: recording)
        var actions: ArraySlice<SIMD2<Double>> = []
        var target = observation.agentPosition

        var isOver = false
        while !isOver {
            let step = simulation.stepCount
            let message = try Failure.asRun {
                try self.message(observation, seed: seed, step: UInt64(step), replan: actions.isEmpty)
            }
            var newChunks: [ChunkTrace] = []
            let isBlind = camera?.isBlind ?? false
            if !isBlind { rate?.wait(for: message) }
            if actions.isEmpty, !isBlind {
                let trace = try chunk(for: message, coverage: recording.frames[step].coverage)
                actions = Self.actions(of: trace.chunk)
                guard !actions.isEmpty else { throw Failure.run("the daemon sent a chunk without actions") }
                result.chunks.append(trace)
                result.commands.handOver(to: trace.chunk, at: UInt64(step))
                newChunks = [trace]
            } else if !isBlind {
                try Failure.asRun { try client.publish(message) }
            }
            if let action = actions.popFirst() { target = simulation.scenario.world.clamp(action) }
            result.commands.append(target)
            let outcome = try Failure.asRun { try simulation.step(target) }
            recording.append(outcome)
            observation = outcome.observation
            isOver = outcome.isEpisodeOver
            show(Moment(seed: seed, recording: recording, newChunks: newChunks))
        }
        result.recording = recording
        result.frames = keptFrames
        return result
    }

    /// Waits for the chunk that answers an observation.
    private func chunk(for message: RobotObservation, coverage: Double) throws -> ChunkTrace {
        let (chunk, latency) = try Failure.asRun {
            try timed {
                try client.chunk(for: message, timeout: .seconds(120), longestInterval: repeatInterval)
            }
        }
        return ChunkTrace(
            chunk: chunk,
            coverage: coverage,
            milliseconds: latency,
            step: Int(message.sequence),
            isCarriedOut: true
        )
    }

    private static func actions(of chunk: RobotChunk) -> ArraySlice<SIMD2<Double>> {
        (0..<chunk.actionSteps).map { index in
            let action = chunk.action(index)
            return SIMD2(Double(action[action.startIndex]), Double(action[action.startIndex + 1]))
        }[...]
    }
}

/// An episode after one of its control steps.
struct Moment {
    let seed: UInt64
    let recording: EpisodeRecording
    /// The chunks that came since the step before.
    let newChunks: [ChunkTrace]
}

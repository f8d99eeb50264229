import Benchmarking
import Clocks
import Daemon
import Foundation
import Logging
import Planning
import Policy
import PushT
import Motion
import Robotics
import Transport

/// A robot whose body is the PushT simulator: it publishes what it sees at every control step, subscribes to chunks and
/// carries out their actions one by one. In lock-step it asks for the next chunk when the last action is done, and the
/// world waits for it; in real time the world does not.
final class SimulatedRobot {
    /// What the robot is connected to, for people.
    let title: String
    /// The solver and its steps.
    let samplerName: String
    let client: RobotClient
    /// The policy whose chunks the robot carries out.
    let policy: PolicyDescription
    /// The longest that one of the last chunks took, from publishing the observation to receiving it.
    var roundTrip: LatencyEstimate
    let simulation = PushTSimulation()
    private let daemon: Daemon?
    /// What the daemon knows the episode as.
    private var episode = EpisodeID.name("warm-up")
    /// The last episode's seed, and how many episodes in a row had it.
    private var lastSeed: (seed: UInt64, episodes: Int)?

    /// A robot with a daemon of its own in this process, reached over in-process sockets.
    init(policy: PolicyBundle, sampler: SamplerOptions) throws {
        let planner = try PolicyPlanner.factory(bundle: policy, sampler: sampler)
        var configuration = DaemonConfiguration.embedded()
        configuration.seed = sampler.firstSeed
        configuration.budget = sampler.budget
        configuration.logger = Logger(level: .warning, writer: Console.log)
        let daemon = try Failure.asRun { try Daemon(configuration: configuration, makePlanner: planner) }
        let endpoints = try Failure.asRun { try daemon.start() }
        self.daemon = daemon
        self.client = try Failure.asRun {
            try RobotClient(robot: Self.robot, endpoints: endpoints, context: daemon.context)
        }
        (title, samplerName, self.policy, roundTrip) = try Self.greet(client)
    }

    /// A robot of a daemon that runs elsewhere.
    ///
    /// - Parameters:
    ///   - endpoint: where the daemon answers requests.
    ///   - keys: for a daemon that asks for them.
    init(connectingTo endpoint: String, keys: CurveClientKeys? = nil) throws {
        self.daemon = nil
        do {
            self.client = try RobotClient.connecting(
                robot: Self.robot,
                requests: endpoint,
                context: ZeroMQContext(),
                security: keys
            )
        } catch {
            let hint = keys == nil ? "does it ask for keys" : "does it let this key in"
            throw Failure.run("\(error); is `denoised serve` running there? If so, \(hint)?")
        }
        (title, samplerName, self.policy, roundTrip) = try Self.greet(client)
    }

    /// Ends the daemon, if it is this robot's own.
    func stop() {
        daemon?.stop()
    }

    private static var robot: RobotID {
        guard let robot = RobotID("pusht-\(ProcessInfo.processInfo.processIdentifier)") else {
            preconditionFailure("the process's id makes a valid robot id")
        }
        return robot
    }

    /// Checks that the daemon's policy can drive this robot, and has it plan twice: once so that neither side's sockets and
    /// caches are new when the first episode starts, and once to know how long it takes.
    private static func greet(
        _ client: RobotClient
    ) throws -> (title: String, samplerName: String, policy: PolicyDescription, roundTrip: LatencyEstimate) {
        let info = try Failure.asRun { try client.info(timeout: .seconds(30)) }
        let refusal = PushTEpisodes.refusal(
            of: info.policy.name,
            features: info.policy.features.map { ($0.name, $0.count) },
            actionDim: info.policy.actionDim
        )
        if let refusal { throw Failure.input(refusal) }
        let (horizon, observed, acted) = (
            info.policy.horizon, info.policy.nObsSteps, info.policy.nActionSteps
        )
        guard (1...1 << 20).contains(horizon), (1...horizon).contains(observed),
            (1...horizon - observed + 1).contains(acted)
        else {
            throw Failure.run(
                "the daemon says horizon \(horizon), \(observed) observation steps and \(acted) action steps; "
                    + "expected at most horizon - observation steps + 1 action steps"
            )
        }
        var milliseconds = 0.0
        for sequence: UInt64 in 0...1 {
            let observation = RobotObservation(
                robot: client.robot,
                episode: .name("warm-up"),
                sequence: sequence,
                timeNs: MonotonicTime.now().unsignedNs,
                values: Observation(pushT: PushTSimulation().observation).values
            )
            (_, milliseconds) = try Failure.asRun {
                try timed { try client.chunk(for: observation, timeout: .seconds(120)) }
            }
        }

        let sampler = info.sampler
        let parallel =
            sampler.window > 1 ? ", window \(sampler.window), tolerance \(fixed(sampler.tolerance, 3))" : ""
        let title =
            "\(info.policy.name): \(sampler.solver), \(sampler.steps) steps, \(sampler.method)\(parallel)"
        return (
            title, "\(sampler.solver) \(sampler.steps)", info.policy,
            LatencyEstimate(.milliseconds(milliseconds))
        )
    }

    /// Begins the episode of a seed.
    func reset(seed: UInt64) -> PushTObservation {
        let episodes = lastSeed.map { $0.seed == seed ? $0.episodes + 1 : 1 } ?? 1
        lastSeed = (seed, episodes)
        // To the daemon the same episode could not begin again.
        episode = episodes == 1 ? .number(seed) : .name("\(seed)-\(episodes)")
        return simulation.reset(seed: seed)
    }

    /// What the robot publishes at a control step.
    func message(
        _ observation: PushTObservation,
        seed: UInt64,
        step: UInt64,
        replan: Bool,
        committed: ActionRows? = nil
    ) -> RobotObservation {
        RobotObservation(
            robot: client.robot,
            episode: episode,
            sequence: step,
            timeNs: MonotonicTime.now().unsignedNs,
            values: Observation(pushT: observation).values,
            replan: replan,
            noiseSeed: PushTEpisodes.noiseSeed(seed: seed, step: Int(step)),
            committed: committed
        )
    }

    /// Runs the episode of a seed in lock-step to its success or its last step.
    ///
    /// - Parameter show: is called after each control step.
    func runEpisode(seed: UInt64, show: (Moment) -> Void) throws -> EpisodeResult {
        var observation = reset(seed: seed)
        var recording = EpisodeRecording(of: simulation, seed: seed)
        var result = EpisodeResult(seed: seed, recording: recording)
        var actions: ArraySlice<SIMD2<Double>> = []

        var isOver = false
        while !isOver {
            let step = simulation.stepCount
            let message = message(observation, seed: seed, step: UInt64(step), replan: actions.isEmpty)
            var newChunks: [ChunkTrace] = []
            if actions.isEmpty {
                let (chunk, latency) = try Failure.asRun {
                    try timed { try client.chunk(for: message, timeout: .seconds(120)) }
                }
                let trace = ChunkTrace(
                    chunk: chunk,
                    coverage: recording.frames[step].coverage,
                    milliseconds: latency
                )
                actions = Self.actions(of: chunk)
                result.chunks.append(trace)
                result.commands.handOver(to: chunk, at: UInt64(step))
                newChunks = [trace]
            } else {
                try Failure.asRun { try client.publish(message) }
            }
            guard let action = actions.popFirst() else {
                throw Failure.run("the daemon sent a chunk without actions")
            }
            let target = simulation.scenario.world.clamp(action)
            result.commands.append(target)
            let outcome = try Failure.asRun { try simulation.step(target) }
            recording.append(outcome)
            observation = outcome.observation
            isOver = outcome.isEpisodeOver
            show(Moment(seed: seed, recording: recording, newChunks: newChunks))
        }
        result.recording = recording
        return result
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

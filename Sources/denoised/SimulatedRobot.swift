import Controller
import Foundation
import Logging
import Policy
import PushT
import Wire

/// A robot whose body is the PushT simulator: it publishes what it sees at every control step, subscribes to chunks and
/// carries out their actions one by one, asking for the next chunk when the last action is done. The world waits for
/// the chunk.
final class SimulatedRobot {
    /// What the robot is connected to, for people.
    let title: String
    private let client: RobotClient
    private let daemon: Daemon?
    private let simulation = PushTSimulation()

    /// A robot with a daemon of its own in this process, reached over in-process sockets.
    init(policy: PolicyBundle, sampler: SamplerOptions) throws {
        let planner = try PolicyPlanner.factory(bundle: policy, sampler: sampler)
        var configuration = DaemonConfiguration.embedded()
        configuration.seed = sampler.firstSeed
        configuration.budget = sampler.budget
        configuration.logger = .standardError(level: .warning)
        let daemon = try Failure.asRun { try Daemon(configuration: configuration, makePlanner: planner) }
        let endpoints = try Failure.asRun { try daemon.start() }
        self.daemon = daemon
        self.client = try Failure.asRun {
            try RobotClient(robot: Self.robot, endpoints: endpoints, context: daemon.context)
        }
        self.title = try Self.greet(client)
    }

    /// A robot of a daemon that runs elsewhere.
    ///
    /// - Parameter endpoint: where the daemon answers requests.
    init(connectingTo endpoint: String) throws {
        self.daemon = nil
        do {
            self.client = try RobotClient.connecting(
                robot: Self.robot,
                requests: endpoint,
                context: ZeroMQContext()
            )
        } catch {
            throw Failure.run("\(error); is `denoised serve` running there?")
        }
        self.title = try Self.greet(client)
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

    /// Checks that the daemon's policy can drive this robot, and has it plan once, so that neither side's sockets and
    /// caches are new when the first episode starts.
    private static func greet(_ client: RobotClient) throws -> String {
        let info = try Failure.asRun { try client.info(timeout: .seconds(30)) }
        let refusal = PushTEpisodes.refusal(
            of: info.policy.name,
            features: info.policy.features.map { ($0.name, $0.count) },
            actionDim: info.policy.actionDim
        )
        if let refusal { throw refusal }
        let observation = ObservationMessage(
            robot: client.robot,
            episode: .name("warm-up"),
            sequence: 0,
            timeNs: Clock.monotonicNs(),
            values: Observation(pushT: PushTSimulation().observation).values
        )
        _ = try Failure.asRun { try client.chunk(for: observation, timeout: .seconds(120)) }

        let sampler = info.sampler
        let parallel =
            sampler.window > 1 ? ", window \(sampler.window), tolerance \(fixed(sampler.tolerance, 3))" : ""
        return "\(info.policy.name): \(sampler.solver), \(sampler.steps) steps, \(sampler.method)\(parallel)"
    }

    /// Runs the episode of a seed to its success or its last step.
    ///
    /// - Parameter show: is called after each control step.
    func runEpisode(seed: UInt64, show: (Moment) -> Void) throws -> EpisodeResult {
        var observation = simulation.reset(seed: seed)
        var recording = EpisodeRecording(of: simulation, seed: seed)
        var result = EpisodeResult(seed: seed, recording: recording)
        var actions: ArraySlice<SIMD2<Double>> = []

        var isOver = false
        while !isOver {
            let step = simulation.stepCount
            let message = ObservationMessage(
                robot: client.robot,
                episode: .number(seed),
                sequence: UInt64(step),
                timeNs: Clock.monotonicNs(),
                values: Observation(pushT: observation).values,
                replan: actions.isEmpty,
                noiseSeed: PushTEpisodes.noiseSeed(seed: seed, step: step)
            )
            var newChunk: ChunkTrace?
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
                newChunk = trace
            } else {
                try Failure.asRun { try client.publish(message) }
            }
            guard let action = actions.popFirst() else {
                throw Failure.run("the daemon sent a chunk without actions")
            }
            let target = simulation.scenario.world.clamp(action)
            let outcome = try Failure.asRun { try simulation.step(target) }
            recording.append(outcome)
            observation = outcome.observation
            isOver = outcome.isEpisodeOver
            show(Moment(seed: seed, recording: recording, newChunk: newChunk))
        }
        result.recording = recording
        return result
    }

    private static func actions(of chunk: ChunkMessage) -> ArraySlice<SIMD2<Double>> {
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
    /// The chunk that came before this step, if one did.
    let newChunk: ChunkTrace?
}

/// What `body` returns, and the milliseconds it took.
func timed<Value>(_ body: () throws -> Value) rethrows -> (Value, milliseconds: Double) {
    let start = ContinuousClock.now
    let value = try body()
    return (value, (ContinuousClock.now - start) / .milliseconds(1))
}

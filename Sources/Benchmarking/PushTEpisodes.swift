import Planning
import Policy
import PushT
import Robotics

/// Simulated PushT episodes in this process, in lock-step: the world waits for a chunk of actions, carries them out one by
/// one, and waits for the next.
package final class PushTEpisodes {
    private let simulation = PushTSimulation()
    private let features: PushTFeatures
    /// Draws what the camera sees; nil: the policy has none.
    private let renderer: FrameRenderer?

    /// - Parameter features: what the policy takes that plays.
    /// - Throws: `PushTError` for frames that cannot be drawn.
    package init(_ features: PushTFeatures) throws {
        self.features = features
        let side = PushTFeatures.frameSide
        let hasCamera = features.camera != nil
        renderer = try hasCamera ? FrameRenderer(of: simulation, width: side, height: side) : nil
    }

    /// Runs the episode of a seed to its success or its last control step.
    ///
    /// - Parameters:
    ///   - history: an empty one of the policy that is to observe it.
    ///   - plan: is given the history with the newest observation, and that observation's control step, if there is no action
    ///     left; nil ends the episode there.
    /// - Throws: what `plan` throws, and an error for actions that are not finite.
    @discardableResult
    package func run(
        seed: UInt64,
        history: ObservationHistory,
        plan: (_ history: ObservationHistory, _ step: Int) throws -> ActionChunk?
    ) throws -> EpisodeRecording {
        var history = history
        var observation = simulation.reset(seed: seed)
        var recording = EpisodeRecording(of: simulation, seed: seed)
        var actions: ArraySlice<SIMD2<Double>> = []
        var isOver = false
        while !isOver {
            try history.append(features.observation(observation, frame: frame))
            if actions.isEmpty {
                guard let chunk = try plan(history, simulation.stepCount) else { break }
                actions = chunk.pushTActions[...]
            }
            guard let action = actions.popFirst() else { break }
            let outcome = try simulation.step(simulation.scenario.world.clamp(action))
            recording.append(outcome)
            observation = outcome.observation
            isOver = outcome.isEpisodeOver
        }
        return recording
    }

    /// The noise of a chunk depends on the episode's seed and the control step alone, whoever samples it.
    package static func noiseSeed(seed: UInt64, step: Int) -> UInt64 {
        guard let robot = RobotID("pusht") else { preconditionFailure("pusht is a valid robot id") }
        return NoiseSeed.derived(from: seed, robot: robot, episode: .number(seed), sequence: UInt64(step))
    }

    /// What the camera sees.
    private var frame: CameraFrame? {
        renderer.map { CameraFrame(height: $0.height, width: $0.width, pixels: $0.frame()) }
    }
}

extension ActionChunk {
    /// The positions that the agent is to go to.
    fileprivate var pushTActions: [SIMD2<Double>] {
        stride(from: 0, to: actions.count, by: 2).map {
            SIMD2(Double(actions[$0]), Double(actions[$0 + 1]))
        }
    }
}

import Planning
import Policy
import PushT
import Robotics

/// Simulated PushT episodes in this process, in lock-step: the world waits for a chunk of actions, carries them out one by
/// one, and waits for the next.
package final class PushTEpisodes {
    private let simulation = PushTSimulation()

    package init() {}

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
            try history.append(Observation(pushT: observation))
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

    /// Why a policy cannot play, if it cannot.
    ///
    /// - Parameters:
    ///   - policy: its name.
    ///   - features: what it observes, by LeRobot feature name.
    ///   - actionDim: numbers in one of its actions.
    package static func refusal(
        of policy: String,
        features: [(name: String, count: Int)],
        actionDim: Int
    ) -> String? {
        let offered = ["observation.state": 2, "observation.environment_state": 16]
        let isOffered = features.allSatisfy { offered[$0.name] == $0.count }
        guard isOffered, Set(features.map(\.name)) == Set(offered.keys) else {
            let found = features.map { "\($0.name) [\($0.count)]" }.joined(separator: " and ")
            return "the policy \(policy) takes \(found); PushT gives observation.state [2] (agent position) "
                + "and observation.environment_state [16] (keypoints)"
        }
        guard actionDim == 2 else {
            return "the policy \(policy) gives actions of \(actionDim) numbers, PushT takes 2"
        }
        return nil
    }
}

extension PolicyBundle {
    /// Why the policy cannot play PushT, if it cannot.
    package var pushTRefusal: String? {
        PushTEpisodes.refusal(
            of: name,
            features: observationFeatures.map { ($0.name, $0.count) },
            actionDim: configuration.actionDim
        )
    }
}

extension Observation {
    /// What the simulator shows, under LeRobot's names.
    package init(pushT observation: PushTObservation) {
        self.init(values: [
            "observation.state": [
                Float(observation.agentPosition.x), Float(observation.agentPosition.y),
            ],
            "observation.environment_state": observation.keypoints.map { Float($0) },
        ])
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

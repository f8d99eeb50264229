import Robotics

/// A chunk for the observation of a control step: its action for step s is [s, sequence], so that an action tells which
/// step it was meant for, whatever it was faded with.
func chunk(
    _ sequence: UInt64,
    actions: Int = 8,
    beyond: Int = 7,
    episode: EpisodeID = .number(1),
    planning: Duration = .zero,
    vision: Duration? = nil
) throws -> RobotChunk {
    func rows(_ steps: Range<Int>) -> [Float] {
        steps.flatMap { [Float(sequence) + Float($0), Float(sequence)] }
    }
    return RobotChunk(
        robot: try robot(),
        episode: episode,
        sequence: sequence,
        timeNs: 0,
        firstStep: sequence,
        actions: rows(0..<actions),
        actionSteps: actions,
        actionDim: 2,
        beyond: rows(actions..<actions + beyond),
        noiseSeed: 0,
        sampling: .init(solver: "ddpm", steps: 1, method: .sequential, iterations: 1, evaluations: 1),
        timing: .init(
            stages: .init(
                vision: vision.map { UInt64($0 / .nanoseconds(1)) },
                sample: UInt64(planning / .nanoseconds(1))
            ),
            receivedNs: 0
        )
    )
}

/// The observation of a control step.
func observation(_ step: UInt64, replan: Bool, committed: ActionRows? = nil) throws -> RobotObservation {
    RobotObservation(
        robot: try robot(),
        episode: .number(1),
        sequence: step,
        timeNs: 0,
        values: [:],
        replan: replan,
        committed: committed
    )
}

private func robot() throws -> RobotID {
    guard let robot = RobotID("arm1") else { throw MessageError(.outOfRange, "no robot id") }
    return robot
}

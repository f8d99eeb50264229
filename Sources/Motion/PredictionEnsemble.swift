import Foundation
import Robotics

/// A chunk's actions by control step, those beyond included.
struct ChunkPrediction: Sendable, Hashable {
    private let firstStep: UInt64
    private let rows: [ActionPlan.Action]

    init(_ chunk: RobotChunk) {
        let all = chunk.actions + chunk.beyond
        firstStep = chunk.firstStep
        rows = (0..<chunk.actionSteps + chunk.beyondSteps).map { row in
            ActionPlan.Action(
                values: Array(all[row * chunk.actionDim..<(row + 1) * chunk.actionDim]),
                isBeyond: row >= chunk.actionSteps
            )
        }
    }

    /// The action meant for a step, if there is one.
    func action(at step: UInt64) -> ActionPlan.Action? {
        guard step >= firstStep, step - firstStep < UInt64(rows.count) else { return nil }
        return rows[Int(step - firstStep)]
    }

    /// The actions meant for a step, which has one, and for those after it.
    func actions(from step: UInt64) -> [ActionPlan.Action] { Array(rows[Int(step - firstStep)...]) }
}

/// What successive chunks predict for the same steps, and its mean: temporal ensembling (Zhao et al., arXiv 2304.13705,
/// algorithm 2).
struct PredictionEnsemble: Sendable, Hashable {
    /// Oldest first; all have an action for the step that was last added at, or a later one.
    private var predictions: [ChunkPrediction] = []

    /// Takes a prediction in, and forgets those that have nothing to say from `step` on: as many are kept as a prediction has
    /// steps, since each is of another step.
    mutating func add(_ prediction: ChunkPrediction, at step: UInt64) {
        predictions.removeAll { $0.action(at: step) == nil }
        predictions.append(prediction)
    }

    /// The mean of what is predicted for each step from `step` on. An action is beyond where all are that it comes from.
    func actions(from step: UInt64, decay: Double) -> [ActionPlan.Action] {
        var actions: [ActionPlan.Action] = []
        while let action = mean(at: step + UInt64(actions.count), decay: decay) { actions.append(action) }
        return actions
    }

    private func mean(at step: UInt64, decay: Double) -> ActionPlan.Action? {
        let predicted = predictions.compactMap { $0.action(at: step) }
        guard let newest = predicted.last else { return nil }
        var sums = [Double](repeating: 0, count: newest.values.count)
        var total = 0.0
        var isBeyond = true
        for (age, action) in predicted.enumerated() where action.values.count == sums.count {
            let weight = exp(-decay * Double(age))
            for (dimension, value) in action.values.enumerated() { sums[dimension] += weight * Double(value) }
            total += weight
            isBeyond = isBeyond && action.isBeyond
        }
        return ActionPlan.Action(values: sums.map { Float($0 / total) }, isBeyond: isBeyond)
    }
}

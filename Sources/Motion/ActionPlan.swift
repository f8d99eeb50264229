import Robotics

/// The actions that a robot is about to carry out, by control step, joined from chunk to chunk.
///
/// A value without clocks or sockets. Besides what is to come it keeps the last few actions before the newest chunk, which
/// reading between the steps takes (``action(at:interpolation:)``).
public struct ActionPlan: Sendable, Hashable {
    /// What a control step is to carry out.
    public struct Action: Sendable, Hashable {
        /// The action, [actionDim], in the robot's units.
        public let values: [Float]
        /// Whether the policy predicted it beyond the actions that it means to be carried out.
        public let isBeyond: Bool
    }

    /// How a chunk joins what was planned before it.
    public enum Joining: Sendable, Hashable {
        /// Over `steps` control steps, from 0, after what is frozen in the chunk, the plan is (1 - w) old + w new, with w =
        /// 1 / (steps + 1), 2 / (steps + 1), ..., as far as the old plan goes. 0 changes over at once.
        case fade(steps: Int)
        /// The plan is the mean of all predictions of a step, weighted by exp(-decay i), i = 0 for the oldest; `decay` is finite.
        case average(decay: Double)
    }

    /// How many actions are kept from before the newest chunk: as many as a cubic reads, with two to come.
    static let retainedSteps: UInt64 = 4

    /// An action for each control step from `firstKept` on.
    private var rows: [Action] = []
    private var firstKept: UInt64 = 0
    private var ensemble = PredictionEnsemble()
    /// The control step with which the newest chunk took over; 0 in an empty plan.
    public private(set) var firstStep: UInt64 = 0
    /// The step after the last action; 0 in an empty plan.
    public var end: UInt64 { firstKept + UInt64(rows.count) }

    /// A plan without actions.
    public init() {}

    /// What to carry out at a control step; nil if the plan has nothing.
    public func action(at step: UInt64) -> Action? {
        guard step >= firstKept, step < end else { return nil }
        return rows[Int(step - firstKept)]
    }

    /// Goes over to a chunk: from `step` on the plan follows it, each of its actions at the control step that the policy meant
    /// it for, so that what was meant for earlier steps is left out. What was planned before `step` stays.
    ///
    /// - Parameters:
    ///   - chunk: what a planner has sampled.
    ///   - step: the first control step that may still change.
    ///   - joining: what becomes of the old plan's actions from `step` on.
    /// - Returns: whether the chunk has an action for `step`; the plan is as before if not.
    @discardableResult
    public mutating func join(_ chunk: RobotChunk, at step: UInt64, by joining: Joining) -> Bool {
        let prediction = ChunkPrediction(chunk)
        guard prediction.action(at: step) != nil else { return false }
        var joined: [Action]
        switch joining {
        case .fade(let steps):
            ensemble = PredictionEnsemble()
            joined = prediction.actions(from: step)
            fade(into: &joined, from: step, after: chunk.firstStep + UInt64(chunk.frozenSteps), over: steps)
        case .average(let decay):
            ensemble.add(prediction, at: step)
            joined = ensemble.actions(from: step, decay: decay)
        }
        keep(before: step)
        rows += joined
        firstStep = step
        return true
    }

    private func fade(into joined: inout [Action], from step: UInt64, after frozen: UInt64, over steps: Int) {
        let first = frozen > step ? Int(min(frozen - step, UInt64(joined.count))) : 0
        for index in first..<min(first + steps, joined.count) {
            let new = joined[index]
            guard let old = action(at: step + UInt64(index)), old.values.count == new.values.count
            else { return }
            let weight = Float(index - first + 1) / Float(steps + 1)
            joined[index] = Action(
                values: zip(old.values, new.values).map { $0 + weight * ($1 - $0) },
                isBeyond: new.isBeyond
            )
        }
    }

    /// Cuts the rows to those right before `step`: none where the plan does not reach it.
    private mutating func keep(before step: UInt64) {
        guard step > firstKept, step <= end else {
            rows = []
            firstKept = step
            return
        }
        let first = max(firstKept, step - min(step, Self.retainedSteps))
        rows = Array(rows[Int(first - firstKept)..<Int(step - firstKept)])
        firstKept = first
    }
}

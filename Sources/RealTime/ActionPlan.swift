import Wire

/// The actions that a robot is about to carry out, by control step, joined from chunk to chunk.
public struct ActionPlan: Sendable, Hashable {
    /// What a control step is to carry out.
    public struct Action: Sendable, Hashable {
        /// The action, [actionDim], in the robot's units.
        public let values: [Float]
        /// Whether the policy predicted it beyond the actions that it means to be carried out.
        public let isBeyond: Bool
    }

    /// An action for each control step from `firstStep` on, [actionDim] each.
    private var rows: [[Float]] = []
    /// The step of the first row that is beyond the chunk's actions proper.
    private var firstBeyond: UInt64 = 0
    /// The control step with which the newest chunk took over; 0 in an empty plan.
    public private(set) var firstStep: UInt64 = 0
    /// The step after the last action; 0 in an empty plan.
    public var end: UInt64 { firstStep + UInt64(rows.count) }

    /// A plan without actions.
    public init() {}

    /// What to carry out at a control step; nil where the plan has nothing.
    public func action(at step: UInt64) -> Action? {
        guard step >= firstStep, step < end else { return nil }
        return Action(values: rows[Int(step - firstStep)], isBeyond: step >= firstBeyond)
    }

    /// Goes over to a chunk: from `step` on its actions are the plan, each for the control step that the policy meant it
    /// for, so that what was meant for earlier steps is left out.
    ///
    /// The two predictions of a step differ. Over `crossFade` steps the plan is therefore (1 - w) old + w new, with w =
    /// 1 / (crossFade + 1), 2 / (crossFade + 1), ..., as far as the old plan goes.
    /// - Parameters:
    ///   - step: the first control step that has not begun.
    ///   - crossFade: from 0, which changes over at once.
    /// - Returns: whether the chunk has an action for `step`; the plan is as before where not.
    @discardableResult
    public mutating func join(_ chunk: ChunkMessage, at step: UInt64, crossFade: Int) -> Bool {
        let chunkRows = chunk.rows
        guard chunk.firstStep <= step, step - chunk.firstStep < UInt64(chunkRows.count) else { return false }
        var joined = Array(chunkRows[Int(step - chunk.firstStep)...])
        for index in 0..<min(crossFade, joined.count) {
            guard let old = action(at: step + UInt64(index)), old.values.count == joined[index].count
            else { break }
            let weight = Float(index + 1) / Float(crossFade + 1)
            joined[index] = zip(old.values, joined[index]).map { $0 + weight * ($1 - $0) }
        }
        firstStep = step
        rows = joined
        firstBeyond = chunk.firstStep + UInt64(chunk.actionSteps)
        return true
    }
}

extension ChunkMessage {
    /// Every action of the chunk, those beyond included; the first is for `firstStep`.
    fileprivate var rows: [[Float]] {
        let all = actions + beyond
        return (0..<actionSteps + beyondSteps).map { Array(all[$0 * actionDim..<($0 + 1) * actionDim]) }
    }
}

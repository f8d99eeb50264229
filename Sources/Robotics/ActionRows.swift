/// Actions one after the other: a two-dimensional array of a message.
public struct ActionRows: Sendable, Hashable {
    /// The numbers, row-major [steps, actionDim], in the robot's units; finite.
    public let values: [Float]
    /// How many actions, from 0.
    public let steps: Int
    /// The numbers of each, at least 1.
    public let actionDim: Int

    /// Actions of `actionDim` numbers each; `values` has whole ones.
    public init(_ values: [Float], actionDim: Int) {
        precondition(
            actionDim > 0 && values.count.isMultiple(of: actionDim),
            "\(values.count) numbers are not actions of \(actionDim)"
        )
        self.values = values
        self.steps = values.count / actionDim
        self.actionDim = actionDim
    }
}

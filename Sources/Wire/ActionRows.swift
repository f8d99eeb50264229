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

    /// Reads a field that may be left out: an array, or a list of actions. An empty list is no actions.
    ///
    /// - Parameter actionDim: the numbers that an action must have; nil: any from 1.
    static func decode(
        _ fields: FieldReader,
        _ name: String,
        actionDim: Int? = nil
    ) throws(MessageError) -> ActionRows? {
        guard let value = fields.optional(name) else { return nil }
        guard value != .array([]) else { return ActionRows([], actionDim: actionDim ?? 1) }
        let (elements, shape) = try NumericArray.decode(value, field: name)
        guard shape.count == 2, shape[1] > 0, actionDim == nil || shape[1] == actionDim else {
            throw MessageError(
                .badArray,
                field: "\(name).shape",
                "found \(shape), expected [any number, \(actionDim.map(String.init) ?? "action_dim")]"
            )
        }
        return ActionRows(elements, actionDim: shape[1])
    }

    func encode(keys: ArrayKeys = .binary, to encoder: borrowing MessagePackEncoder) {
        NumericArray.encode(values, shape: [steps, actionDim], keys: keys, to: encoder)
    }
}

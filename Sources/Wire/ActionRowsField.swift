import Robotics

extension ActionRows {
    /// Reads an array, or a list of actions. An empty list is no actions.
    ///
    /// - Parameter actionDim: the numbers that an action must have; nil: any from 1.
    static func decode(
        _ fields: FieldReader,
        _ name: String,
        actionDim: Int? = nil
    ) throws(MessageError) -> ActionRows {
        let value = try fields.value(name)
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
}

extension FieldCoding<ActionRows> {
    /// Actions of any size.
    package static let actionRows = Self(kind: .rows) {
        .array($0.values, shape: [$0.steps, $0.actionDim])
    } read: { (fields, name) throws(MessageError) in
        try ActionRows.decode(fields, name)
    }
}

import Robotics

extension RobotCommand {
    /// Reads a published command.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("command")
        let fields = envelope.fields
        let (action, shape) = try NumericArray.decode(fields.value("action"), field: "action")
        guard shape.count == 1 else {
            throw MessageError(.badArray, field: "action.shape", "found \(shape), expected [action_dim]")
        }
        try self.init(
            robot: fields.robot(),
            episode: fields.episode(),
            tick: fields.unsigned("tick"),
            step: fields.double("step"),
            timeNs: fields.unsigned("time_ns"),
            action: action,
            sequence: fields.unsigned("sequence"),
            state: fields.choice("state"),
            isLimited: fields.bool("limited"),
            publishedNs: fields.unsigned("published_ns"),
            wallNs: fields.unsigned("wall_ns")
        )
    }

    /// The message as published.
    ///
    /// - Parameter arrayKeys: how the keys of arrays are packed.
    public func encoded(arrayKeys: ArrayKeys = .binary) -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.message("command", fields: 11)
        encoder.string("robot")
        encoder.string(robot.text)
        encoder.string("episode")
        encoder.episode(episode)
        encoder.string("tick")
        encoder.unsigned(tick)
        encoder.string("step")
        encoder.float(step)
        encoder.string("time_ns")
        encoder.unsigned(timeNs)
        encoder.string("action")
        NumericArray.encode(action, shape: [action.count], keys: arrayKeys, to: encoder)
        encoder.string("sequence")
        encoder.unsigned(sequence)
        encoder.string("state")
        encoder.string(state.rawValue)
        encoder.string("limited")
        encoder.bool(isLimited)
        encoder.string("published_ns")
        encoder.unsigned(publishedNs)
        encoder.string("wall_ns")
        encoder.unsigned(wallNs)
        return encoder.bytes
    }
}

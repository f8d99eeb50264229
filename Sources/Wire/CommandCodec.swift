import Robotics

extension RobotCommand {
    /// The fields of a command.
    package static let table = MessageTable(
        RobotCommand(
            robot: .unread,
            episode: .number(0),
            tick: 0,
            step: 0,
            timeNs: 0,
            action: [],
            sequence: 0,
            state: .running,
            isLimited: false,
            publishedNs: 0,
            wallNs: 0
        ),
        [
            .required("robot", \.robot, .robot, "whose it is"),
            .required("episode", \.episode, .episode, "that of the newest observation"),
            .required(
                "tick",
                \.tick,
                .unsigned,
                """
                counts the periods of `command_hz` in the episode, from about control step 0 on; rises from one command to the \
                next. A gap says how many commands were left out
                """
            ),
            .required(
                "step",
                \.step,
                .float,
                "the control step that the command is for, with the fraction of it that is over"
            ),
            .required(
                "time_ns",
                \.timeNs,
                .unsigned,
                """
                when it is to take effect: the moment at which it was computed, by the clock of the observations' `time_ns`. \
                Limits hold by the differences of these times
                """
            ),
            MessageField(
                FieldDescription(
                    "action",
                    .floatArray,
                    "[action_dim], in the robot's units, within its limits"
                )
            ) {
                .array($0.action, shape: [$0.action.count])
            } read: { (fields, command) throws(MessageError) in
                let (action, shape) = try NumericArray.decode(fields.value("action"), field: "action")
                guard shape.count == 1 else {
                    throw MessageError(
                        .badArray,
                        field: "action.shape",
                        "found \(shape), expected [action_dim]"
                    )
                }
                command.action = action
            },
            .required("sequence", \.sequence, .unsigned, "the observation that the chunk in force answers"),
            .required(
                "state",
                \.state,
                .choice,
                "`running`, or `holding`: the robot is brought to rest and kept there"
            ),
            .required("limited", \.isLimited, .bool, "whether a limit changed the action"),
            .required(
                "published_ns",
                \.publishedNs,
                .unsigned,
                "the daemon's monotonic clock when the command was packed"
            ),
            .required(
                "wall_ns",
                \.wallNs,
                .unsigned,
                "the daemon's wall clock (since 1970, UTC) at that moment"
            ),
        ]
    )

    /// Reads a published command.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("command")
        self = try Self.table.read(envelope.fields)
    }

    /// The message as published.
    ///
    /// - Parameter arrayKeys: how the keys of arrays are packed.
    public func encoded(arrayKeys: ArrayKeys = .binary) -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.message("command", Self.table, of: self, arrayKeys: arrayKeys)
        return encoder.bytes
    }
}

import Robotics

/// What `pong` carries.
package struct PongFields: Sendable {
    var timeNs: UInt64?
    var monotonicNs: UInt64
    var wallNs: UInt64

    /// The fields of `pong`.
    package static let table = MessageTable(
        PongFields(monotonicNs: 0, wallNs: 0),
        [
            .optional("time_ns", \.timeNs, .unsigned, "that of the `ping`"),
            .required("monotonic_ns", \.monotonicNs, .unsigned, "the daemon's monotonic clock"),
            .required("wall_ns", \.wallNs, .unsigned, "the daemon's wall clock (since 1970, UTC)"),
        ]
    )
}

/// What the reply to `reset` carries.
package struct ResetReplyFields: Sendable {
    var robot: RobotID
    var isForgotten: Bool

    /// The fields of the reply.
    package static let table = MessageTable(
        ResetReplyFields(robot: .unread, isForgotten: false),
        [
            .required("robot", \.robot, .robot, "that of the request"),
            .required("forgotten", \.isForgotten, .bool, "whether there was anything to forget"),
        ]
    )
}

/// What the reply to `resume` carries.
package struct ResumeReplyFields: Sendable {
    var robots: Int
    var keeping: Reply.Keeping

    /// The fields of the reply.
    package static let table = MessageTable(
        ResumeReplyFields(robots: 0, keeping: .forgotten),
        [
            .required("robots", \.robots, .count, "those that were released"), .kept(\.keeping),
            .problem(\.keeping),
        ]
    )
}

extension StopReply {
    /// The fields of the reply. Daemons before version 0.2 say neither which robots they know nor the stop's number.
    package static let table = MessageTable(
        StopReply(robots: 0, known: 0, number: 0),
        [
            .required("robots", \.robots, .count, "those that stopped and had not been stopped before"),
            MessageField(
                FieldDescription(
                    "known",
                    .integer,
                    """
                    of the robots that the stop is for, those that have been heard of or have a robot file with their name: 0 or \
                    1 for a stop that names one
                    """
                )
            ) {
                .integer($0.known)
            } read: { (fields, reply) throws(MessageError) in
                reply.known = fields.optional("known") == nil ? reply.robots : try fields.count("known")
            },
            .added("stop", \.number, .unsigned, "the number of this stop"),
            .unlessEmpty(
                "known_names",
                \.knownNames,
                .strings,
                "if the name is not known: the ids of robots that are, \(mostNames) at most"
            ),
            .kept(\.keeping),
            .problem(\.keeping),
        ]
    )
}

extension MessageField {
    /// Whether a stop, or its end, is kept. Daemons before version 0.2 say nothing and keep nothing.
    fileprivate static func kept(
        _ path: WritableKeyPath<Message, Reply.Keeping> & Sendable
    ) -> MessageField {
        MessageField(
            FieldDescription(
                "kept",
                .bool,
                "whether that is on the disk (`serve --state`), so that it outlives the daemon"
            )
        ) {
            .bool($0[keyPath: path] == .kept)
        } read: { (fields, message) throws(MessageError) in
            let isKept = fields.optional("kept") == nil ? false : try fields.bool("kept")
            message[keyPath: path] = isKept ? .kept : .forgotten
        }
    }

    /// Why a stop, or its end, is not kept; read after ``kept(_:)``.
    fileprivate static func problem(
        _ path: WritableKeyPath<Message, Reply.Keeping> & Sendable
    ) -> MessageField {
        MessageField(
            FieldDescription("problem", .string, isOptional: true, "why it is not, although it should be")
        ) {
            $0[keyPath: path].problem
        } read: { (fields, message) throws(MessageError) in
            guard fields.optional("problem") != nil else { return }
            message[keyPath: path] = .failed(try fields.string("problem"))
        }
    }
}

extension Reply.Keeping {
    /// Why it failed, if it did.
    fileprivate var problem: FieldValue? {
        if case .failed(let problem) = self { .string(problem) } else { nil }
    }
}

extension ErrorMessage {
    /// The fields of an `error` reply.
    package static let table = MessageTable(
        ErrorMessage(code: "", message: ""),
        [
            .required("code", \.code, .string, "the reason, see below"),
            .required("message", \.message, .string, "what was found and what was expected, for people"),
            .optional(
                "field",
                \.field,
                .string,
                "the field that was wrong, as a path: `observation.observation.state.dtype`"
            ),
        ]
    )
}

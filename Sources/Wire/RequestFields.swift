import Robotics

/// What `ping` carries.
package struct PingFields: Sendable {
    var timeNs: UInt64?

    /// The fields of `ping`.
    package static let table = MessageTable(
        PingFields(),
        [.optional("time_ns", \.timeNs, .unsigned, "any time stamp; it comes back with the answer")]
    )
}

/// What `reset` carries.
package struct ResetFields: Sendable {
    var robot: RobotID
    var episode: EpisodeID?
    var policy: String?
    var session: UInt64?

    /// The fields of `reset`.
    package static let table = MessageTable(
        ResetFields(robot: .unread),
        [
            .required("robot", \.robot, .robot, "whose history is to be forgotten"),
            .optional(
                "episode",
                \.episode,
                .episode,
                "forget it only if this is the robot's current episode"
            ),
            .optional(
                "policy",
                \.policy,
                .string,
                """
                the name of the policy that is to drive the robot until its next `reset`; of several policies none does without it
                """
            ),
            .optional(
                "session",
                \.session,
                .unsigned,
                "that of the robot's observations; without it the reset holds whoever speaks for the robot"
            ),
        ]
    )
}

/// What `stop` carries.
package struct StopFields: Sendable {
    var robot: RobotID?

    /// The fields of `stop`.
    package static let table = MessageTable(
        StopFields(),
        [.optional("robot", \.robot, .robot, "whom to stop; left out: every robot")]
    )
}

/// What `resume` carries.
package struct ResumeFields: Sendable {
    /// Nil: every robot.
    var robot: RobotID?
    var seen: UInt64?

    /// The fields of `resume`. A message that lost its robot on the way must not set every robot in motion.
    package static let table = MessageTable(
        ResumeFields(),
        [
            .optional("robot", \.robot, .robot, "whom to release"),
            MessageField(
                FieldDescription(
                    "all",
                    .bool,
                    isOptional: true,
                    "true, in place of `robot`: release every robot"
                )
            ) {
                $0.robot == nil ? .bool(true) : nil
            } read: { (fields, resume) throws(MessageError) in
                guard resume.robot == nil else { return }
                guard fields.optional("all") != nil else {
                    resume.robot = try fields.robot()
                    return
                }
                guard try fields.bool("all") else {
                    throw MessageError(
                        .outOfRange,
                        field: fields.path(of: "all"),
                        "found false, expected true, or a robot"
                    )
                }
            },
            .optional(
                "stop",
                \.seen,
                .unsigned,
                "the number of the newest stop that the sender has seen"
            ),
        ]
    )
}

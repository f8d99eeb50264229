import Robotics

/// The kinds of messages in a recording. The raw value is the end of its topics.
package enum RecordedKind: String, CaseIterable, Sendable {
    /// The first message: ``RecordingSession``.
    case session
    /// Messages are missing here.
    case gap
    case observation
    case chunk
    /// The time that a chunk took, by stage.
    case latency
    case reset
    /// A chunk that nobody got.
    case unsent
    case command
    case status
    /// What happened, in words: ``RecordedRemark``.
    case log

    private static let prefix = "denoised."

    /// The kind whose schema has a name; nil for schemas of somebody else.
    package init?(schemaName: String) {
        guard let kind = Self.allCases.first(where: { $0.schemaName == schemaName }) else { return nil }
        self = kind
    }

    /// The name of its schema. Viewers know those of Foxglove's own schemas.
    package var schemaName: String { self == .log ? RecordedRemark.schemaName : Self.prefix + rawValue }

    /// The topic of messages of this kind; `robot` is nil for what concerns no robot.
    package func topic(of robot: RobotID?) -> String { robot.map { "/\($0)/\(rawValue)" } ?? "/\(rawValue)" }

    /// The JSON Schema of its messages.
    ///
    /// - Parameter policy: whose observations are recorded; nil if that is not known.
    package func schema(for policy: PolicyDescription?) -> String {
        func text(_ title: String, _ properties: [RecordedSchema.Property]) -> String {
            RecordedSchema.object(properties).text(title: title)
        }
        switch self {
        case .session: return text("How the daemon was set up", Members.session)
        case .gap:
            return text("Messages that were not recorded", [.init("lost", .unsigned)])
        case .observation: return text("An observation that was accepted", Members.observation(of: policy))
        case .chunk: return text("An action chunk that was sent", Members.chunk)
        case .latency:
            let stages = ["decode", "queue", "condition", "sample", "encode", "total"]
            return text(
                "What a chunk took, in milliseconds",
                [.init("sequence", .unsigned)] + stages.map { .init("\($0)_ms", .number) }
            )
        case .reset: return text("The robot was forgotten", [.init("robot", .string)])
        case .unsent:
            return text("A chunk was planned and not sent", [.init("robot", .string)] + Members.episode)
        case .command: return text("What the robot was told to do at one tick", Members.command)
        case .status: return text("The daemon's heartbeat", Members.status)
        case .log: return RecordedRemark.schema
        }
    }
}

/// The members of each kind of messages.
private enum Members {
    typealias Properties = [RecordedSchema.Property]

    static let episode: Properties = [
        .init("episode", .string), .init("episode_type", .choice(["integer", "string"])),
    ]

    /// What says which observation a message is about.
    static let names: Properties =
        [.init("robot", .string)] + episode + [.init("sequence", .unsigned), .init("time_ns", .unsigned)]

    static let session: Properties = [
        .init("format", .unsigned),
        .init("daemon_version", .string),
        .init(
            "policy",
            .object([
                .init("name", .string),
                .init("features", .list(of: .object([.init("name", .string), .init("count", .unsigned)]))),
                .init("horizon", .unsigned), .init("n_obs_steps", .unsigned),
                .init("n_action_steps", .unsigned), .init("action_dim", .unsigned),
            ])
        ),
        .init("fingerprint", .string),
        .init(
            "sampler",
            .object([
                .init("solver", .string), .init("steps", .unsigned), .init("method", .string),
                .init("window", .unsigned), .init("tolerance", .number), .init("kernel", .string),
                .init("budget_ms", .number),
            ])
        ),
        .init("seed", .unsigned),
        .init("threads", .unsigned),
        .init("warm_start", .boolean),
    ]

    static func observation(of policy: PolicyDescription?) -> Properties {
        let features = RecordedSchema.features(of: policy)
        return names + [
            .init("observation", features),
            .init("replan", .boolean, isOptional: true),
            .init("noise_seed", .unsigned, isOptional: true),
            .init("repeat", .boolean),
            .init("received_ns", .unsigned),
            .init("session", .unsigned, isOptional: true),
            .init("preceding", .list(of: features), isOptional: true),
            .init("committed", .numbers, isOptional: true),
            .init("action_dim", .unsigned, isOptional: true),
        ]
    }

    static let chunk: Properties =
        names + [
            .init("first_step", .unsigned), .init("action_dim", .unsigned),
            .init("action", .numbers), .init("beyond", .numbers),
            .init("frozen", .numbers, isOptional: true),
            .init("noise_seed", .unsigned), .init("solver", .string), .init("steps", .unsigned),
            .init("method", .string), .init("window", .unsigned), .init("tolerance", .number),
            .init("iterations", .unsigned), .init("evaluations", .unsigned),
            .init("residual", .number, isOptional: true),
            .init("quality", .string), .init("coarse_steps", .unsigned), .init("prediction", .boolean),
            .init("grouped", .boolean), .init("received_ns", .unsigned), .init("published_ns", .unsigned),
            .init("sampled_action", .numbers, isOptional: true),
            .init("sampled_beyond", .numbers, isOptional: true),
        ]

    static let command: Properties =
        names + [
            .init("tick", .unsigned), .init("step", .number), .init("action", .numbers),
            .init("state", .string), .init("limited", .boolean), .init("published_ns", .unsigned),
        ]

    static let status: Properties = [
        .init("monotonic_ns", .unsigned),
        .init("wall_ns", .unsigned),
        .init(
            "robots",
            .list(
                of: .object(
                    [.init("robot", .string), .init("state", .string), .init("reason", .string)] + episode
                        + [
                            "for_ns", "sequence", "silent_ns", "chunks", "commands", "limit_violations",
                        ].map { .init($0, .unsigned) }
                )
            )
        ),
        .init("stop", .unsigned),
        .init("warnings", .list(of: .string)),
        .init("statistics", .statistics),
    ]
}

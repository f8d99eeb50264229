import Wire

/// The kinds of messages in a recording. The raw value is the name of the kind's schema and the end of its topics.
enum RecordedKind: String, CaseIterable, Sendable {
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

    /// Where messages of this kind lie; `robot` is nil for what concerns no robot.
    func topic(of robot: RobotID?) -> String { robot.map { "/\($0)/\(rawValue)" } ?? "/\(rawValue)" }

    /// The JSON Schema of its messages.
    var schema: String {
        let (title, properties, optional) = description
        let names = properties.map { "\"\($0.name)\"" }.filter { !optional.contains($0) }
        let members = properties.map { "\"\($0.name)\":\($0.type)" }
        return """
            {"$schema":"https://json-schema.org/draft/2020-12/schema","title":"\(title)","type":"object",\
            "properties":{\(members.joined(separator: ","))},"required":[\(names.joined(separator: ","))]}
            """
    }

    private typealias Property = (name: String, type: String)

    /// The title, each property with its schema, and the names of those that may be missing, in quotation marks.
    private var description: (String, [Property], Set<String>) {
        switch self {
        case .session:
            (
                "How the daemon was set up",
                [
                    ("format", JSONType.unsigned), ("daemon_version", JSONType.string),
                    ("policy", JSONType.object), ("fingerprint", JSONType.string),
                    ("sampler", JSONType.object), ("seed", JSONType.unsigned), ("threads", JSONType.unsigned),
                    ("warm_start", JSONType.boolean),
                ], []
            )
        case .gap:
            ("Messages that were not recorded", [("lost", JSONType.unsigned)], [])
        case .observation:
            (
                "An observation that was accepted",
                JSONType.names + [
                    ("observation", JSONType.features), ("replan", JSONType.boolean),
                    ("noise_seed", JSONType.unsigned), ("repeat", JSONType.boolean),
                    ("received_ns", JSONType.unsigned), ("session", JSONType.unsigned),
                    ("preceding", #"{"type":"array","items":\#(JSONType.features)}"#),
                    ("committed", JSONType.rows),
                ],
                ["\"replan\"", "\"noise_seed\"", "\"session\"", "\"preceding\"", "\"committed\""]
            )
        case .chunk:
            (
                "An action chunk that was sent",
                JSONType.names + [
                    ("first_step", JSONType.unsigned), ("action", JSONType.rows), ("beyond", JSONType.rows),
                    ("noise_seed", JSONType.unsigned), ("solver", JSONType.string),
                    ("steps", JSONType.unsigned), ("method", JSONType.string), ("window", JSONType.unsigned),
                    ("tolerance", JSONType.number), ("iterations", JSONType.unsigned),
                    ("evaluations", JSONType.unsigned), ("residual", JSONType.number),
                    ("quality", JSONType.string), ("coarse_steps", JSONType.unsigned),
                    ("prediction", JSONType.boolean), ("grouped", JSONType.boolean),
                    ("received_ns", JSONType.unsigned),
                    ("published_ns", JSONType.unsigned), ("sampled_action", JSONType.rows),
                    ("sampled_beyond", JSONType.rows), ("frozen", JSONType.rows),
                ], ["\"sampled_action\"", "\"sampled_beyond\"", "\"frozen\""]
            )
        case .latency:
            (
                "What a chunk took, in milliseconds",
                [("sequence", JSONType.unsigned)]
                    + ["decode", "queue", "condition", "sample", "encode", "total"].map {
                        ("\($0)_ms", JSONType.number)
                    }, []
            )
        case .reset:
            ("The robot was forgotten", [("robot", JSONType.string)], [])
        case .unsent:
            (
                "A chunk was planned and not sent",
                [("robot", JSONType.string), ("episode", JSONType.episode)], []
            )
        case .command:
            (
                "What the robot was told to do at one tick",
                JSONType.names + [
                    ("tick", JSONType.unsigned), ("step", JSONType.number), ("action", JSONType.numbers),
                    ("state", JSONType.string), ("limited", JSONType.boolean),
                    ("published_ns", JSONType.unsigned),
                ], []
            )
        case .status:
            (
                "The daemon's heartbeat",
                [
                    ("monotonic_ns", JSONType.unsigned), ("robots", JSONType.object),
                    ("statistics", JSONType.object),
                ], []
            )
        }
    }
}

/// JSON Schemas of values.
private enum JSONType {
    static let string = #"{"type":"string"}"#
    static let boolean = #"{"type":"boolean"}"#
    static let unsigned = #"{"type":"integer","minimum":0}"#
    static let number = #"{"type":"number"}"#
    static let object = #"{"type":"object"}"#
    static let numbers = #"{"type":"array","items":{"type":"number"}}"#
    static let episode = #"{"type":["integer","string"]}"#
    static let rows = #"{"type":"array","items":\#(numbers)}"#
    static let features = #"{"type":"object","additionalProperties":\#(numbers)}"#
    /// What says which observation a message is about.
    static let names: [(name: String, type: String)] = [
        ("robot", string), ("episode", episode), ("sequence", unsigned),
        ("time_ns", unsigned),
    ]
}

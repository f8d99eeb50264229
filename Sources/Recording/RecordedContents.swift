import Robotics
import Wire

/// An observation, and what the daemon knows of it.
struct RecordedObservation: Sendable {
    var observation: RobotObservation
    /// Those before it, if it brought them along.
    var preceding: [Observation] = []
    /// The numbers of its frames, by camera; the frames are messages of their own.
    var frameNumbers: [String: UInt64] = [:]
    /// The numbers of the frames of each in `preceding`; empty if they have none.
    var precedingFrameNumbers: [[String: UInt64]] = []
    var isRepeat = false
    var receivedNs: UInt64 = 0

    /// The message's fields, without what only says how answers are to be packed, and the daemon's.
    static let table = MessageTable(
        RecordedObservation(observation: RobotObservation.table.blank),
        RobotObservation.table.fields(of: \.observation, except: ["array_keys"]) + [
            .required("repeat", \.isRepeat, .bool, "whether the history had it already"),
            .required(
                "received_ns",
                \.receivedNs,
                .unsigned,
                "the daemon's monotonic clock when it had read it"
            ),
            .unlessEmpty(
                "preceding",
                \.preceding,
                .observations,
                "the observations before it that it brought along, as `observation`"
            ),
            .unlessEmpty(
                "frames",
                \.frameNumbers,
                .frameNumbers,
                "for each camera the `number` of the frame that the observation has"
            ),
            .unlessEmpty(
                "preceding_frames",
                \.precedingFrameNumbers,
                .frameNumbersList,
                "the frames of each observation in `preceding`, as `frames`"
            ),
        ]
    )

    /// What a replay reads. Which actions were given, the chunk says.
    static let replayed = table.selecting { $0.name != "committed" }
}

extension RecordedObservation {
    /// An observation that was tapped, with the numbers of its frames in their place.
    init(
        tapped observation: RobotObservation,
        preceding: [Observation],
        isRepeat: Bool,
        receivedNs: UInt64
    ) {
        var numbersAlone = observation
        numbersAlone.frames = [:]
        self.init(
            observation: numbersAlone,
            preceding: preceding.map { Observation(values: $0.values) },
            frameNumbers: observation.frames.mapValues(\.number),
            precedingFrameNumbers: preceding.contains { !$0.frames.isEmpty }
                ? preceding.map { $0.frames.mapValues(\.number) } : [],
            isRepeat: isRepeat,
            receivedNs: receivedNs
        )
    }
}

extension FieldCoding<[String: UInt64]> {
    /// The numbers of frames, by camera.
    fileprivate static let frameNumbers = Self(kind: .frameNumbers) {
        .map(sorted: $0) { .unsigned($0) }
    } read: { (fields, name) throws(MessageError) in
        try fields.fields(name).frameNumbers()
    }
}

extension FieldCoding<[[String: UInt64]]> {
    /// The numbers of frames, by camera, of one observation after the other.
    fileprivate static let frameNumbersList = Self(kind: .frameNumbersList) { list in
        .list(
            list.map { numbers in
                numbers.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .unsigned($0.value)) }
            }
        )
    } read: { (fields, name) throws(MessageError) in
        var list: [[String: UInt64]] = []
        for numbers in try fields.maps(name) { list.append(try numbers.frameNumbers()) }
        return list
    }
}

extension FieldReader {
    fileprivate func frameNumbers() throws(MessageError) -> [String: UInt64] {
        var numbers: [String: UInt64] = [:]
        for camera in names { numbers[camera] = try unsigned(camera) }
        return numbers
    }
}

/// A chunk, and what the daemon knows of it.
struct RecordedChunkMessage: Sendable {
    var chunk: RobotChunk
    var isPrediction = false
    var isGrouped = false
    /// The actions before the robot's limits changed them; nil if they did not.
    var sampledActions: ActionRows?
    /// Likewise of those beyond.
    var sampledBeyond: ActionRows?

    /// The message's fields, without the stages, which are recorded as latencies, and the wall clock, which is the recorded
    /// message's own time.
    static let table = MessageTable(
        RecordedChunkMessage(chunk: RobotChunk.table.blank),
        RobotChunk.table.fields(of: \.chunk, except: ["stages_ns", "wall_ns"])
            .replacing("beyond") { $0.always(.array([], shape: [0, 1])) }
            .replacing("residual") { $0.onlyIfFinite() } + [
                .required("prediction", \.isPrediction, .bool, "whether the chunk answers `predict`"),
                .required(
                    "grouped",
                    \.isGrouped,
                    .bool,
                    "whether it was sampled together with other robots' chunks"
                ),
                .optional(
                    "sampled_action",
                    \.sampledActions,
                    .actionRows,
                    "`action` as the policy sampled it, if the robot's limits changed the chunk"
                ),
                .optional("sampled_beyond", \.sampledBeyond, .actionRows, "`beyond`, likewise"),
            ]
    )

    /// What a replay reads.
    static let replayed: MessageTable<RecordedChunkMessage> = {
        let names: Set = [
            "robot", "episode", "sequence", "action", "beyond", "frozen", "noise_seed", "quality", "grouped",
            "sampled_action", "sampled_beyond", "policy", "method", "window", "tolerance",
        ]
        let replayed = table.selecting { names.contains($0.name) }
        precondition(replayed.fields.count == names.count, "a name that no field has")
        return replayed
    }()
}

/// What a chunk took.
struct RecordedLatency: Sendable {
    var sequence: UInt64
    var stages: RobotChunk.Stages

    /// The stages of the message, in milliseconds.
    static let table = MessageTable(
        RecordedLatency(sequence: 0, stages: .init()),
        [.required("sequence", \.sequence, .unsigned, "that of the observation that the chunk answers")]
            + RobotChunk.Stages.table.fields(of: \.stages).map { $0.inMilliseconds() }
    )
}

/// Messages that were not recorded.
struct RecordedGap: Sendable {
    var lost: UInt64

    static let table = MessageTable(
        RecordedGap(lost: 0),
        [.required("lost", \.lost, .unsigned, "how many messages are missing here")]
    )
}

/// A robot that was forgotten, or that got no chunk.
struct RecordedRobot: Sendable {
    var robot: RobotID
    var episode: EpisodeID
    var policy: String?

    private static let unread = RecordedRobot(robot: .unread, episode: .number(0))

    /// Of a chunk that was not sent.
    static let unsent = MessageTable(
        unread,
        [
            .required("robot", \.robot, .robot, "whose it is"),
            .required("episode", \.episode, .episode, "that of the observation that was planned for"),
        ]
    )

    /// Of a robot that was forgotten.
    static let reset = MessageTable(
        unread,
        [
            .required("robot", \.robot, .robot, "whose it is"),
            .optional(
                "policy",
                \.policy,
                .string,
                "the name of the policy that drives it from then on; missing if it named none"
            ),
        ]
    )
}

extension RobotCommand {
    /// The message's fields without the wall clock, which is the recorded message's own time.
    static let recorded = table.selecting { $0.name != "wall_ns" }
}

extension StatusMessage {
    /// The message's fields. The robots are a list, because viewers read no members that the schema does not name.
    static let recorded = MessageTable(
        table.blank,
        table.fields
            .replacing("robots") { $0.listed(naming: .init("robot", .robot, "whose state this is")) }
            .replacing("warnings") { $0.always(.strings([])) }
    )
}

extension RecordingSession {
    private static let unread = RecordingSession(
        daemonVersion: "",
        policy: PolicyDescription.table.blank,
        sampler: SamplerDescription.table.blank,
        setup: Setup(fingerprint: "", seed: 0, threads: 0, startsWarm: false)
    )

    /// The fields of a recording's first message.
    static let table = MessageTable(
        unread,
        [
            .format,
            .required("daemon_version", \.daemonVersion, .string, "the version of `denoised` that recorded"),
            .required(
                "policy",
                \.policy,
                .map(PolicyDescription.table),
                "what ran; of several policies the first"
            ),
            .required(
                "fingerprint",
                \.setup.fingerprint,
                .string,
                "64 bits in hexadecimal over the names and contents of the policy's files"
            ),
            .required("sampler", \.sampler, .map(SamplerDescription.table), "how it was sampled"),
            .unlessEmpty(
                "further_policies",
                \.furtherPolicies,
                .list(RecordedPolicy.table),
                "what else ran, in the order in which it was given; missing if nothing did"
            ),
            .required("seed", \.setup.seed, .unsigned, "what noise seeds are derived from"),
            .required("threads", \.setup.threads, .count, "threads for the network"),
            .required(
                "warm_start",
                \.setup.startsWarm,
                .bool,
                "whether a robot's chunk starts from its last one"
            ),
            .optional(
                "warm_steps",
                \.setup.warmSteps,
                .count,
                "the steps of the first policy's chunk that starts from the robot's last one, re-noised; none: chunks take all steps"
            ),
        ]
    )
}

extension RecordedPolicy {
    /// What a recording says of a policy.
    static let table = MessageTable(
        RecordedPolicy(
            policy: PolicyDescription.table.blank,
            sampler: SamplerDescription.table.blank,
            fingerprint: ""
        ),
        [
            .required("policy", \.policy, .map(PolicyDescription.table), "what ran"),
            .required("fingerprint", \.fingerprint, .string, "that of its files"),
            .required("sampler", \.sampler, .map(SamplerDescription.table), "how it was sampled"),
            .optional(
                "warm_steps",
                \.warmSteps,
                .count,
                "the steps of its chunk that starts from the robot's last one, re-noised; none: chunks take all steps"
            ),
        ]
    )
}

extension MessageField<RecordingSession> {
    /// The recording's format, which must be one that is read.
    fileprivate static let format = MessageField(
        FieldDescription("format", .unsigned, "the version of the topics and of what their messages mean")
    ) { _ in
        .unsigned(RecordingSession.formatVersion)
    } read: { (fields, _) throws(MessageError) in
        let format = try fields.unsigned("format")
        let readable = RecordingSession.readableVersions
        guard readable.contains(format) else {
            throw MessageError(
                .unsupportedVersion,
                field: "format",
                "found \(format), expected \(readable.lowerBound) to \(readable.upperBound)"
            )
        }
    }
}

// MARK: How a recording differs from a message

extension MessageField {
    /// The field in messages that lack it as well, with this value.
    fileprivate func always(_ absent: FieldValue) -> MessageField {
        let description = FieldDescription(description.name, description.kind, description.meaning)
        return MessageField(description, value: { value($0) ?? absent }, read: read)
    }

    /// The number, left out if it is not finite.
    fileprivate func onlyIfFinite() -> MessageField {
        let description = FieldDescription(
            description.name,
            description.kind,
            isOptional: true,
            "\(description.meaning); missing if it is not finite"
        )
        return MessageField(description) { message in
            if case .float(let number)? = value(message), number.isFinite { .float(number) } else { nil }
        } read: { (fields, message) throws(MessageError) in
            if fields.optional(description.name) != nil { try read(fields, &message) }
        }
    }

    /// A time in nanoseconds as one in milliseconds, for plots. A replay does not read it.
    fileprivate func inMilliseconds() -> MessageField {
        let description = FieldDescription(
            "\(description.name)_ms",
            .float,
            isOptional: description.isOptional,
            description.meaning
        )
        return MessageField(description) { message in
            guard case .unsigned(let ns)? = value(message) else { return nil }
            return .float(Double(ns) / 1e6)
        } read: { _, _ in
        }
    }

    /// Maps by name as a list of maps, each with its name in a field. A replay does not read it.
    fileprivate func listed(naming field: FieldDescription) -> MessageField {
        guard case .maps(let fields) = description.kind else {
            preconditionFailure("no field of maps by name")
        }
        return MessageField(
            FieldDescription(description.name, .list([field] + fields), description.meaning)
        ) { message in
            guard case .map(let maps)? = value(message) else { return nil }
            return .list(
                maps.map { map in
                    guard case .map(let entries) = map.value else { return [] }
                    return [.init(name: field.name, value: .string(map.name))] + entries
                }
            )
        } read: { _, _ in
        }
    }
}

extension Array {
    /// The fields with another in the place of the one of that name.
    fileprivate func replacing<Message>(
        _ name: String,
        _ replacement: (MessageField<Message>) -> MessageField<Message>
    ) -> [MessageField<Message>] where Element == MessageField<Message> {
        precondition(contains { $0.description.name == name }, "no field \(name)")
        return map { $0.description.name == name ? replacement($0) : $0 }
    }
}

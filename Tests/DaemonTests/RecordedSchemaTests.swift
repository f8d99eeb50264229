import Foundation
import Robotics
import Testing
import Wire

@testable import Daemon
@testable import MCAP
@testable import Planning
@testable import Recording

/// JSON as Foundation's decoder reads it, which is not what the recorder writes with.
indirect enum PlainJSON: Decodable, Equatable {
    case null
    case boolean(Bool)
    /// A whole number.
    case whole(UInt64)
    case number(Double)
    case string(String)
    case array([PlainJSON])
    case object([String: PlainJSON])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        self =
            if value.decodeNil() {
                .null
            } else if let flag = try? value.decode(Bool.self) {
                .boolean(flag)
            } else if let number = try? value.decode(UInt64.self) {
                .whole(number)
            } else if let number = try? value.decode(Double.self) {
                .number(number)
            } else if let text = try? value.decode(String.self) {
                .string(text)
            } else if let values = try? value.decode([PlainJSON].self) {
                .array(values)
            } else {
                .object(try value.decode([String: PlainJSON].self))
            }
    }

    init(_ text: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(text.utf8)) }

    /// A member of an object.
    subscript(name: String) -> PlainJSON? {
        if case .object(let members) = self { members[name] } else { nil }
    }
    var members: [String: PlainJSON]? { if case .object(let members) = self { members } else { nil } }
    var elements: [PlainJSON]? { if case .array(let elements) = self { elements } else { nil } }
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var double: Double? {
        switch self {
        case .whole(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
}

/// What Foxglove and Lichtblick read of JSON Schema. The rules are those of Lichtblick's reader, packages/mcap-support/src/
/// parseJsonSchema.ts in https://github.com/lichtblick-suite/lichtblick: it throws for a value without one type, for a list of
/// lists and for `oneOf` of something else than numbers, and the viewer then drops the channel. Older versions also throw for an
/// object without properties, which the newest shows without members. The words in `severalTypes` it does not know.
enum ViewerRules {
    /// Words that give a value several types, or a type that stands elsewhere.
    private static let severalTypes = ["anyOf", "allOf", "not", "if", "$ref", "$dynamicRef"]

    /// What a viewer could not read of the schema of a channel's messages.
    static func problems(of schema: PlainJSON) -> [String] {
        guard schema["type"]?.text == "object" else { return ["the top is not an object"] }
        return problems(of: schema, at: "")
    }

    private static func problems(of schema: PlainJSON, at path: String) -> [String] {
        let words = severalTypes.filter { schema[$0] != nil }.map { "\(path): \($0)" }
        // Several values of a number are the one exception: constants with names.
        if let alternatives = schema["oneOf"]?.elements,
            !alternatives.allSatisfy({ $0["const"]?.double != nil && $0["title"]?.text != nil })
        {
            return words + ["\(path): oneOf of something else than named numbers"]
        }
        guard let type = schema["type"]?.text else { return words + ["\(path): not one type"] }
        switch type {
        case "boolean", "number", "integer": return words
        case "string":
            // Bytes, which the viewer decodes.
            let encoding = schema["contentEncoding"]
            return words
                + (encoding == nil || encoding == .string("base64") ? [] : ["\(path): contentEncoding"])
        case "object":
            guard let properties = schema["properties"]?.members else {
                return words + ["\(path): an object without properties"]
            }
            let others = schema["additionalProperties"].map { others in
                others.members == nil ? [] : problems(of: others, at: "\(path).*")
            }
            return words + (others ?? [])
                + properties.flatMap { problems(of: $0.value, at: "\(path).\($0.key)") }
        case "array":
            guard let items = schema["items"], items.members != nil else {
                return words + ["\(path): an array without items"]
            }
            if items["type"]?.text == "array" { return words + ["\(path): an array of arrays"] }
            return words + problems(of: items, at: "\(path)[]")
        default: return words + ["\(path): the type \(type)"]
        }
    }
}

/// A validator for the words of JSON Schema that recordings use.
enum SchemaCheck {
    /// What of a value does not fit its schema.
    static func problems(of value: PlainJSON, as schema: PlainJSON, at path: String = "") -> [String] {
        var problems: [String] = []
        let fits =
            switch (schema["type"]?.text, value) {
            case ("string", .string), ("boolean", .boolean), ("integer", .whole), ("number", .whole),
                ("number", .number), ("array", .array), ("object", .object):
                true
            default: false
            }
        guard fits else { return ["\(path): \(value) is no \(schema["type"]?.text ?? "?")"] }
        if let choices = schema["enum"]?.elements, !choices.contains(value) {
            problems.append("\(path): \(value) is none of \(choices)")
        }
        if let constants = schema["oneOf"]?.elements, !constants.contains(where: { $0["const"] == value }) {
            problems.append("\(path): \(value) is none of \(constants)")
        }
        if let maximum = schema["maximum"]?.double, let number = value.double, number > maximum {
            problems.append("\(path): \(number) is over \(maximum)")
        }
        if let items = schema["items"] {
            for (index, element) in (value.elements ?? []).enumerated() {
                problems += Self.problems(of: element, as: items, at: "\(path)[\(index)]")
            }
        }
        for name in schema["required"]?.elements ?? [] where value[name.text ?? ""] == nil {
            problems.append("\(path): \(name) is missing")
        }
        for (name, member) in value.members ?? [:] {
            if let known = schema["properties"]?[name] ?? schema["additionalProperties"],
                known.members != nil
            {
                problems += Self.problems(of: member, as: known, at: "\(path).\(name)")
            } else if schema["additionalProperties"] == .boolean(false) {
                problems.append("\(path).\(name): not in the schema")
            }
        }
        return problems
    }
}

/// The schemas of a recording are of the plain form that viewers read, and its messages are what the schemas say.
@Suite(.timeLimit(.minutes(10))) struct RecordedSchemaTests {
    @Test(arguments: RecordedKind.allCases)
    func viewersReadEverySchema(kind: RecordedKind) throws {
        for policy in [ToyPlanner().policy, nil] {
            let schema = try PlainJSON(kind.schema(for: policy))
            #expect(ViewerRules.problems(of: schema) == [])
            // Names that the schema lacks are refused, but in the schema that is Foxglove's.
            #expect(kind == .log || schema["additionalProperties"] == .boolean(false))
        }
    }

    @Test(arguments: [
        (
            #"{"type":"object","properties":{"a":{"type":"string","contentEncoding":"base32"}}}"#,
            ".a: contentEncoding"
        ),
        (#"{"type":"string"}"#, "the top is not an object"),
        (#"{"type":"object"}"#, ": an object without properties"),
        (#"{"type":"object","properties":{"a":{"type":["integer","string"]}}}"#, ".a: not one type"),
        (#"{"type":"object","properties":{"a":{}}}"#, ".a: not one type"),
        (#"{"type":"object","properties":{"a":{"type":"null"}}}"#, ".a: the type null"),
        (#"{"type":"object","properties":{"a":{"type":"object"}}}"#, ".a: an object without properties"),
        (#"{"type":"object","properties":{"a":{"type":"array"}}}"#, ".a: an array without items"),
        (
            #"{"type":"object","properties":{"a":{"type":"array","items":{"type":"array","items":{"type":"number"}}}}}"#,
            ".a: an array of arrays"
        ),
        (
            #"{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}}}"#,
            ".a[]: an object without properties"
        ),
        (
            #"{"type":"object","properties":{"a":{"type":"object","properties":{},"additionalProperties":{"type":"null"}}}}"#,
            ".a.*: the type null"
        ),
        (
            #"{"type":"object","properties":{"a":{"type":"string","oneOf":[{"const":"b"}]}}}"#,
            ".a: oneOf of something else than named numbers"
        ),
        (
            ##"{"type":"object","properties":{"a":{"type":"object","properties":{},"$ref":"#/b"}}}"##,
            ".a: $ref"
        ),
    ])
    func theRulesFindWhatViewersCannotRead(schema: String, problem: String) throws {
        #expect(ViewerRules.problems(of: try PlainJSON(schema)) == [problem])
    }

    @Test(arguments: [
        #"{"robot":"arm1","episode":"5"}"#,
        #"{"robot":"arm1","episode":"5","episode_type":"integer","extra":1}"#,
        #"{"robot":"arm1","episode":5,"episode_type":"integer"}"#,
        #"{"robot":"arm1","episode":"5","episode_type":"number"}"#,
        #"{"robot":null,"episode":"5","episode_type":"integer"}"#,
    ])
    func theCheckFindsWhatIsNotAsTheSchemaSays(message: String) throws {
        let schema = try PlainJSON(RecordedKind.unsent.schema(for: nil))
        #expect(SchemaCheck.problems(of: try PlainJSON(message), as: schema).count == 1)
        let right = try PlainJSON(#"{"robot":"arm1","episode":"5","episode_type":"string"}"#)
        #expect(SchemaCheck.problems(of: right, as: schema) == [])
    }

    /// Checks every message of a file against its schema, and returns the kinds seen.
    private func checkMessages(of path: String) throws -> Set<RecordedKind> {
        let reader = try MCAPReader(path)
        var schemas: [RecordedKind: PlainJSON] = [:]
        for kind in RecordedKind.allCases {
            schemas[kind] = try PlainJSON(kind.schema(for: ToyPlanner().policy))
        }
        var kinds: Set<RecordedKind> = []
        while let message = try reader.next() {
            let kind = try #require(RecordedKind(schemaName: message.schema), "\(message.schema)")
            kinds.insert(kind)
            let json = try JSONDecoder().decode(PlainJSON.self, from: Data(message.data))
            let problems = SchemaCheck.problems(of: json, as: try #require(schemas[kind]))
            #expect(problems == [], "\(message.topic)")
        }
        return kinds
    }

    @Test func theMessagesOfADaemonFitTheirSchemas() throws {
        let file = RecorderTests.RecordingPath()
        let recorder = try Recorder(path: file.path, setup: RecorderTests.setup, logger: LogLines().logger)
        let robotFile = try RobotDaemonTests.file()
        let toy = try ToyDaemon {
            $0.tap = recorder
            $0.seed = 7
            $0.robots = [robotFile]
        }
        let (client, other, arm1) = try (toy.client(), toy.client("arm2"), id("arm1"))
        let listener = try RobotDaemonTests.listener(toy, arm1.commandTopic, Array(Topic.status.utf8))
        var (sequence, commands): (UInt64, Int) = (0, 0)
        let isFound = try RobotDaemonTests.drive(client, listener, from: &sequence) { publication in
            if case .command = publication { commands += 1 }
            guard case .status(let status) = publication else { return false }
            return commands >= 5 && status.robots["arm1"]?.state == .running
        }
        try #require(isFound)
        for (number, episode) in [EpisodeID.number(5), .name("5"), .name("a.b")].enumerated() {
            let committed = number == 1 ? ActionRows([0.25, 0.5], actionDim: 2) : nil
            // Far beyond the limits.
            let asked = try observation(
                0,
                first: 5000,
                robot: "arm2",
                episode: episode,
                noiseSeed: .max,
                committed: committed
            )
            _ = try other.predict(asked)
        }
        _ = try other.reset(episode: nil)
        toy.daemon.stop()
        recorder.finish()

        let kinds = try checkMessages(of: file.path)
        #expect(kinds == [.session, .observation, .chunk, .latency, .command, .status, .reset, .log])
        let text = try String(decoding: Data(contentsOf: URL(filePath: file.path)), as: UTF8.self)
        #expect(text.contains("sampled_action"), "a chunk that the limits changed")
        #expect(text.contains("arm1 is running"), "the log tells of it")
    }

    /// The kinds, and the fields that may be missing, which the run above lacks.
    @Test func raritiesFitTheirSchemas() throws {
        let file = RecorderTests.RecordingPath()
        var log = RecordingLog(
            writer: try MCAPWriter(creating: file.path, library: "test"),
            setup: RecorderTests.setup,
            logger: LogLines().logger
        )
        func record(_ content: TappedMessage.Content) { log.record(TappedMessage(content)) }
        let toy = ToyPlanner()
        record(.started(policies: [ServedPolicy(policy: toy.policy, sampler: toy.sampler)]))
        log.tell(ofLost: 3)
        var rare = try observation(1, first: 1, committed: ActionRows([], actionDim: 2))
        rare.session = .max
        record(
            .observation(rare, preceding: [rare.observed, rare.observed], isRepeat: true, receivedNs: .max)
        )
        record(.unsent(rare.robot, .number(.max)))
        var chunk = RobotChunk(
            robot: rare.robot,
            episode: .name("05"),
            sequence: 1,
            timeNs: 1,
            firstStep: 1,
            actions: [1, 2],
            actionSteps: 1,
            actionDim: 2,
            noiseSeed: .max,
            sampling: .init(solver: "ddim", steps: 5, method: .paradigms, iterations: 1, evaluations: 1),
            timing: .init(receivedNs: 1)
        )
        chunk.sampling.residual = .infinity
        record(.chunk(chunk, sampled: chunk, isPrediction: false, isGrouped: true))
        var statistics = DaemonStatistics()
        statistics.requests = ["info": 1, "gr00t.get_action": 2]
        statistics.rejectedMessages = ["stale": 3]
        statistics.latencyNs = ["total": .init(count: 1, p50: 2, p90: 3, p99: 4, max: 5)]
        record(
            .status(
                StatusMessage(
                    monotonicNs: 1,
                    wallNs: 2,
                    robots: [:],
                    stop: 3,
                    cameraServers: [
                        CameraServerStatus(
                            camera: "observation.image",
                            endpoint: "tcp://127.0.0.1:5",
                            name: "image",
                            ageNs: 7
                        ),
                        CameraServerStatus(camera: "top", endpoint: "ipc://camera", name: "top"),
                    ],
                    statistics: statistics,
                    warnings: ["the disk has not answered for 1 s"]
                )
            )
        )
        log.finish()
        let kinds = try checkMessages(of: file.path)
        #expect(kinds == [.session, .gap, .log, .observation, .unsent, .chunk, .latency, .status])
    }

    /// The members of format 2, those that some messages lack in parentheses. Another list is another format.
    @Test(arguments: [
        (
            RecordedKind.session,
            "daemon_version fingerprint format (further_policies) policy sampler seed threads warm_start (warm_steps)"
        ),
        (.gap, "lost"),
        (
            .observation,
            """
            (action_dim) (committed) episode episode_type (frames) (noise_seed) observation (preceding) (preceding_frames) \
            received_ns repeat (replan) robot sequence (session) time_ns
            """
        ),
        (
            .chunk,
            """
            action action_dim beyond coarse_steps episode episode_type evaluations first_step (frozen) grouped iterations method \
            noise_seed (passes) (policy) prediction published_ns quality received_ns (residual) robot (sampled_action) (sampled_beyond) sequence \
            solver steps time_ns tolerance window
            """
        ),
        (.frame, "data format frame_id lossy number timestamp"),
        (.latency, "condition_ms decode_ms encode_ms queue_ms sample_ms sequence total_ms (vision_ms)"),
        (.reset, "(policy) robot"),
        (.unsent, "episode episode_type robot"),
        (
            .command,
            "action episode episode_type limited published_ns robot sequence state step tick time_ns"
        ),
        (
            .status,
            "calibration_percent (camera_servers) monotonic_ns robots statistics stop wall_ns warnings"
        ),
    ])
    func aSchemaHasTheMembersOfItsFormat(kind: RecordedKind, members: String) throws {
        let schema = try PlainJSON(kind.schema(for: nil))
        #expect(Self.members(of: schema) == members)
    }

    /// The members of an object with a schema, in order; in parentheses those that some objects lack.
    private static func members(of schema: PlainJSON) -> String {
        let required = Set((schema["required"]?.elements ?? []).compactMap(\.text))
        let names = (schema["properties"]?.members ?? [:]).keys.sorted()
        return names.map { required.contains($0) ? $0 : "(\($0))" }.joined(separator: " ")
    }

    @Test func partsOfMessagesHaveTheMembersOfTheFormat() throws {
        let status = try PlainJSON(RecordedKind.status.schema(for: nil))
        let robot = try #require(status["properties"]?["robots"]?["items"])
        #expect(
            Self.members(of: robot)
                == "chunks commands episode episode_type for_ns limit_violations (policy) reason robot sequence silent_ns state"
        )
        let session = try PlainJSON(RecordedKind.session.schema(for: nil))
        let policy = try #require(session["properties"]?["policy"])
        #expect(
            Self.members(of: policy)
                == "action_dim (cameras) features horizon n_action_steps n_obs_steps name"
        )
        let camera = try #require(policy["properties"]?["cameras"]?["items"])
        #expect(Self.members(of: camera) == "height name width")
        let feature = try #require(policy["properties"]?["features"]?["items"])
        #expect(Self.members(of: feature) == "count name")
        let sampler = try #require(session["properties"]?["sampler"])
        #expect(Self.members(of: sampler) == "budget_ms kernel method solver steps tolerance window")
        let further = try #require(session["properties"]?["further_policies"]?["items"])
        #expect(Self.members(of: further) == "fingerprint policy sampler (warm_steps)")
    }

    @Test(arguments: RecordedKind.allCases.filter { $0 != .log })
    func membersAreDescribedInPlainText(kind: RecordedKind) throws {
        let schema = try PlainJSON(kind.schema(for: nil))
        for (name, property) in schema["properties"]?.members ?? [:] {
            let description = try #require(property["description"]?.text, "\(name)")
            #expect(!description.isEmpty && !description.contains("]("), "\(name): \(description)")
        }
    }

    @Test func aPolicysFeaturesAreInTheSchemaOfItsObservations() throws {
        let policy = ToyPlanner().policy
        let schema = try PlainJSON(RecordedKind.observation.schema(for: policy))
        for features in [schema["properties"]?["observation"], schema["properties"]?["preceding"]?["items"]] {
            let names = try #require(features?["properties"]?.members?.keys)
            #expect(Set(names) == Set(policy.features.map(\.name)))
        }
    }

    @Test func statisticsHaveAPropertyForEachCounter() throws {
        let schema = try PlainJSON(RecordedKind.status.schema(for: nil))
        let statistics = try #require(schema["properties"]?["statistics"]?["properties"])
        #expect(statistics["chunks"]?["type"]?.text == "integer")
        let stages = try #require(statistics["latency_ns"]?["properties"]?.members)
        #expect(Set(stages.keys) == Set(DaemonStatistics.stages))
        #expect(stages["total"]?["properties"]?["p99"]?["type"]?.text == "integer")
    }
}

/// What a recording's log tells of heartbeats.
@Suite struct RecordedRemarkTests {
    private func status(_ states: [String: RobotState], warnings: [String] = []) -> StatusMessage {
        StatusMessage(
            monotonicNs: 1,
            wallNs: 1,
            robots: states.mapValues { state in
                RobotStatus(
                    state: state,
                    reason: "because",
                    forNs: 0,
                    episode: .number(1),
                    sequence: 0,
                    silentNs: 0,
                    chunks: 0,
                    commands: 0,
                    limitViolations: 0
                )
            },
            statistics: DaemonStatistics(),
            warnings: warnings
        )
    }

    @Test func changesAreToldOnce() {
        var changes = HeartbeatChanges()
        func lines(_ status: StatusMessage) -> [String] {
            changes.remarks(on: status).map { "\($0.level) \($0.name): \($0.message)" }
        }
        #expect(
            lines(status(["b": .running, "a": .stopped, "c": .idle])) == [
                "warning a: a is stopped: because", "info b: b is running: because",
            ]
        )
        #expect(lines(status(["b": .running, "a": .stopped, "c": .idle])) == [])
        #expect(lines(status(["b": .holding])) == ["warning b: b is holding: because"])
        #expect(lines(status(["b": .idle])) == ["info b: b is idle: because"])
    }

    @Test func aWarningWhoseNumbersChangeIsToldOnce() {
        var changes = HeartbeatChanges()
        func lines(_ warnings: String...) -> [String] {
            changes.remarks(on: status([:], warnings: warnings)).map { "\($0.level): \($0.message)" }
        }
        #expect(lines("no answer for 1 s") == ["warning: no answer for 1 s"])
        #expect(lines("no answer for 22 s", "full") == ["warning: full"])
        #expect(lines() == ["info: no longer: full", "info: no longer: no answer for 22 s"])
    }

    @Test func aLineHasTheFieldsOfFoxglove() throws {
        let line = RecordedRemark(level: .error, name: "arm1", message: "a \"b\"")
        let json = try JSONDecoder().decode(
            PlainJSON.self,
            from: Data(line.json(timeNs: 1_800_000_000_000_000_007))
        )
        #expect(
            json
                == .object([
                    "timestamp": .object(["sec": .whole(1_800_000_000), "nsec": .whole(7)]),
                    "level": .whole(4), "message": .string("a \"b\""), "name": .string("arm1"),
                    "file": .string(""), "line": .whole(0),
                ])
        )
    }
}

import Foundation
import Gr00t
import Robotics
import TestRandom
import Testing

@testable import Gr00t
@testable import Wire

/// The messages of Isaac-GR00T's policy server, against what NumPy and Python's msgpack pack (Tests/Oracles/gr00t.py).
@Suite struct Gr00tTests {
    struct Golden: Decodable {
        struct GoodArray: Decodable, CustomTestStringConvertible {
            var name: String
            var hex: String
            var shape: [Int]
            var elements: [Float]
            var testDescription: String { name }
        }

        struct BadArray: Decodable, CustomTestStringConvertible {
            var name: String
            var hex: String
            var testDescription: String { name }
        }

        var good: [GoodArray]
        var bad: [BadArray]
        var requests: [String: String]
        var replies: [String: String]
    }

    static let golden: Golden? = {
        guard let url = Bundle.module.url(forResource: "Resources/gr00t", withExtension: "json"),
            let data = try? Data(contentsOf: url)
        else { return nil }
        return try? JSONDecoder().decode(Golden.self, from: data)
    }()

    static func pack(_ value: MessagePackValue) -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.value(value)
        return encoder.bytes
    }

    static func bytes(_ hex: String?) throws -> [UInt8] {
        let digits = Array(try #require(hex))
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(digits[$0...($0 + 1)]), radix: 16))
        }
    }

    static func request(_ name: String, token: String? = nil) throws -> Gr00tRequest {
        try Gr00tRequest.decode(bytes(golden?.requests[name]), token: token)
    }

    @Test func goldenFileIsRead() {
        #expect(Self.golden != nil)
    }

    // MARK: Arrays

    @Test(arguments: golden?.good ?? [])
    func arrayIsRead(array: Golden.GoodArray) throws {
        let (elements, shape) = try NPYArray.decode(Self.bytes(array.hex), field: "x")
        #expect(elements == array.elements)
        #expect(shape == array.shape)
    }

    @Test(arguments: ["<f4", "no extent", "one extent", "nothing", "batch"])
    func arrayIsWrittenAsNumPyWritesIt(name: String) throws {
        let array = try #require(Self.golden?.good.first { $0.name == name })
        #expect(try NPYArray.encode(array.elements, shape: array.shape) == Self.bytes(array.hex))
    }

    @Test(arguments: golden?.bad ?? [])
    func arrayIsRefused(array: Golden.BadArray) throws {
        let error = #expect(throws: MessageError.self) {
            try NPYArray.decode(Self.bytes(array.hex), field: "x.as_npy")
        }
        #expect(error?.code == .badArray)
        #expect(error?.field?.hasPrefix("x.as_npy") == true)
    }

    @Test func numberThatIsNotFiniteIsRefused() {
        let error = #expect(throws: MessageError.self) {
            try NPYArray.decode(NPYArray.encode([1, .nan], shape: [2]), field: "x")
        }
        #expect(error?.code == .notFinite)
    }

    @Test func everyPrefixOfAnArrayIsRefused() throws {
        let whole = NPYArray.encode([1, 2], shape: [1, 1, 2])
        for length in 0..<whole.count {
            #expect(throws: MessageError.self) {
                try NPYArray.decode(Array(whole.prefix(length)), field: "x")
            }
        }
    }

    @Test func damagedArraysAreTakenOrRefused() throws {
        var random = SplitMix64(seed: 3)
        let original = NPYArray.encode([1, 2, 3, 4, 5, 6], shape: [1, 3, 2])
        var refused = 0
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<min(80, bytes.count), using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: 0x20...0x7e, using: &random), at: index)
                }
            }
            do throws(MessageError) {
                let (elements, shape) = try NPYArray.decode(bytes, field: "x")
                #expect(elements.count == shape.reduce(1, *))
                #expect(!elements.contains { !$0.isFinite })
            } catch {
                refused += 1
            }
        }
        #expect((10_000..<20_000).contains(refused))
    }

    // MARK: Requests

    @Test func requestsAreRead() throws {
        #expect(try Self.request("ping") == .ping)
        #expect(try Self.request("kill") == .kill)
        #expect(try Self.request("get_modality_config") == .getModalityConfig)
        #expect(try Self.request("reset") == .reset(.init()))
        #expect(try Self.request("reset with options") == .reset(.init(robot: RobotID("arm1"))))
    }

    @Test(arguments: ["nested", "flat", "no endpoint", "msgpack_numpy"])
    func observationIsRead(name: String) throws {
        guard case .getAction(let observation, let options) = try Self.request(name) else {
            Issue.record("expected get_action")
            return
        }
        let isNested = name == "nested" || name == "msgpack_numpy"
        #expect(options == (isNested ? .init() : .init(robot: RobotID("arm1"), noiseSeed: 5)))
        #expect(
            observation.keys == ["state.arm", isNested ? "language.task" : "task", "video.front"].sorted()
        )
        let form: Gr00tArray.Form = name == "msgpack_numpy" ? .messagePackNumPy : .npy
        let state = Gr00tArray(elements: [0.5, -2, 0.75, -1], shape: [1, 2, 2], form: form)
        #expect(try observation.array("state.arm") == state)
        #expect(try observation.array("arm") == state, "the group may be left out")
        #expect(try observation.array("gripper") == nil)
        let language = #expect(throws: MessageError.self) {
            try observation.array(isNested ? "language.task" : "task")
        }
        #expect(language?.code == .wrongType)
    }

    @Test(arguments: ["N1.5", "N1.5 no endpoint", "N1.5 batch", "N1.5 options"])
    func observationOfN15IsRead(name: String) throws {
        guard case .getAction(let observation, let options) = try Self.request(name) else {
            Issue.record("expected get_action")
            return
        }
        #expect(options == (name == "N1.5 options" ? .init(robot: RobotID("arm1"), noiseSeed: 5) : .init()))
        let isBatched = name == "N1.5 batch"
        #expect(observation.version == .n15)
        #expect(observation.path == "data")
        #expect(
            observation.keys
                == (isBatched ? [] : ["annotation.human.action.task_description"])
                + ["state.arm", "video.front"]
        )
        let state = Gr00tArray(elements: [0.5, -2, 0.75, -1], shape: isBatched ? [1, 2, 2] : [2, 2])
        #expect(try observation.array("arm") == state)
        #expect(observation.field("arm") == "data.state.arm", "as the client sent it")
        #expect(observation.field("gripper") == "data.gripper")
    }

    @Test func observationSharesTheStorageOfTheRequest() throws {
        let image = [UInt8](repeating: 7, count: 1 << 20)
        let array = MessagePackValue.map(["__ndarray_class__": .bool(true), "as_npy": .binary(image)])
        for data: MessagePackMap in [["observation": .map(["front": array])], ["front": array]] {
            let observation = try Gr00tObservation(inDataOfGetAction: data)
            guard case .map(let map)? = observation.values["front"], case .binary(let kept)? = map["as_npy"]
            else {
                Issue.record("expected the image")
                continue
            }
            #expect(image.withUnsafeBytes { $0.baseAddress } == kept.withUnsafeBytes { $0.baseAddress })
        }
    }

    @Test(arguments: ["flat", "nested", "msgpack_numpy", "N1.5", "N1.5 batch", "N1.5 options"])
    func `damaged requests are taken or refused`(name: String) throws {
        var random = SplitMix64(seed: 15)
        let original = try Self.bytes(Self.golden?.requests[name])
        var (read, taken, refused) = (0, 0, 0)
        for _ in 0..<2000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                let index = bytes.indices.randomElement(using: &random) ?? 0
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.swapAt(index, bytes.indices.randomElement(using: &random) ?? 0)
                }
            }
            do throws(MessageError) {
                guard case .getAction(let observation, _) = try Gr00tRequest.decode(bytes) else { continue }
                read += 1
                for key in observation.keys {
                    guard let array = try observation.array(key) else { continue }
                    #expect(array.elements.count == array.shape.reduce(1, *))
                }
                taken += 1
            } catch {
                refused += 1
            }
        }
        #expect(refused > 500)
        #expect(read > 100, "requests for an action, whose arrays are read")
        // In the others a text is among the values, which is no array.
        if name == "N1.5 batch" { #expect(taken > 0) }
    }

    /// Two cameras of 1280 x 720 pixels, and more than that as well.
    @Test func imagesAreTaken() throws {
        func request(imageBytes: Int) -> [UInt8] {
            let image = MessagePackValue.map([
                "__ndarray_class__": .bool(true),
                "as_npy": .binary([UInt8](repeating: 7, count: imageBytes)),
            ])
            let state = MessagePackValue.map([
                "__ndarray_class__": .bool(true), "as_npy": .binary(NPYArray.encode([1, 2], shape: [1, 2])),
            ])
            return Self.pack(
                .map(["data": .map(["video.front": image, "video.wrist": image, "state.arm": state])])
            )
        }
        #expect(Gr00tRequest.limits.messageBytes == 33_554_432)
        guard case .getAction(let observation, _) = try Gr00tRequest.decode(request(imageBytes: 2_764_928))
        else {
            Issue.record("expected get_action")
            return
        }
        #expect(try observation.array("arm")?.elements == [1, 2])
        let image = #expect(throws: MessageError.self) { try observation.array("video.front") }
        #expect(image?.code == .tooLarge)
        #expect(image?.field == "data.video.front.as_npy")
        let tooLong = #expect(throws: MessageError.self) {
            try Gr00tRequest.decode(request(imageBytes: 1 << 24))
        }
        #expect(tooLong?.code == .tooLarge)
    }

    @Test func torchFileIsNamed() throws {
        let error = #expect(throws: MessageError.self) { try Self.request("torch file") }
        #expect(error?.code == .notMessagePack)
        #expect(error?.message.hasPrefix("a torch file") == true)
        #expect(error?.message.contains("MsgSerializer") == true)
    }

    @Test(arguments: [
        ("with token", "secret", true), ("with token", nil, true), ("ping", nil, true),
        ("ping", "secret", false), ("with token", "secreT", false), ("with token", "secrets", false),
        ("with token", "secre", false),
    ])
    func tokenIsChecked(name: String, token: String?, isAccepted: Bool) throws {
        guard !isAccepted else {
            #expect(try Self.request(name, token: token) == .ping)
            return
        }
        let error = #expect(throws: MessageError.self) { try Self.request(name, token: token) }
        #expect(error?.code == .unauthorized)
    }

    static let wrong: [(request: MessagePackValue, code: MessageError.Code, field: String?)] = [
        (.array([]), .wrongType, nil),
        (.map(["endpoint": .unsigned(1)]), .wrongType, "endpoint"),
        (.map(["endpoint": .string("get_weather")]), .unknownType, "endpoint"),
        (.map([:]), .missingField, "data.observation"),
        (.map(["data": .null]), .missingField, "data.observation"),
        (.map(["data": .array([])]), .wrongType, "data"),
        (.map(["data": .map(["observation": .string("x")])]), .wrongType, "data.observation"),
        (
            .map(["data": .map(["observation": .map([:]), "options": .string("x")])]), .wrongType,
            "data.options"
        ),
        (
            .map(["endpoint": .string("reset"), "data": .map(["options": .map(["robot": .string("a b")])])]),
            .outOfRange, "data.options.robot"
        ),
        (
            .map([
                "data": .map(["observation": .map([:]), "options": .map(["noise_seed": .negative(-1)])])
            ]), .outOfRange, "data.options.noise_seed"
        ),
        (
            .map([
                "data": .map([
                    "observation": .map(["state.arm": .unsigned(1), "state": .map(["arm": .unsigned(2)])])
                ])
            ]), .notMessagePack, "data.observation.state.arm"
        ),
        // One version's observation beside another's, and what is neither.
        (.map(["data": .map(["observation": .map(["x": anArray]), "y": anArray])]), .badArray, "data.y"),
        (
            .map(["data": .map(["observation": .map(["x": anArray]), "state": .map(["y": anArray])])]),
            .badArray, "data.state.y"
        ),
        (
            .map(["data": .map(["observation": .map([:]), "state": .map(["observation": anArray])])]),
            .badArray, "data.state.observation"
        ),
        (.map(["data": .map(["observation": .null, "x": anArray])]), .wrongType, "data.observation"),
        (.map(["data": .map(["observation": anArray])]), .wrongType, "data.observation"),
        (.map(["data": .map(["state": .map(["x": anArray])])]), .missingField, "data.observation"),
        (.map(["data": .map(["options": .map(["x": anArray])])]), .missingField, "data.observation"),
        (.map(["data": .map(["x": anArray, "options": .string("x")])]), .wrongType, "data.options"),
        (
            .map(["data": .map(["x": anArray, "options": .map(["robot": .string("a b")])])]), .outOfRange,
            "data.options.robot"
        ),
        (
            .map(["data": .map(["state.x": anArray, "state": .map(["x": anArray])])]), .notMessagePack,
            "data.state.x"
        ),
    ]

    static let anArray = MessagePackValue.map([
        "__ndarray_class__": .bool(true), "as_npy": .binary(NPYArray.encode([1], shape: [1, 1])),
    ])

    @Test(arguments: wrong)
    func requestIsRefused(request: MessagePackValue, code: MessageError.Code, field: String?) {
        let error = #expect(throws: MessageError.self) {
            try Gr00tRequest.decode(Self.pack(request))
        }
        #expect(error?.code == code)
        #expect(error?.field == field)
    }

    static let wrongArrays: [(array: MessagePackValue, code: MessageError.Code, field: String)] = [
        (.string("x"), .wrongType, ""),
        (.map(["__ndarray_class__": .bool(true)]), .missingField, ".as_npy"),
        (.map(["__ndarray_class__": .bool(true), "as_npy": .string("x")]), .wrongType, ".as_npy"),
        (.map(["__ndarray_class__": .bool(true), "as_npy": .binary([])]), .badArray, ".as_npy"),
        (
            .map([
                "__ndarray_class__": .bool(true),
                "as_npy": .binary(NPYArray.encode(Array(repeating: 0, count: 1 << 17), shape: [1 << 17])),
            ]), .tooLarge, ".as_npy"
        ),
        (.map(["nd": .bool(false), "data": .binary([]), "type": .string("<f4")]), .badArray, ""),
        (
            .map([
                "nd": .bool(true), "data": .binary([]), "type": .string("|O"), "shape": .array([]),
            ]), .badArray, ".type"
        ),
    ]

    @Test(arguments: wrongArrays)
    func arrayOfAnObservationIsRefused(
        array: MessagePackValue,
        code: MessageError.Code,
        field: String
    ) throws {
        let observation = try Gr00tObservation(["x": array], path: "data.observation")
        let error = #expect(throws: MessageError.self) { try observation.array("x") }
        #expect(error?.code == code)
        #expect(error?.field == "data.observation.x\(field)")
    }

    // MARK: Replies

    static let replies: [(String, Gr00tReply)] = [
        ("pong", .pong),
        ("done", .done),
        (
            "modalities",
            .modalities([
                .init(name: "state", deltaIndices: [-1, 0], keys: ["arm", "gripper"]),
                .init(name: "action", deltaIndices: [0, 1, 2], keys: ["arm"]),
            ])
        ),
        (
            "modalities N1.5",
            .modalities(
                [
                    .init(
                        name: "state",
                        deltaIndices: [-1, 0],
                        keys: ["state.arm", "state.\"Gr\u{fc}\u{df}e\\\"\u{1}"]
                    ),
                    .init(name: "action", deltaIndices: [0, 1, 2], keys: ["action.arm"]),
                ],
                .n15
            )
        ),
        (
            "unauthorized",
            .error(ErrorMessage(MessageError(.unauthorized, "Unauthorized: Invalid API token")))
        ),
        ("error", .error(ErrorMessage(MessageError(.busy, "16 wait")))),
    ]

    @Test(arguments: replies)
    func replyIsPacked(name: String, reply: Gr00tReply) throws {
        #expect(try reply.encoded() == Self.bytes(Self.golden?.replies[name]))
    }

    @Test(arguments: [
        ("actions", Gr00tActions.Form()), ("actions msgpack_numpy", .init(array: .messagePackNumPy)),
        ("actions N1.5", .init(version: .n15, isBatched: false)),
        ("actions N1.5 batch", .init(version: .n15, isBatched: true)),
    ])
    func actionsArePacked(name: String, form: Gr00tActions.Form) throws {
        let chunk = RobotChunk(
            robot: try #require(RobotID("arm1")),
            episode: .name("gr00t-0"),
            sequence: 3,
            timeNs: 0,
            firstStep: 3,
            actions: [1, 2, 3, 4, 5, 6],
            actionSteps: 2,
            actionDim: 3,
            beyond: [7, 8, 9],
            noiseSeed: 42,
            sampling: .init(
                solver: "ddim",
                steps: 10,
                method: .sequential,
                iterations: 10,
                evaluations: 10,
                quality: .coarse,
                coarseSteps: 4
            ),
            timing: .init(receivedNs: 1)
        )
        let parts = [
            Gr00tActions.ArrayLayout(key: "arm", dimensions: [0, 1]),
            Gr00tActions.ArrayLayout(key: "gripper", dimensions: [2]),
        ]
        var actions = Gr00tActions(chunk: chunk, arrays: parts, form: form)
        let packed = actions.encode { $0.stages.total = 50_150_000 }
        #expect(try packed == Self.bytes(Self.golden?.replies[name]))
        #expect(actions.chunk.timing.stages.total == 50_150_000)
    }
}

/// How a version names arrays.
@Suite struct Gr00tVersionTests {
    @Test(arguments: [
        ("arm", "arm", "state.arm"), ("state.arm", "arm", "state.arm"),
        ("state", "state", "state.state"), ("statement", "statement", "state.statement"),
        ("state.state.arm", "state.arm", "state.state.arm"),
    ])
    func namesHaveTheGroupInFrontInN15(key: String, n16: String, n15: String) {
        #expect(Gr00tVersion.n16.name(of: key, in: "state") == n16)
        #expect(Gr00tVersion.n15.name(of: key, in: "state") == n15)
    }
}

extension MessagePackMap: ExpressibleByDictionaryLiteral {
    /// A map of these entries, whose keys differ.
    public init(dictionaryLiteral elements: (String, MessagePackValue)...) {
        self.init()
        for (key, value) in elements { _ = append(key, value) }
    }
}

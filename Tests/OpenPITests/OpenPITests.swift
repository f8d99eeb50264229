import ForeignClients
import Foundation
import Robotics
import TestRandom
import Testing

@testable import OpenPI
@testable import Wire

/// The messages of openpi's clients, against what openpi_client packs (Tests/Oracles/openpi.py).
@Suite struct OpenPITests {
    struct Golden: Decodable {
        var requests: [String: String]
        var answer: String
        var metadata: String
    }

    static let golden: Golden? = {
        guard let url = Bundle.module.url(forResource: "Resources/openpi", withExtension: "json"),
            let data = try? Data(contentsOf: url)
        else { return nil }
        return try? JSONDecoder().decode(Golden.self, from: data)
    }()

    static func bytes(_ hex: String?) throws -> [UInt8] {
        let digits = Array(try #require(hex))
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(digits[$0...($0 + 1)]), radix: 16))
        }
    }

    static let policy = PolicyDescription(
        name: "test",
        features: [
            .init(name: "observation.state", count: 3),
            .init(name: "observation.environment_state", count: 2),
        ],
        cameras: [.init(name: "observation.images.front", height: 1, width: 2)],
        horizon: 8,
        nObsSteps: 2,
        nActionSteps: 3,
        actionDim: 2
    )

    static let names = ClientNames(
        observations: [
            "observation.state": ["observation/state", "observation/gripper"],
            "observation.environment_state": ["world"],
        ],
        cameras: ["observation.images.front": "front"],
        actions: [.init(key: "gripper", dimensions: [1]), .init(key: "arm", dimensions: [0])]
    )

    static func mapping(_ lookback: Lookback = .calls) -> OpenPIMapping {
        OpenPIMapping(names: names, lookback: lookback, resetKey: "first")
    }

    static func observation(
        _ request: [UInt8],
        mapping: OpenPIMapping = mapping()
    ) throws(MessageError) -> OpenPIObservation {
        try OpenPIObservation(OpenPIRequest(request), mapping: mapping, policy: policy)
    }

    static func observation(
        _ name: String,
        mapping: OpenPIMapping = mapping()
    ) throws -> OpenPIObservation {
        try observation(bytes(golden?.requests[name]), mapping: mapping)
    }

    /// The observation of the golden requests, whose numbers are larger by 10 at each later time step.
    private func expected(_ step: Int = 0) -> Observation {
        let more = Float(10 * step)
        return Observation(
            values: [
                "observation.state": [1, 2, 3].map { $0 + more },
                "observation.environment_state": [4, 5].map { $0 + more },
            ],
            frames: [
                "observation.images.front": CameraFrame(
                    height: 1,
                    width: 2,
                    pixels: (1...6).map { $0 + UInt8(10 * step) }
                )
            ]
        )
    }

    // MARK: Requests

    @Test(arguments: [
        "flat", "nested", "scalars", "a number", "without extents", "lists", "ignored", "options nil",
    ])
    func observationIsRead(name: String) throws {
        let observation = try Self.observation(name)
        #expect(observation.rows == [expected()])
        #expect(!observation.beginsEpisode)
        #expect(observation.robot == nil)
        #expect(observation.noiseSeed == nil)
        #expect(
            observation.ignoredKeys == (name == "ignored" ? ["more/it", "more/of", "prompt", "wrist"] : [])
        )
    }

    @Test func optionsAreRead() throws {
        let observation = try Self.observation("options")
        #expect(observation.rows == [expected()])
        #expect(observation.robot == RobotID("arm1"))
        #expect(observation.noiseSeed == 5)
        #expect(observation.beginsEpisode)
    }

    @Test func robotOfTheMappingIsTheOneUnlessAnotherIsNamed() throws {
        var mapping = Self.mapping()
        mapping.robot = RobotID("arm2")
        #expect(try Self.observation("flat", mapping: mapping).robot == RobotID("arm2"))
        #expect(try Self.observation("options", mapping: mapping).robot == RobotID("arm1"))
    }

    @Test(arguments: [
        ("reset", true), ("reset numpy", true), ("reset array", true), ("reset number", true),
        ("no reset", false), ("no reset numpy", false), ("flat", false),
    ])
    func newEpisodeIsRead(name: String, begins: Bool) throws {
        let observation = try Self.observation(name)
        #expect(observation.beginsEpisode == begins)
        #expect(observation.ignoredKeys.isEmpty)
        var mapping = Self.mapping()
        mapping.resetKey = nil
        let other = try Self.observation(name, mapping: mapping)
        #expect(!other.beginsEpisode, "a key that is not mapped means nothing")
        #expect(other.ignoredKeys == (name == "flat" ? [] : ["first"]))
    }

    @Test func timeStepsAreRead() throws {
        for lookback in Lookback.allCases {
            let two = try Self.observation("two", mapping: Self.mapping(lookback))
            #expect(two.rows == [expected(), expected(1)])
            let three = try Self.observation("three", mapping: Self.mapping(lookback))
            #expect(three.rows == [expected(1), expected(2)], "the newest are used")
        }
    }

    @Test func tooFewTimeStepsAreWhatTheMappingSays() throws {
        #expect(
            OpenPIMapping(standardFor: Self.policy).lookback == .repeated,
            "right for a client that asks once a chunk"
        )
        #expect(try Self.observation("flat", mapping: Self.mapping(.calls)).rows == [expected()])
        #expect(
            try Self.observation("flat", mapping: Self.mapping(.repeated)).rows == [expected(), expected()]
        )
        let error = #expect(throws: MessageError.self) {
            try Self.observation("flat", mapping: Self.mapping(.request))
        }
        #expect(error?.code == .badArray)
        #expect(error?.field == "observation/state")
        #expect(error?.message.contains("time steps: 1, expected at least 2") == true)
        #expect(error?.message.contains("openpi.lookback") == true)
    }

    // MARK: Refusals

    static func array(_ numbers: [Float], _ shape: [Int]) -> MessagePackValue {
        let data = numbers.withUnsafeBytes { Array($0) }
        return array(data, "<f4", shape)
    }

    static func array(_ data: [UInt8], _ dtype: String, _ shape: [Int]) -> MessagePackValue {
        .map(
            MessagePackMap([
                "__ndarray__": .bool(true), "data": .binary(data), "dtype": .string(dtype),
                "shape": .array(shape.map { .unsigned(UInt64($0)) }),
            ])
        )
    }

    /// What is put under a key in place of what is there; nil: nothing.
    typealias Changes = [String: MessagePackValue?]

    /// A good request, with some values replaced, or left out.
    static func request(_ changes: Changes = [:]) -> [UInt8] {
        var values: [String: MessagePackValue?] = [
            "observation/state": array([1, 2], [2]), "observation/gripper": array([3], [1]),
            "world": array([4, 5], [2]), "front": array([1, 2, 3, 4, 5, 6], "|u1", [1, 2, 3]),
        ]
        values.merge(changes) { $1 }
        var map = MessagePackMap()
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            if let value { _ = map.append(key, value) }
        }
        let encoder = MessagePackEncoder()
        encoder.value(.map(map))
        return encoder.bytes
    }

    static let wrong: [(changes: Changes, code: MessageError.Code, says: String)] = [
        (["world": nil], .missingFeature, "world: missing; the observation has front, observation/gripper"),
        (["world": nil], .missingFeature, "openpi.observations in the robot file"),
        (
            ["front": nil], .missingFeature,
            "front: missing, expected the frame of camera observation.images.front"
        ),
        (["world": .string("x")], .wrongType, "world: found the string \"x\""),
        (["world": .null], .wrongType, "world: found nil"),
        (
            ["world": array([1, 2, 3], [3])], .badArray,
            "world: 3 numbers in the last dimension, expected 2 for"
        ),
        (
            ["observation/gripper": array([1, 2], [2])], .badArray,
            "observation/state, observation/gripper: 4 numbers in the last dimension, expected 3"
        ),
        (["world": array([1, .nan], [2])], .notFinite, "world"),
        (
            ["world": array([1, 2], [1, 1, 2])], .badArray,
            "shape [1, 1, 2], expected [numbers] or [time steps, numbers]"
        ),
        (["world": array([], [0, 2])], .badArray, "shape [0, 2]"),
        (["world": array([1, 2], [1, 2])], .badArray, "shape [1, 2], but [2] in observation/state"),
        (["world": array([1, 2], [3])], .badArray, "world.data: 8 bytes"),
        (["world": array([0, 0], "<f2", [1])], .badArray, "world.dtype"),
        (
            ["world": array([UInt8](repeating: 0, count: 1 << 20), "|u1", [1 << 20])], .tooLarge,
            "at most 524288"
        ),
        (["front": array([1, 2, 3, 4, 5, 6], "|u1", [2, 1, 3])], .badArray, "frames are not resized"),
        (["front": array([1, 2, 3, 4, 5, 6], "|u1", [3, 1, 2])], .badArray, "colours come last"),
        (["front": array([1, 2, 3, 4, 5], "|u1", [1, 2, 3])], .badArray, "front.data: 5 bytes"),
        (["front": array([1, 2, 3, 4, 5, 6, 7], "|u1", [1, 2, 3])], .badArray, "front.data: 7 bytes"),
        (["front": array([1, 2, 3, 4, 5, 6], [1, 2, 3])], .badArray, "convert_to_uint8"),
        (["front": .binary([1, 2, 3, 4, 5, 6])], .wrongType, "front: found 6 bytes"),
        (
            ["front": array([UInt8](repeating: 0, count: 12), "|u1", [2, 1, 2, 3])], .badArray,
            "the same number of time steps"
        ),
        (["first": .string("yes")], .wrongType, "first: found the string \"yes\", expected true or false"),
        (["first": array([1, 2], [2])], .wrongType, "first"),
        (["options": .unsigned(3)], .wrongType, "options: found 3"),
        (["options": .map(MessagePackMap(["robot": .string("no robot")]))], .outOfRange, "options.robot"),
        (["options": .map(MessagePackMap(["reset": .unsigned(1)]))], .wrongType, "options.reset"),
        (["options": .map(MessagePackMap(["noise_seed": .float(0.5)]))], .wrongType, "options.noise_seed"),
        (
            ["observation": .map(MessagePackMap(["state": .null]))], .notMessagePack,
            "observation/state: the key comes twice"
        ),
    ]

    @Test(arguments: wrong.indices)
    func observationIsRefused(index: Int) throws {
        let wrong = Self.wrong[index]
        let error = #expect(throws: MessageError.self) {
            try Self.observation(Self.request(wrong.changes))
        }
        #expect(error?.code == wrong.code)
        let text = error?.description ?? ""
        #expect(text.contains(wrong.says), "\(text)")
    }

    @Test func goodRequestIsGood() throws {
        #expect(try Self.observation(Self.request()).rows == [expected()])
    }

    @Test(arguments: ["float frame", "turned frame", "nothing"])
    func goldenObservationIsRefused(name: String) {
        #expect(throws: MessageError.self) { try Self.observation(name) }
    }

    @Test func whatIsNoMapIsRefused() throws {
        func error(_ value: MessagePackValue) -> MessageError? {
            let encoder = MessagePackEncoder()
            encoder.value(value)
            return #expect(throws: MessageError.self) { try OpenPIRequest(encoder.bytes) }
        }
        #expect(error(.array([]))?.code == .wrongType)
        #expect(
            error(Self.array([1], [1]))?.description.contains("an array, expected a map of arrays") == true
        )
        #expect(throws: MessageError.self) { try OpenPIRequest([]) }
        #expect(throws: MessageError.self) { try OpenPIRequest(Array("{}".utf8)) }
    }

    @Test func damagedRequestsAreTakenOrRefused() throws {
        var random = SplitMix64(seed: 11)
        let originals = try ["flat", "nested", "two", "options", "scalars"].map {
            try Self.bytes(Self.golden?.requests[$0])
        }
        var refused = 0
        for round in 0..<20_000 {
            var bytes = originals[round % originals.count]
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: index)
                }
            }
            do throws(MessageError) {
                for row in try Self.observation(bytes).rows {
                    #expect(row.values["observation.state"]?.count == 3)
                    #expect(row.frames["observation.images.front"]?.byteCount == 6)
                    let areFinite = row.values.values.joined().allSatisfy { $0.isFinite }
                    #expect(areFinite)
                }
            } catch {
                let breaksLine = error.description.contains { $0.isNewline }
                #expect(!breaksLine, "\(error)")
                refused += 1
            }
        }
        #expect((5_000..<20_000).contains(refused))
    }

    // MARK: Answers

    @Test func answerIsPackedAsOpenPIPacksIt() throws {
        var chunk = RobotChunk(
            robot: try #require(RobotID("arm1")),
            episode: .name("openpi-0"),
            sequence: 7,
            timeNs: 0,
            firstStep: 7,
            actions: [0, 1, 2, 3, 4, 5],
            actionSteps: 3,
            actionDim: 2,
            beyond: [],
            frozen: [],
            noiseSeed: .max,
            sampling: .init(solver: "ddim", steps: 5, method: .sequential, iterations: 5, evaluations: 5),
            timing: .init(receivedNs: 0)
        )
        chunk.timing.stages = .init(
            decode: 1_000_000,
            queue: 2_000_000,
            vision: nil,
            condition: 500_000,
            sample: 4_000_000,
            encode: 0,
            total: 0
        )
        var actions = OpenPIActions(chunk: chunk, arrays: Self.names.actions, previousTotalNs: 12_500_000)
        let packed = actions.encode { timing in
            timing.stages.encode = 250_000
            timing.stages.total = 10_000_000
        }
        #expect(try packed == Self.bytes(Self.golden?.answer))
        #expect(actions.chunk.timing.stages.total == 10_000_000)
    }

    @Test func metadataIsPackedAsOpenPIPacksIt() throws {
        let metadata = OpenPIMetadata(policy: Self.policy, names: Self.names, daemonVersion: "1.2.3")
        #expect(try metadata.encoded() == Self.bytes(Self.golden?.metadata))
    }

    // MARK: Mapping

    @Test func standardMappingGoesWithThePolicy() throws {
        let mapping = OpenPIMapping(standardFor: Self.policy)
        try mapping.check(Self.policy)
        #expect(mapping.names.actions == [.init(key: "actions", dimensions: [0, 1])])
        #expect(mapping.names.cameras == ["observation.images.front": "observation.images.front"])
        try Self.mapping().check(Self.policy)
    }

    @Test(arguments: [
        ("actions.chunk", ["chunk"], nil), ("actions.server_timing", ["server_timing"], nil),
        ("actions.policy_timing", ["policy_timing"], nil), ("reset", ["a"], ""), ("reset", ["a"], "world"),
        ("reset", ["a"], "front"), ("actions.a", ["a", "a"], nil),
    ])
    func mappingIsChecked(field: String, keys: [String], reset: String?) throws {
        var mapping = Self.mapping()
        mapping.names.actions =
            keys.count == 1
            ? [.init(key: keys[0], dimensions: [0, 1])]
            : keys.enumerated().map { .init(key: $1, dimensions: [$0]) }
        mapping.resetKey = reset
        let error = #expect(throws: ClientNamesError.self) { try mapping.check(Self.policy) }
        #expect(error?.section == "openpi")
        #expect(error?.field == field)
    }
}

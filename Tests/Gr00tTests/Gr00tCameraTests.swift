import Foundation
import Robotics
import Testing

@testable import Gr00t
@testable import Wire

/// Frames in the requests of GR00T clients, against what NumPy and Python's msgpack pack (Tests/Oracles/gr00t.py).
@Suite struct Gr00tCameraTests {
    private struct Golden: Decodable {
        /// For each camera the pixels of its two time steps.
        var frames: [String: [[UInt8]]]
    }

    private static let golden: Golden? = {
        guard let url = Bundle.module.url(forResource: "Resources/gr00t", withExtension: "json"),
            let data = try? Data(contentsOf: url)
        else { return nil }
        return try? JSONDecoder().decode(Golden.self, from: data)
    }()

    private static let cameras = ["front", "wrist"]

    /// Two cameras of 2 rows of 3 pixels.
    private static func policy(nObsSteps: Int = 2, cameras: [String] = cameras) -> PolicyDescription {
        PolicyDescription(
            name: "seeing",
            features: [.init(name: "observation.state", count: 2)],
            cameras: cameras.map { .init(name: "observation.images.\($0)", height: 2, width: 3) },
            horizon: 8,
            nObsSteps: nObsSteps,
            nActionSteps: 4,
            actionDim: 2
        )
    }

    private static func mapping(
        _ policy: PolicyDescription = policy(),
        lookback: Gr00tMapping.Lookback = .request
    ) -> Gr00tMapping {
        var mapping = Gr00tMapping(standardFor: policy)
        mapping.observations = ["observation.state": ["arm"]]
        mapping.lookback = lookback
        return mapping
    }

    private func observation(_ request: String) throws -> Gr00tObservation {
        guard case .getAction(let observation, _) = try Gr00tTests.request(request) else {
            throw MessageError(.unknownType, "expected get_action")
        }
        return observation
    }

    private func pixels(_ frame: CameraFrame?) -> [UInt8]? {
        guard case .pixels(let pixels, 2, 3)? = frame?.content else { return nil }
        return pixels
    }

    // MARK: Frames that fit

    @Test(arguments: [
        "cameras nested", "cameras flat", "cameras msgpack_numpy", "cameras N1.5", "cameras N1.5 batch",
    ])
    func framesAreReadInOrder(request: String) throws {
        let read = try Gr00tObservationRows(
            observation(request),
            mapping: Self.mapping(),
            policy: Self.policy()
        )
        let golden = try #require(Self.golden)
        #expect(read.rows.map { $0.values } == [[0.5, -2], [0.75, -1]].map { ["observation.state": $0] })
        for camera in Self.cameras {
            let frames = read.rows.map { pixels($0.frames["observation.images.\(camera)"]) }
            #expect(frames == golden.frames[camera], "\(camera)")
        }
        #expect(read.rows.allSatisfy { $0.frames.count == 2 }, "no policy sees through the camera top")
        let isN15 = request.contains("N1.5")
        #expect(
            read.form
                == Gr00tActions.Form(
                    version: isN15 ? .n15 : .n16,
                    array: request.contains("msgpack_numpy") ? .messagePackNumPy : .npy,
                    isBatched: request != "cameras N1.5"
                )
        )
    }

    @Test func newestFramesAreKept() throws {
        let policy = Self.policy(nObsSteps: 1)
        let read = try Gr00tObservationRows(
            observation("cameras nested"),
            mapping: Self.mapping(policy),
            policy: policy
        )
        try #require(read.rows.count == 1)
        #expect(pixels(read.rows[0].frames["observation.images.front"]) == Self.golden?.frames["front"]?[1])
    }

    @Test func firstFrameIsRepeatedAndIsOneForAllSteps() throws {
        let policy = Self.policy(nObsSteps: 4)
        let read = try Gr00tObservationRows(
            observation("cameras flat"),
            mapping: Self.mapping(policy, lookback: .repeated),
            policy: policy
        )
        let frames = read.rows.compactMap { $0.frames["observation.images.wrist"] }
        let golden = try #require(Self.golden?.frames["wrist"])
        #expect(frames.map { pixels($0) } == [golden[0], golden[0], golden[0], golden[1]])
        #expect(Set(frames.map(\.number)).count == 2, "it is to be encoded once")
    }

    @Test func keysAreThoseOfTheMapping() throws {
        var mapping = Self.mapping()
        mapping.cameras = ["observation.images.front": "wrist", "observation.images.wrist": "video.front"]
        let read = try Gr00tObservationRows(
            observation("cameras nested"),
            mapping: mapping,
            policy: Self.policy()
        )
        let newest = try #require(read.rows.last)
        #expect(pixels(newest.frames["observation.images.front"]) == Self.golden?.frames["wrist"]?[1])
        #expect(pixels(newest.frames["observation.images.wrist"]) == Self.golden?.frames["front"]?[1])
    }

    @Test func policyWithoutCamerasGetsNone() throws {
        let policy = Self.policy(cameras: [])
        let read = try Gr00tObservationRows(
            observation("cameras nested"),
            mapping: Self.mapping(policy),
            policy: policy
        )
        #expect(read.rows.allSatisfy { $0.frames.isEmpty })
    }

    // MARK: Frames that do not

    static func video(
        _ shape: [Int],
        dtype: String = "|u1",
        bytes: Int? = nil
    ) -> MessagePackValue {
        .map([
            "nd": .bool(true), "type": .string(dtype), "kind": .binary([]),
            "shape": .array(shape.map { .unsigned(UInt64($0)) }),
            "data": .binary([UInt8](repeating: 9, count: bytes ?? shape.reduce(1, *))),
        ])
    }

    struct Wrong: CustomTestStringConvertible {
        var video: MessagePackValue?
        var code: MessageError.Code
        var field: String
        var says: String
        var testDescription: String { says }
    }

    private static let front = "data.observation.video.front"

    static let wrong: [Wrong] = [
        Wrong(
            video: nil,
            code: .missingFeature,
            field: front,
            says:
                "missing, expected the frames of camera observation.images.front; the observation has state.arm, video.wrist; "
                + "gr00t.cameras in the robot file can name another key"
        ),
        Wrong(
            video: .string("front.png"),
            code: .wrongType,
            field: front,
            says: "expected an array: a map of __ndarray_class__ and as_npy"
        ),
        Wrong(
            video: video([1, 2, 2, 3, 3], dtype: "<f4", bytes: 144),
            code: .badArray,
            field: front + ".type",
            says: "found \"<f4\", expected |u1 for the frames of a camera"
        ),
        Wrong(
            video: video([1, 2, 3, 2, 3]),
            code: .badArray,
            field: front,
            says: "shape [1, 2, 3, 2, 3], expected [1, time steps, 2, 3, 3]: frames are not resized"
        ),
        Wrong(
            video: video([1, 2, 2, 3, 1]),
            code: .badArray,
            field: front,
            says: "shape [1, 2, 2, 3, 1], expected [1, time steps, 2, 3, 3]"
        ),
        Wrong(
            video: video([2, 2, 3, 3]),
            code: .badArray,
            field: front,
            says: "shape [2, 2, 3, 3], expected [1, time steps, 2, 3, 3]"
        ),
        Wrong(
            video: video([2, 1, 2, 3, 3]),
            code: .badArray,
            field: front,
            says: "a batch of 2, expected 1"
        ),
        Wrong(
            video: video([1, 0, 2, 3, 3]),
            code: .badArray,
            field: front,
            says: "shape [1, 0, 2, 3, 3], expected [1, time steps, 2, 3, 3]"
        ),
        Wrong(
            video: video([1, 1, 2, 3, 3]),
            code: .badArray,
            field: front,
            says: "time steps: 1, but 2 in arm: expected the same in all arrays"
        ),
        Wrong(
            video: video([1, 2, 2, 3, 3], bytes: 35),
            code: .badArray,
            field: front + ".data",
            says: "35 bytes; shape [1, 2, 2, 3, 3] of |u1 needs 1 byte for each element"
        ),
        Wrong(
            video: video([1, .max, 2, 3, 3], bytes: 36),
            code: .badArray,
            field: front + ".data",
            says: "36 bytes; shape [1, \(Int.max), 2, 3, 3]"
        ),
    ]

    @Test(arguments: wrong)
    func framesAreRefused(wrong: Wrong) throws {
        var values: MessagePackMap = [
            "state.arm": .map([
                "__ndarray_class__": .bool(true),
                "as_npy": .binary(NPYArray.encode([1, 2, 3, 4], shape: [1, 2, 2])),
            ]),
            "video.wrist": Self.video([1, 2, 2, 3, 3]),
        ]
        if let video = wrong.video { _ = values.append("video.front", video) }
        let observation = try Gr00tObservation(values, path: "data.observation")
        let error = #expect(throws: MessageError.self) {
            try Gr00tObservationRows(observation, mapping: Self.mapping(), policy: Self.policy())
        }
        #expect(error?.code == wrong.code)
        #expect(error?.field == wrong.field)
        #expect(error?.message.contains(wrong.says) == true, "\(error?.message ?? "")")
    }

    /// Those of N1.5 without a batch must all be without.
    @Test func framesAndNumbersAreBatchedAlike() throws {
        let values: MessagePackMap = [
            "state.arm": .map([
                "__ndarray_class__": .bool(true),
                "as_npy": .binary(NPYArray.encode([1, 2, 3, 4], shape: [2, 2])),
            ]),
            "video.front": Self.video([1, 2, 2, 3, 3]),
            "video.wrist": Self.video([2, 2, 3, 3]),
        ]
        let observation = try Gr00tObservation(values, path: "data", version: .n15)
        let error = #expect(throws: MessageError.self) {
            try Gr00tObservationRows(observation, mapping: Self.mapping(), policy: Self.policy())
        }
        #expect(error?.field == "data.video.front")
        #expect(error?.message.contains("expected a batch dimension in all arrays or in none") == true)
    }

    @Test func everyPrefixOfAFrameIsRefused() throws {
        let whole = try #require(Self.golden?.frames["front"]).flatMap { $0 }
        for count in 0..<whole.count {
            let observation = try Gr00tObservation(
                ["video.front": Self.video([1, 2, 2, 3, 3], bytes: count)],
                path: "data.observation"
            )
            #expect(throws: MessageError.self) {
                try Gr00tVideo("front", of: Self.policy().cameras[0], in: observation)
            }
        }
    }

    // MARK: The mapping

    @Test(arguments: [
        ("observation.images.front", "video.front"), ("observation.image", "video.image"),
        ("observation.images.", "video.images."), ("observation.", "video.observation."),
        ("front", "video.front"), ("observation.images.images.a", "video.images.a"),
    ])
    func standardKeyIsTheCamerasOwnName(camera: String, key: String) {
        #expect(Gr00tMapping.standardKey(ofCamera: camera) == key)
    }

    @Test(arguments: [
        (Gr00tMapping.Lookback.request, Gr00tVersion.n16, [-1, 0], ["front", "wrist"]),
        (.repeated, .n16, [0], ["front", "wrist"]), (.calls, .n15, [0], ["video.front", "video.wrist"]),
    ])
    func modalitiesListCameras(
        lookback: Gr00tMapping.Lookback,
        version: Gr00tVersion,
        indices: [Int],
        keys: [String]
    ) {
        var mapping = Self.mapping(lookback: lookback)
        mapping.version = version
        let modalities = mapping.modalities(of: Self.policy())
        #expect(modalities.map(\.name) == ["video", "state", "action"])
        #expect(modalities[0] == .init(name: "video", deltaIndices: indices, keys: keys))
        #expect(modalities[1].deltaIndices == indices)
        let blind = Self.policy(cameras: [])
        #expect(Self.mapping(blind).modalities(of: blind).map(\.name) == ["state", "action"])
    }

    static let wrongMappings: [(cameras: [String: String], field: String, says: String)] = [
        ([:], "cameras.observation.images.front", "no key, expected that of its frames"),
        (
            ["observation.images.front": "a", "observation.images.wrist": ""],
            "cameras.observation.images.wrist", "no key"
        ),
        (
            ["observation.images.front": "a", "observation.images.wrist": "video.a"],
            "cameras.observation.images.wrist",
            "found video.a, which is the key of observation.images.front already"
        ),
        (
            ["observation.images.front": "a", "observation.images.wrist": "b", "observation.image": "c"],
            "cameras.observation.image",
            "the policy has the cameras observation.images.front and observation.images.wrist only"
        ),
    ]

    @Test(arguments: wrongMappings)
    func wrongMappingIsNamed(cameras: [String: String], field: String, says: String) {
        var mapping = Self.mapping()
        mapping.cameras = cameras
        let error = #expect(throws: Gr00tMappingError.self) { try mapping.check(Self.policy()) }
        #expect(error?.field == field)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
    }

    @Test func camerasOfAPolicyThatHasNoneAreRefused() throws {
        try Self.mapping().check(Self.policy())
        let blind = Self.policy(cameras: [])
        try Self.mapping(blind).check(blind)
        let error = #expect(throws: Gr00tMappingError.self) { try Self.mapping().check(blind) }
        #expect(error?.message == "the policy has no cameras")
    }
}

import Robotics
import Testing

@testable import Wire

/// Messages that must be turned away, each for its reason and with the field named.
@Suite struct RejectionTests {
    /// A good observation; the tests change one field each.
    static let good: KeyValuePairs<String, MessagePackValue> = [
        "v": .unsigned(1),
        "type": .string("observation"),
        "robot": .string("arm1"),
        "episode": .unsigned(7),
        "sequence": .unsigned(8),
        "time_ns": .unsigned(9),
        "observation": .map(MessagePackMap(["observation.state": .array([.float(0.5), .unsigned(2)])])),
    ]

    static func pack(_ value: MessagePackValue) -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.value(value)
        return encoder.bytes
    }

    /// The good observation with one field set, or left out where the value is nil.
    static func observation(_ field: String?, _ value: MessagePackValue?) -> [UInt8] {
        var map = MessagePackMap()
        for entry in good where entry.key != field { _ = map.append(entry.key, entry.value) }
        if let field, let value { _ = map.append(field, value) }
        return pack(.map(map))
    }

    static func array(
        data: MessagePackValue = .binary([0, 0, 128, 63]),
        dtype: MessagePackValue = .string("<f4"),
        shape: MessagePackValue = .array([.unsigned(1)]),
        marker: MessagePackValue = .bool(true)
    ) -> MessagePackValue {
        let array = MessagePackMap(["__ndarray__": marker, "data": data, "dtype": dtype, "shape": shape])
        return .map(MessagePackMap(["observation.state": .map(array)]))
    }

    static func decode(_ bytes: [UInt8]) -> MessageError? {
        do throws(MessageError) {
            _ = try RobotObservation(decoding: bytes)
            return nil
        } catch {
            return error
        }
    }

    /// Committed actions that are no rows of numbers, with the field and the code.
    @Test(arguments: [
        (MessagePackValue.array([.float(1)]), "committed.shape", MessageError.Code.badArray),
        (.map(matrix(shape: [1, 1, 1])), "committed.shape", .badArray),
        (.map(matrix(shape: [0, 0], data: [])), "committed.shape", .badArray),
        (.map(matrix(shape: [1, 2])), "committed.data", .badArray),
        (.map(matrix(shape: [1, 1], data: [0, 0, 192, 127])), "committed", .notFinite),
        (.string("left"), "committed", .wrongType),
    ])
    func committedActionsAreRowsOfNumbers(value: MessagePackValue, field: String, code: MessageError.Code) {
        let error = Self.decode(Self.observation("committed", value))
        #expect(error?.code == code)
        #expect(error?.field == field)
    }

    static func matrix(shape: [UInt64], data: [UInt8] = [0, 0, 128, 63]) -> MessagePackMap {
        MessagePackMap([
            "__ndarray__": .bool(true), "data": .binary(data), "dtype": .string("<f4"),
            "shape": .array(shape.map { .unsigned($0) }),
        ])
    }

    static func frame(_ dtype: String, _ shape: [UInt64], bytes: Int) -> MessagePackValue {
        .map(
            MessagePackMap([
                "__ndarray__": .bool(true), "data": .binary([UInt8](repeating: 1, count: bytes)),
                "dtype": .string(dtype), "shape": .array(shape.map { .unsigned($0) }),
            ])
        )
    }

    static func picture(_ format: MessagePackValue, _ data: MessagePackValue?) -> MessagePackValue {
        var map = MessagePackMap(["format": format])
        if let data { map.appendNew("data", data) }
        return .map(map)
    }

    /// Frames that are none, with the field below the feature's and the code.
    static let badFrames: [(value: MessagePackValue, field: String, code: MessageError.Code, text: String)] =
        [
            (frame("<f4", [1, 1, 3], bytes: 12), ".dtype", .badArray, "expected |u1"),
            (frame("|i1", [1, 1, 3], bytes: 3), ".dtype", .badArray, "expected |u1"),
            (
                frame("|u1", [3, 2, 2], bytes: 12), ".shape", .badArray,
                "[3, 2, 2], expected [height, width, 3]"
            ),
            (frame("|u1", [2, 2, 4], bytes: 16), ".shape", .badArray, "[height, width, 3]"),
            (frame("|u1", [0, 2, 3], bytes: 0), ".shape", .badArray, "[height, width, 3]"),
            (frame("|u1", [1, 2, 2, 3], bytes: 12), ".shape", .badArray, "[height, width, 3]"),
            (frame("|u1", [2, 2], bytes: 4), ".shape", .badArray, "[height, width, 3]"),
            (frame("|u1", [2, 2, 3], bytes: 11), ".data", .badArray, "11 bytes"),
            (frame("|u1", [2, 2, 3], bytes: 13), ".data", .badArray, "13 bytes"),
            (frame("|u1", [1 << 62, 4, 3], bytes: 3), ".shape", .badArray, "[height, width, 3]"),
            (frame("|u1", [1 << 40, 1, 3], bytes: 3), ".data", .badArray, "3 bytes"),
            (picture(.string("gif"), .binary([1])), ".format", .outOfRange, "one of jpeg, png"),
            (picture(.unsigned(1), .binary([1])), ".format", .wrongType, "a string"),
            (picture(.string("png"), nil), ".data", .missingField, "missing"),
            (picture(.string("png"), .string("x")), ".data", .wrongType, "bin"),
            (picture(.string("jpeg"), .binary([])), ".data", .badImage, "0 bytes"),
        ]

    @Test(arguments: badFrames)
    func badFrameIsNamed(
        value: MessagePackValue,
        field: String,
        code: MessageError.Code,
        text: String
    ) throws {
        let observation = MessagePackValue.map(MessagePackMap(["observation.image": value]))
        let error = try #require(Self.decode(Self.observation("observation", observation)))
        #expect(error.code == code)
        #expect(error.field == "observation.observation.image\(field)")
        #expect(error.message.contains(text), "\(error)")
    }

    @Test func goodIsAccepted() throws {
        let message = try RobotObservation(decoding: Self.observation(nil, nil))
        #expect(message.values == ["observation.state": [0.5, 2]])
        #expect(message.replan == nil)
        #expect(message.noiseSeed == nil)
    }

    @Test(arguments: ["v", "type", "robot", "episode", "sequence", "time_ns", "observation"])
    func missingFieldIsNamed(field: String) {
        let error = Self.decode(Self.observation(field, nil))
        #expect(error?.code == .missingField)
        #expect(error?.field == field)
    }

    static let wrong: [(field: String, value: MessagePackValue, code: MessageError.Code, named: String)] = [
        ("v", .unsigned(2), .unsupportedVersion, "v"),
        ("v", .string("1"), .wrongType, "v"),
        ("type", .string("chunk"), .unknownType, "type"),
        ("robot", .string(""), .outOfRange, "robot"),
        ("robot", .string("arm 1"), .outOfRange, "robot"),
        ("robot", .string("arm\n1"), .outOfRange, "robot"),
        ("robot", .string(String(repeating: "a", count: 65)), .outOfRange, "robot"),
        ("robot", .unsigned(1), .wrongType, "robot"),
        ("episode", .negative(-1), .wrongType, "episode"),
        ("episode", .string("a b"), .outOfRange, "episode"),
        ("episode", .float(1.5), .wrongType, "episode"),
        ("sequence", .negative(-1), .outOfRange, "sequence"),
        ("sequence", .float(1.5), .wrongType, "sequence"),
        ("sequence", .float(-1), .outOfRange, "sequence"),
        ("time_ns", .string("now"), .wrongType, "time_ns"),
        ("replan", .unsigned(1), .wrongType, "replan"),
        ("noise_seed", .negative(-1), .outOfRange, "noise_seed"),
        ("session", .negative(-1), .outOfRange, "session"),
        ("session", .string("me"), .wrongType, "session"),
        ("observation", .array([]), .wrongType, "observation"),
        (
            "observation", .map(MessagePackMap(["observation.state": .string("x")])), .wrongType,
            "observation.observation.state"
        ),
        (
            "observation", .map(MessagePackMap(["observation.state": .array([.float(.nan)])])), .notFinite,
            "observation.observation.state"
        ),
        (
            "observation", .map(MessagePackMap(["observation.state": .array([.float(1e39)])])), .notFinite,
            "observation.observation.state"
        ),
        (
            "observation", .map(MessagePackMap(["observation.state": .array([.bool(true)])])), .wrongType,
            "observation.observation.state"
        ),
        ("observation", array(dtype: .string(">f4")), .badArray, "observation.observation.state.dtype"),
        ("observation", array(dtype: .string("|O")), .badArray, "observation.observation.state.dtype"),
        (
            "observation", array(shape: .array([.unsigned(2)])), .badArray,
            "observation.observation.state.data"
        ),
        (
            "observation", array(shape: .array([.unsigned(1 << 40), .unsigned(1 << 40)])), .badArray,
            "observation.observation.state.data"
        ),
        (
            "observation", array(data: .binary([0, 0, 0])), .badArray, "observation.observation.state.data"
        ),
        (
            "observation", array(shape: .array([.unsigned(1), .unsigned(1)])), .badArray,
            "observation.observation.state.shape"
        ),
        (
            "observation", array(shape: .array([.negative(-1)])), .outOfRange,
            "observation.observation.state.shape"
        ),
        (
            "observation", array(data: .binary([0, 0, 192, 127])), .notFinite, "observation.observation.state"
        ),
        ("observation", array(data: .string("x")), .wrongType, "observation.observation.state.data"),
        ("observation", array(marker: .bool(false)), .badArray, "observation.observation.state.__ndarray__"),
    ]

    @Test(arguments: wrong.indices)
    func wrongFieldIsNamed(index: Int) {
        let (field, value, code, named) = Self.wrong[index]
        let error = Self.decode(Self.observation(field, value))
        #expect(error?.code == code)
        #expect(error?.field == named)
    }

    @Test func numberTypesAreConverted() throws {
        let arrays: [(String, [UInt8], [Float])] = [
            ("<f4", [0, 0, 128, 63], [1]),
            ("<f8", [0, 0, 0, 0, 0, 0, 240, 191], [-1]),
            ("|i1", [255, 2], [-1, 2]),
            ("<i2", [254, 255], [-2]),
            ("<i4", [253, 255, 255, 255], [-3]),
            ("<i8", [252, 255, 255, 255, 255, 255, 255, 255], [-4]),
            ("|u1", [255], [255]),
            ("<u2", [0, 1], [256]),
            ("<u4", [0, 0, 1, 0], [65536]),
            ("<u8", [0, 0, 0, 0, 1, 0, 0, 0], [4_294_967_296]),
        ]
        for (dtype, data, expected) in arrays {
            let array = Self.array(
                data: .binary(data),
                dtype: .string(dtype),
                shape: .array([.unsigned(UInt64(expected.count))])
            )
            let message = try RobotObservation(decoding: Self.observation("observation", array))
            #expect(message.values["observation.state"] == expected, "\(dtype)")
        }
    }

    @Test func requestNumberIsKnownWhereTheRestIsWrong() {
        let bytes = Self.pack(
            .map(MessagePackMap(["v": .unsigned(1), "type": .string("kill"), "request": .unsigned(12)]))
        )
        let (number, request) = Request.decode(bytes)
        #expect(number == 12)
        #expect(throws: MessageError.self) { try request.get() }
    }

    @Test func longTextIsCutInErrors() throws {
        let error = try #require(
            Self.decode(Self.observation("robot", .string(String(repeating: "x\u{1b}", count: 5000))))
        )
        #expect(error.description.count < 200)
        #expect(!error.description.unicodeScalars.contains("\u{1b}"))
    }

    /// Long maps look for repeated keys in another way than short ones.
    @Test(arguments: [2, 24, 25, 200])
    func aKeyThatComesTwiceIsNamed(entries: Int) {
        func packed(_ keys: [String]) -> [UInt8] {
            let encoder = MessagePackEncoder()
            encoder.map(1)
            encoder.string("outer")
            encoder.map(keys.count)
            for key in keys {
                encoder.string(key)
                encoder.unsigned(1)
            }
            return encoder.bytes
        }
        let keys = (1..<entries).map { "key\($0)" }
        let error = #expect(throws: MessageError.self) {
            try MessagePackDecoder.decode(packed(keys + ["key1"]), limits: .standard)
        }
        #expect(error?.code == .notMessagePack)
        #expect(error?.field == "outer.key1")
        guard
            case .map(let map)? = try? MessagePackDecoder.decode(packed(keys + ["last"]), limits: .standard),
            case .map(let inner)? = map["outer"]
        else {
            Issue.record("keys that differ are refused")
            return
        }
        #expect(inner.keys == keys + ["last"])
    }

    @Test func aBadStringIsNamedByItsPath() {
        let bytes: [UInt8] = [0x81, 0xa1, 0x61, 0x81, 0xa2, 0x62, 0x0a, 0x91, 0xa1, 0xff]
        let error = #expect(throws: MessageError.self) {
            try MessagePackDecoder.decode(bytes, limits: .standard)
        }
        #expect(error?.field == "a.b?")
        #expect(error?.message == "a string of 1 bytes is not UTF-8")
    }
}

import Foundation
import Robotics
import Testing

@testable import Wire

/// Observations as the packages that robots use pack them (Tests/Oracles/clients.py).
@Suite struct ClientMessageTests {
    struct Message: Decodable, CustomTestStringConvertible {
        var name: String
        var hex: String
        var testDescription: String { name }
    }

    struct Golden: Decodable {
        var good: [Message]
        var frames: [Message]
        var foreign: [Message]
    }

    static let golden: Golden? = {
        guard let url = Bundle.module.url(forResource: "Resources/clients", withExtension: "json"),
            let data = try? Data(contentsOf: url)
        else { return nil }
        return try? JSONDecoder().decode(Golden.self, from: data)
    }()

    static func bytes(_ hex: String) throws -> [UInt8] {
        let digits = Array(hex)
        return try stride(from: 0, to: digits.count, by: 2).map {
            try #require(UInt8(String(digits[$0...($0 + 1)]), radix: 16))
        }
    }

    @Test func `the golden file is read`() throws {
        let golden = try #require(Self.golden)
        #expect(golden.good.count == 11)
        #expect(golden.frames.count == 5)
        #expect(Set(golden.foreign.map(\.name)).count == ForeignFormat.allCases.count)
    }

    @Test(arguments: golden?.good ?? [])
    func `an observation is read`(message: Message) throws {
        let observation = try RobotObservation(decoding: Self.bytes(message.hex))
        #expect(observation.episode == .number(7))
        #expect((observation.sequence, observation.timeNs) == (8, 1 << 40))
        #expect(observation.values == ["observation.state": [0.5, -2]])
        #expect([nil, ActionRows([1, 2, 3, 4], actionDim: 2)].contains(observation.committed))
        #expect(observation.replan != false)
        #expect(observation.arrayKeys == (message.name.hasPrefix("str keys") ? .string : nil))
    }

    @Test(arguments: golden?.frames ?? [])
    func `a camera's frame is read`(message: Message) throws {
        let observation = try RobotObservation(decoding: Self.bytes(message.hex))
        let expected: CameraFrame.Content =
            message.name.hasPrefix("picture")
            ? .picture([0xff, 0xd8, 0xff], format: .jpeg) : .pixels(Array(0..<12), height: 2, width: 2)
        #expect(observation.frames.mapValues(\.content) == ["observation.image": expected])
        #expect(observation.values == ["observation.state": [0.5, -2]])
    }

    /// What a package packs in one of several ways is there at all.
    @Test func `committed actions and booleans are among them`() throws {
        let messages = try #require(Self.golden?.good).map {
            try RobotObservation(decoding: Self.bytes($0.hex))
        }
        #expect(messages.count { $0.committed != nil } == 7)
        #expect(messages.count { $0.replan == true } == 7)
    }

    @Test(arguments: golden?.foreign ?? [])
    func `another format is named`(message: Message) throws {
        let bytes = try Self.bytes(message.hex)
        let thrown = #expect(throws: MessageError.self) { try RobotObservation(decoding: bytes) }
        let error = try #require(thrown)
        #expect(error.code == .notMessagePack)
        #expect(error.message.hasPrefix("the message is \(message.name)"), "\(error)")
        let (number, request) = Request.decode(bytes)
        #expect(number == nil)
        #expect(throws: error) { try request.get() }
    }

    /// Bytes that are neither are not guessed at.
    @Test(
        arguments: [[0xc1, 0x00], [0x00, 0x00], [0x80, 0x06], [0x7b], [0x01, 0x80, 0x02], []] as [[UInt8]]
    )
    func `other bytes get no name`(bytes: [UInt8]) {
        let format = ForeignFormat(bytes.span)
        #expect(format == nil)
    }

    // MARK: Numbers

    static let integers: [(value: MessagePackValue, is: UInt64?)] = [
        (.float(0), 0), (.float(-0.0), 0), (.float(9_007_199_254_740_992), 1 << 53),
        (.float(18_446_744_073_709_549_568), 18_446_744_073_709_549_568),
        (.float(18_446_744_073_709_551_616), nil), (.float(1.5), nil), (.float(-1), nil), (.float(.nan), nil),
        (.float(.infinity), nil), (.string("8"), nil), (.bool(true), nil),
        (scalar("<i8", [8, 0, 0, 0, 0, 0, 0, 0]), 8), (scalar("|u1", [255]), 255),
        (scalar("|i1", [255]), nil),
        (scalar("<f4", [0, 0, 0, 65]), 8), (scalar("<f4", [0, 0]), nil),
        (scalar("|O", [0x80, 4, 0x2e]), nil),
        (scalar("|b1", [1]), nil), (generic(.unsigned(8)), 8), (generic(.string("8")), nil),
        (generic(.array([])), nil), (generic(.null), nil),
    ]

    @Test(arguments: integers.indices)
    func `an integer is what is whole and in range`(index: Int) {
        let (value, expected) = Self.integers[index]
        let bytes = RejectionTests.observation("sequence", value)
        guard let expected else {
            let error = #expect(throws: MessageError.self) { try RobotObservation(decoding: bytes) }
            #expect(error?.field?.hasPrefix("sequence") == true, "\(String(describing: error))")
            return
        }
        #expect(throws: Never.self) { try #expect(RobotObservation(decoding: bytes).sequence == expected) }
    }

    static func scalar(_ dtype: String, _ data: [UInt8]) -> MessagePackValue {
        .map(MessagePackMap(["nd": .bool(false), "type": .string(dtype), "data": .binary(data)]))
    }

    static func generic(_ data: MessagePackValue) -> MessagePackValue {
        .map(MessagePackMap(["__npgeneric__": .bool(true), "data": data, "dtype": .string("<i8")]))
    }

    // MARK: Lists

    static let lists: [(value: MessagePackValue, field: String, code: MessageError.Code)] = [
        (.array([.array([.float(1)]), .array([.float(1), .float(2)])]), "committed[1]", .badArray),
        (.array([.array([.float(1)]), .float(2)]), "committed[1]", .wrongType),
        (.array([.float(2), .array([.float(1)])]), "committed", .wrongType),
        (.array([.array([.string("x")])]), "committed[0]", .wrongType),
        (.array([.array([.float(.nan)])]), "committed[0]", .notFinite),
        (.array([.array([.array([.float(1)])])]), "committed.shape", .badArray),
        (.array([.array([])]), "committed.shape", .badArray),
        (.array([scalar("<f4", [0])]), "committed[0].data", .badArray),
        (scalar("<f4", [0, 0, 0, 0]), "committed", .wrongType),
        (.map(MessagePackMap(["nd": .bool(true), "type": .string("|O")])), "committed.shape", .missingField),
    ]

    @Test(arguments: lists.indices)
    func `a list that is no matrix is named`(index: Int) {
        let (value, field, code) = Self.lists[index]
        let error = RejectionTests.decode(RejectionTests.observation("committed", value))
        #expect(error?.field == field)
        #expect(error?.code == code)
    }

    @Test func `an empty list is no committed action`() throws {
        let message = try RobotObservation(decoding: RejectionTests.observation("committed", .array([])))
        #expect(message.committed?.steps == 0)
    }

    @Test func `the type of a msgpack_numpy array is named by its own field`() {
        let array = MessagePackMap([
            "nd": .bool(true), "type": .string(">f4"), "kind": .binary([]), "shape": .array([.unsigned(1)]),
            "data": .binary([0, 0, 0, 0]),
        ])
        let values = MessagePackMap(["observation.state": .map(array)])
        let error = RejectionTests.decode(RejectionTests.observation("observation", .map(values)))
        #expect(error?.field == "observation.observation.state.type")
    }

    // MARK: Keys of the answer

    @Test func `a chunk and a command can have str keys`() throws {
        var chunk = try ProtocolTests().chunk
        let packed = chunk.encode(arrayKeys: .string)
        let decoded = try RobotChunk(decoding: packed)
        #expect(decoded == chunk)
        // A bin of 11 bytes begins with c4 0b, a str of 11 with ab; there are three arrays.
        #expect(Self.count([0xab] + "__ndarray__".utf8, in: packed) == 3)
        #expect(Self.count([0xc4, 0x0b], in: packed) == 0)
        #expect(Self.count([0xc4, 0x0b] + "__ndarray__".utf8, in: chunk.encode()) == 3)
    }

    static func count(_ pattern: [UInt8], in bytes: [UInt8]) -> Int {
        bytes.indices.count { bytes[$0...].starts(with: pattern) }
    }

    @Test(arguments: [MessagePackValue.string("text"), .unsigned(1), .bool(true)])
    func `another form of keys is refused`(value: MessagePackValue) {
        let error = RejectionTests.decode(RejectionTests.observation("array_keys", value))
        #expect(error?.field == "array_keys")
    }

    // MARK: Whose observation it is

    static func peek(in bytes: [UInt8]) -> RobotID? { RobotID.peek(in: bytes.span) }

    @Test(arguments: golden?.good ?? [])
    func `the robot is found without unpacking`(message: Message) throws {
        let robot = Self.peek(in: try Self.bytes(message.hex))
        #expect(robot?.text == "arm1")
    }

    @Test(
        arguments: [
            [], [0x80], [0x81], [0x81, 0xa5], [0x81] + [0xa5] + Array("robot".utf8),
            [0x81, 0xa5] + Array("robot".utf8) + [0xa2, 0x61],
            [0x81, 0xa5] + Array("robot".utf8) + [0x01],
            [0x81, 0xa5] + Array("robot".utf8) + [0xa1, 0x20],
            [0xdf, 0xff, 0xff, 0xff, 0xff], [0x81, 0xdd, 0xff, 0xff, 0xff, 0xff], [0x81, 0xc1, 0x00],
            [0x93, 1, 2, 3],
        ] as [[UInt8]]
    )
    func `no robot is found where there is none`(bytes: [UInt8]) {
        #expect(Self.peek(in: bytes) == nil)
    }

    @Test func `the search for a robot ends`() {
        var late = MessagePackMap()
        _ = late.append("values", .array(Array(repeating: .unsigned(1), count: 600)))
        _ = late.append("robot", .string("arm1"))
        #expect(Self.peek(in: RejectionTests.pack(.map(late))) == nil)
    }
}

import Robotics
import TestRandom
import Testing

@testable import Wire

@Suite struct MessagePackTests {
    static func decode(
        _ bytes: [UInt8],
        limits: MessagePackLimits = .standard
    ) -> Result<MessagePackValue, MessageError> {
        Result { () throws(MessageError) in try MessagePackDecoder.decode(bytes, limits: limits) }
    }

    static func code(_ bytes: [UInt8], limits: MessagePackLimits = .standard) -> MessageError.Code? {
        guard case .failure(let error) = decode(bytes, limits: limits) else { return nil }
        return error.code
    }

    /// One value of each form of the MessagePack specification that the protocol uses.
    static let forms: [([UInt8], MessagePackValue)] = [
        ([0xc0], .null),
        ([0xc2], .bool(false)),
        ([0xc3], .bool(true)),
        ([0x7f], .unsigned(127)),
        ([0xe0], .negative(-32)),
        ([0xcc, 0x80], .unsigned(128)),
        ([0xcd, 0x01, 0x00], .unsigned(256)),
        ([0xce, 0x00, 0x01, 0x00, 0x00], .unsigned(65536)),
        ([0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], .unsigned(.max)),
        ([0xd0, 0x80], .negative(-128)),
        ([0xd1, 0x80, 0x00], .negative(-32768)),
        ([0xd2, 0x80, 0x00, 0x00, 0x00], .negative(-2_147_483_648)),
        ([0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], .negative(.min)),
        ([0xca, 0x3f, 0x00, 0x00, 0x00], .float(0.5)),
        ([0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0], .float(0.5)),
        ([0xa2, 0x68, 0x69], .string("hi")),
        ([0xd9, 0x02, 0x68, 0x69], .string("hi")),
        ([0xda, 0x00, 0x02, 0x68, 0x69], .string("hi")),
        ([0xdb, 0x00, 0x00, 0x00, 0x02, 0x68, 0x69], .string("hi")),
        ([0xa0], .string("")),
        ([0xc4, 0x01, 0x07], .binary([7])),
        ([0xc5, 0x00, 0x01, 0x07], .binary([7])),
        ([0xc6, 0x00, 0x00, 0x00, 0x01, 0x07], .binary([7])),
        ([0xc4, 0x00], .binary([])),
        ([0x92, 0x01, 0x02], .array([.unsigned(1), .unsigned(2)])),
        ([0xdc, 0x00, 0x01, 0x01], .array([.unsigned(1)])),
        ([0xdd, 0x00, 0x00, 0x00, 0x01, 0x01], .array([.unsigned(1)])),
        ([0x90], .array([])),
        ([0x80], .map(MessagePackMap())),
        ([0x81, 0xa1, 0x61, 0x01], .map(MessagePackMap(["a": .unsigned(1)]))),
        ([0x81, 0xc4, 0x01, 0x61, 0x01], .map(MessagePackMap(["a": .unsigned(1)]))),
        ([0xde, 0x00, 0x01, 0xa1, 0x61, 0x01], .map(MessagePackMap(["a": .unsigned(1)]))),
        ([0xdf, 0x00, 0x00, 0x00, 0x01, 0xa1, 0x61, 0x01], .map(MessagePackMap(["a": .unsigned(1)]))),
    ]

    @Test(arguments: forms)
    func formIsDecoded(bytes: [UInt8], value: MessagePackValue) throws {
        #expect(try Self.decode(bytes).get() == value)
    }

    @Test(arguments: forms)
    func valueSurvivesPacking(bytes: [UInt8], value: MessagePackValue) throws {
        let encoder = MessagePackEncoder()
        encoder.value(value)
        #expect(try Self.decode(encoder.bytes).get() == value)
    }

    @Test(arguments: forms)
    func everyPrefixIsRefused(bytes: [UInt8], value: MessagePackValue) {
        for length in 0..<bytes.count {
            #expect(Self.code(Array(bytes.prefix(length))) == .notMessagePack)
        }
        #expect(Self.code(bytes + [0xc0]) == .notMessagePack)
    }

    /// Lengths of up to 2^32 - 1 that the message does not have.
    @Test(
        arguments: [
            [0xdd, 0xff, 0xff, 0xff, 0xff], [0xdf, 0xff, 0xff, 0xff, 0xff],
            [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61],
            [0xc6, 0xff, 0xff, 0xff, 0xff, 0x61], [0xdc, 0xff, 0xff, 0x01], [0xde, 0xff, 0xff, 0x01],
            [0x92, 0xdd, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] as [[UInt8]]
    )
    func lyingLengthIsRefused(bytes: [UInt8]) {
        #expect(Self.code(bytes) == .notMessagePack)
    }

    @Test(
        arguments: [
            [0xc1], [0xd4, 0x01, 0x00], [0xd8] + [UInt8](repeating: 0, count: 17), [0xc7, 0x01, 0x01, 0x00],
            [0xa1, 0xff], [0x81, 0x01, 0x01], [0x81, 0xc4, 0x01, 0xff, 0x01],
            [0x82, 0xa1, 0x61, 0x01, 0xc4, 0x01, 0x61, 0x02],
        ] as [[UInt8]]
    )
    func unusableIsRefused(bytes: [UInt8]) {
        #expect(Self.code(bytes) == .notMessagePack)
    }

    @Test func limitsAreExact() {
        let limits = MessagePackLimits(messageBytes: 12, depth: 2, values: 6, mapEntries: 1)
        #expect(Self.code([0x91, 0x91, 0x01], limits: limits) == nil)
        #expect(Self.code([0x91, 0x91, 0x91, 0x01], limits: limits) == .tooDeep)
        #expect(Self.code([0x95, 1, 2, 3, 4, 5], limits: limits) == nil)
        #expect(Self.code([0x96, 1, 2, 3, 4, 5, 6], limits: limits) == .tooLarge)
        #expect(Self.code([0xc4, 0x0a] + [UInt8](repeating: 0, count: 10), limits: limits) == nil)
        #expect(Self.code([0xc4, 0x0b] + [UInt8](repeating: 0, count: 11), limits: limits) == .tooLarge)
        #expect(Self.code([0x81, 0xa1, 0x61, 0x01], limits: limits) == nil)
        #expect(Self.code([0x82, 0xa1, 0x61, 0x01, 0xa1, 0x62, 0x01], limits: limits) == .tooLarge)
    }

    @Test func deepestAllowedNestingIsUnpacked() {
        let limits = MessagePackLimits(messageBytes: 100, depth: 24, values: 100, mapEntries: 1)
        #expect(Self.code([UInt8](repeating: 0x91, count: 24) + [1], limits: limits) == nil)
        #expect(Self.code([UInt8](repeating: 0x91, count: 25) + [1], limits: limits) == .tooDeep)
    }

    /// How many damaged messages a reader took and refused.
    struct Outcomes {
        var taken = 0
        var refused = 0

        /// Reads a message, and checks one that is taken: packed again, it reads as the same message.
        ///
        /// Packed bytes are compared, not values: a chunk's tolerance may be NaN, which equals nothing.
        mutating func count<Message>(
            _ bytes: [UInt8],
            read: ([UInt8]) throws(MessageError) -> Message,
            pack: (Message) -> [UInt8],
            check: (Message) -> Void = { _ in }
        ) {
            let message: Message
            do throws(MessageError) { message = try read(bytes) } catch {
                refused += 1
                return
            }
            taken += 1
            check(message)
            let packed = pack(message)
            do throws(MessageError) {
                let again = try read(packed)
                #expect(pack(again) == packed, "\(message) reads as \(again) when it is packed")
            } catch {
                Issue.record("\(message) is refused when it is packed: \(error)")
            }
        }
    }

    /// A message's bytes, of which one to four were flipped, replaced, cut or put in.
    static func damaged(_ original: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
            case 2: bytes.remove(at: index)
            default: bytes.insert(UInt8.random(in: 0xc0...0xdf, using: &random), at: index)
            }
        }
        return bytes
    }

    @Test func `a damaged message is refused, or reads the same when it is packed again`() throws {
        var random = SplitMix64(seed: 1)
        let originals = try ["observation", "chunk", "predict", "reset"].map { try ProtocolPage.bytes($0) }
        var (requests, observations, chunks, replies) = (Outcomes(), Outcomes(), Outcomes(), Outcomes())
        for round in 0..<20_000 {
            let bytes = Self.damaged(originals[round % originals.count], &random)
            requests.count(bytes) { bytes throws(MessageError) in
                let (number, request) = Request.decode(bytes)
                return (number, try request.get())
            } pack: {
                $1.encoded(number: $0)
            }
            observations.count(bytes) { bytes throws(MessageError) in
                try RobotObservation(decoding: bytes)
            } pack: {
                $0.encoded()
            } check: {
                let isFinite = $0.values.values.allSatisfy { $0.allSatisfy(\.isFinite) }
                #expect(isFinite)
            }
            chunks.count(bytes) { bytes throws(MessageError) in
                try RobotChunk(decoding: bytes)
            } pack: {
                var chunk = $0
                return chunk.encode()
            } check: {
                let isFinite = $0.actions.allSatisfy(\.isFinite)
                #expect(isFinite)
            }
            replies.count(bytes) { bytes throws(MessageError) in
                try Reply.decode(bytes)
            } pack: {
                $1.encoded(number: $0)
            }
        }
        // A quarter of the messages is of the kind that a reader wants, or half of them; most of these are damaged beyond use.
        for outcomes in [requests, observations, chunks, replies] {
            #expect(outcomes.taken > 100 && outcomes.refused > 10_000, "\(outcomes)")
        }
    }
}

import Testing

@testable import Pickle

/// The bytes are what CPython's pickle writes, as its pickletools show them, or hand-made.
@Suite struct PickleTests {
    /// `pickle.dumps(value, protocol=2)` and 4 for the value that the comment says.
    @Test(arguments: [
        // {'a': [1, -2, 300, 70000, 2**40, 1.5, True, None], 'b': (b'x', 'é')}, protocol 4
        [
            0x80, 0x04, 0x95, 0x45, 0, 0, 0, 0, 0, 0, 0, 0x7d, 0x94, 0x28, 0x8c, 0x01, 0x61, 0x94, 0x5d, 0x94,
            0x28,
            0x4b, 0x01, 0x4a, 0xfe, 0xff, 0xff, 0xff, 0x4d, 0x2c, 0x01, 0x4a, 0x70, 0x11, 0x01, 0x00, 0x8a,
            0x06, 0, 0,
            0, 0, 0, 0x01, 0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0x88, 0x4e, 0x65, 0x8c, 0x01, 0x62, 0x94, 0x43,
            0x01,
            0x78, 0x94, 0x8c, 0x02, 0xc3, 0xa9, 0x94, 0x86, 0x94, 0x75, 0x2e,
        ]
    ])
    func `values are read`(bytes: [UInt8]) throws {
        var bytes = bytes
        bytes[3] = UInt8(bytes.count - 11)
        let pickle = try Pickle(bytes)
        let list = try #require(pickle.member("a", of: pickle.root))
        #expect(
            pickle.sequence(list) == [
                .integer(1), .integer(-2), .integer(300), .integer(70_000), .integer(1 << 40), .float(1.5),
                .bool(true), .none,
            ]
        )
        let tuple = try #require(pickle.member("b", of: pickle.root))
        #expect(pickle.sequence(tuple) == [.bytes([0x78]), .string("é")])
    }

    /// `os.system('true')` as a pickle that Python would run.
    @Test func `what Python would call is a name`() throws {
        let bytes =
            Array("\u{80}\u{02}".unicodeScalars.map { UInt8($0.value) })
            + Array("cos\nsystem\nX\u{4}\0\0\0true\u{85}R.".utf8.map { $0 })
        // U+0085 takes two bytes in UTF-8.
        let pickle = try Pickle(bytes.filter { $0 != 0xc2 })
        #expect(pickle.callee(pickle.root) == "os.system")
        let arguments = try #require(pickle.node(pickle.root)?.arguments)
        #expect(pickle.sequence(arguments) == [.string("true")])
        #expect(pickle.summary(pickle.root) == "an object of \"os.system\"")
    }

    @Test func `bytes of protocol 2 are Latin-1 text`() throws {
        let bytes: [UInt8] =
            [0x80, 0x02] + Array("c_codecs\nencode\n".utf8) + [0x58, 3, 0, 0, 0, 0x61, 0xc3, 0xbf]
            + [0x58, 6, 0, 0, 0] + Array("latin1".utf8) + [0x86, 0x52, 0x2e]
        let pickle = try Pickle(bytes)
        #expect(pickle.bytes(pickle.root) == [0x61, 0xff])
    }

    /// An `OrderedDict` is a call whose result gets entries, and attributes.
    @Test func `an ordered dictionary has entries`() throws {
        let bytes: [UInt8] =
            [0x80, 0x02] + Array("ccollections\nOrderedDict\n".utf8) + [0x29, 0x52, 0x71, 0x00]
            + [0x58, 1, 0, 0, 0, 0x6b, 0x4b, 7, 0x73] + [0x7d, 0x62, 0x2e]
        let pickle = try Pickle(bytes)
        #expect(pickle.member("k", of: pickle.root) == .integer(7))
        #expect(pickle.node(pickle.root)?.state != nil)
    }

    @Test func `a value may contain itself`() throws {
        // l = []; l.append(l)
        let pickle = try Pickle([0x80, 0x02, 0x5d, 0x71, 0x00, 0x68, 0x00, 0x61, 0x2e])
        #expect(pickle.sequence(pickle.root) == [pickle.root])
    }

    @Test func `a long number is known to be one`() throws {
        let huge: [UInt8] = [0x80, 0x02, 0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x2e]
        #expect(try Pickle(huge).root == .hugeInteger)
        let negative: [UInt8] = [0x80, 0x02, 0x8a, 2, 0x00, 0xff, 0x2e]
        #expect(try Pickle(negative).root == .integer(-256))
    }

    @Test(arguments: [
        ([], "byte 0: the end after 0 bytes; expected 1 more of the instruction"),
        ([0x80, 0x02, 0x2e], "byte 2: an empty stack; expected a value for the instruction to work on"),
        ([0x80, 0x07], "byte 0: protocol 7; expected a protocol from 2 to 5"),
        ([0x80, 0x02, 0x4e, 0x4e, 0x2e], "byte 4: 2 values at the end; expected one value"),
        ([0x80, 0x02, 0x4e, 0x2e, 0x00], "byte 3: 1 bytes after the end; expected nothing"),
        ([0x80, 0x02, 0x65], "byte 2: no mark on the stack; expected a mark before this instruction"),
        ([0x80, 0x02, 0x4e, 0x4e, 0x61], "byte 4: another value to fill; expected a list or call"),
        (
            [0x80, 0x02, 0x68, 0x05],
            "byte 2: entry 5 of the memo, which is empty; expected an entry that was put there"
        ),
        (
            [0x80, 0x02, 0x58, 0xff, 0xff, 0xff, 0xff, 0x61],
            "byte 2: the end after 1 bytes; expected 4294967295 more of the instruction"
        ),
        ([0x80, 0x02, 0x58, 1, 0, 0, 0, 0xff], "byte 2: text that is not UTF-8; expected UTF-8"),
        // Text instructions of protocol 0, and persistent names as text.
        (
            Array("I1\n.".utf8),
            "byte 0: the instruction 0x49; expected a binary instruction of pickle protocols 2 to 5"
        ),
        (
            [0x80, 0x02, 0x7d, 0x28, 0x4e, 0x75],
            "byte 5: a key without a value; expected keys and values in turn"
        ),
    ])
    func `what is wrong is said with its place`(bytes: [UInt8], message: String) {
        let error = #expect(throws: PickleError.self) { try Pickle(bytes) }
        #expect(error?.description == message)
    }

    @Test func `limits hold`() {
        var limits = PickleLimits()
        limits.nodes = 3
        let lists: [UInt8] = [0x80, 0x02, 0x5d, 0x5d, 0x5d, 0x5d]
        #expect(throws: PickleError.self) { try Pickle(lists + [0x2e], limits: limits) }
        limits = PickleLimits()
        limits.values = 8
        let instructions: [[UInt8]] = [[0x4e], [0x28], [0x5d, 0x94]]
        for instruction in instructions {
            var many: [UInt8] = [0x80, 0x02]
            for _ in 0..<9 { many += instruction }
            let error = #expect(throws: PickleError.self) { try Pickle(many + [0x2e], limits: limits) }
            #expect(error?.expected == "at most 8")
        }
        limits.bytes = 2
        #expect(throws: PickleError.self) { try Pickle([0x80, 0x02, 0x4e, 0x2e], limits: limits) }
    }
}

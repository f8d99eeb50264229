import Foundation
import TestRandom
import Testing

@testable import Safetensors

/// A header that breaks one rule, and what the error must say of it.
struct LyingHeader: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let header: String
    var dataByteCount = 8
    let reason: SafetensorsError.Reason
    let mentions: String

    static let all = [
        LyingHeader(
            testDescription: "end beyond the data",
            header: tensor(shape: "[4]", offsets: "[0,16]"),
            reason: .offsets,
            mentions: "[0, 16]"
        ),
        LyingHeader(
            testDescription: "begin after end",
            header: tensor(shape: "[2]", offsets: "[8,0]"),
            reason: .offsets,
            mentions: "[8, 0]"
        ),
        LyingHeader(
            testDescription: "negative begin",
            header: tensor(shape: "[2]", offsets: "[-8,0]"),
            reason: .offsets,
            mentions: "[-8, 0]"
        ),
        LyingHeader(
            testDescription: "offset beyond 64 bits",
            header: tensor(shape: "[2]", offsets: "[0,18446744073709551624]"),
            reason: .offsets,
            mentions: "whole numbers"
        ),
        LyingHeader(
            testDescription: "offsets with a fraction",
            header: tensor(shape: "[2]", offsets: "[0,8.0]"),
            reason: .offsets,
            mentions: "8.0"
        ),
        LyingHeader(
            testDescription: "three offsets",
            header: tensor(shape: "[2]", offsets: "[0,4,8]"),
            reason: .offsets,
            mentions: "[0, 4, 8]"
        ),
        LyingHeader(
            testDescription: "no offsets",
            header: #"{"a":{"dtype":"F32","shape":[2]}}"#,
            reason: .offsets,
            mentions: "missing"
        ),
        LyingHeader(
            testDescription: "size that contradicts the shape",
            header: tensor(shape: "[3]", offsets: "[0,8]"),
            reason: .offsets,
            mentions: "12 bytes"
        ),
        LyingHeader(
            testDescription: "size that contradicts the dtype",
            header: tensor(dtype: "F64", shape: "[2]", offsets: "[0,8]"),
            reason: .offsets,
            mentions: "16 bytes"
        ),
        LyingHeader(
            testDescription: "product of the shape overflows",
            header: tensor(shape: "[4294967296,4294967296]", offsets: "[0,8]"),
            reason: .shape,
            mentions: "4294967296"
        ),
        LyingHeader(
            testDescription: "bytes of the shape overflow",
            header: tensor(shape: "[4611686018427387906]", offsets: "[0,8]"),
            reason: .shape,
            mentions: "63 bits"
        ),
        LyingHeader(
            testDescription: "negative dimension",
            header: tensor(shape: "[-1,-2]", offsets: "[0,8]"),
            reason: .shape,
            mentions: "[-1, -2]"
        ),
        LyingHeader(
            testDescription: "fractional dimension",
            header: tensor(shape: "[2.0]", offsets: "[0,8]"),
            reason: .shape,
            mentions: "2.0"
        ),
        LyingHeader(
            testDescription: "dimension that is a string",
            header: tensor(shape: #"["2"]"#, offsets: "[0,8]"),
            reason: .shape,
            mentions: #"["2"]"#
        ),
        LyingHeader(
            testDescription: "too many dimensions",
            header: tensor(shape: "[2" + String(repeating: ",1", count: 16) + "]", offsets: "[0,8]"),
            reason: .shape,
            mentions: "16 dimensions"
        ),
        LyingHeader(
            testDescription: "shape that is a number",
            header: tensor(shape: "2", offsets: "[0,8]"),
            reason: .shape,
            mentions: "2"
        ),
        LyingHeader(
            testDescription: "unknown dtype",
            header: tensor(dtype: "F31", shape: "[2]", offsets: "[0,8]"),
            reason: .unknownDType,
            mentions: "F31"
        ),
        LyingHeader(
            testDescription: "dtype in lower case",
            header: tensor(dtype: "f32", shape: "[2]", offsets: "[0,8]"),
            reason: .unknownDType,
            mentions: "f32"
        ),
        LyingHeader(
            testDescription: "overlapping tensors",
            header: two(first: "[0,8]", second: "[4,12]"),
            dataByteCount: 12,
            reason: .overlap,
            mentions: "byte 4"
        ),
        LyingHeader(
            testDescription: "two tensors on the same bytes",
            header: two(first: "[0,8]", second: "[0,8]"),
            reason: .overlap,
            mentions: "byte 0"
        ),
        LyingHeader(
            testDescription: "hole between tensors",
            header: two(first: "[0,8]", second: "[12,20]"),
            dataByteCount: 20,
            reason: .hole,
            mentions: "byte 12"
        ),
        LyingHeader(
            testDescription: "hole at the start",
            header: tensor(shape: "[2]", offsets: "[4,12]"),
            dataByteCount: 12,
            reason: .hole,
            mentions: "byte 4"
        ),
        LyingHeader(
            testDescription: "bytes after the last tensor",
            header: tensor(shape: "[2]", offsets: "[0,8]"),
            dataByteCount: 9,
            reason: .hole,
            mentions: "9"
        ),
        LyingHeader(
            testDescription: "data without tensors",
            header: "{}",
            reason: .hole,
            mentions: "byte 0"
        ),
        LyingHeader(
            testDescription: "duplicate name",
            header: two(first: "[0,8]", second: "[8,16]", secondName: "a"),
            dataByteCount: 16,
            reason: .duplicateName,
            mentions: #""a""#
        ),
        LyingHeader(
            testDescription: "duplicate name hidden by an escape",
            header: two(first: "[0,8]", second: "[8,16]", secondName: #"\u0061"#),
            dataByteCount: 16,
            reason: .duplicateName,
            mentions: #""a""#
        ),
        LyingHeader(
            testDescription: "duplicate member of a tensor",
            header: #"{"a":{"dtype":"F32","shape":[2],"shape":[1,2],"data_offsets":[0,8]}}"#,
            reason: .duplicateName,
            mentions: "shape"
        ),
        LyingHeader(
            testDescription: "unknown member of a tensor",
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"strides":[2]}}"#,
            reason: .headerSyntax,
            mentions: "strides"
        ),
        LyingHeader(
            testDescription: "tensor that is a list",
            header: #"{"a":[]}"#,
            reason: .headerSyntax,
            mentions: "dtype, shape and data_offsets"
        ),
        LyingHeader(
            testDescription: "metadata that is not strings",
            header: #"{"__metadata__":{"step":1}}"#,
            dataByteCount: 0,
            reason: .headerSyntax,
            mentions: "step"
        ),
        LyingHeader(
            testDescription: "a list for a header",
            header: "[]",
            reason: .headerSyntax,
            mentions: "123"
        ),
        LyingHeader(
            testDescription: "space before the object",
            header: " {}",
            dataByteCount: 0,
            reason: .headerSyntax,
            mentions: "32"
        ),
        LyingHeader(
            testDescription: "text after the object",
            header: "{} {}",
            dataByteCount: 0,
            reason: .headerSyntax,
            mentions: "after the end"
        ),
        LyingHeader(
            testDescription: "unfinished object",
            header: #"{"a":{"dtype":"F32","#,
            reason: .headerSyntax,
            mentions: "JSON"
        ),
        LyingHeader(
            testDescription: "half a surrogate pair",
            header: #"{"\ud800":1}"#,
            reason: .headerSyntax,
            mentions: "surrogate"
        ),
        LyingHeader(
            testDescription: "nesting that would exhaust the stack",
            header: #"{"a":"# + String(repeating: "[", count: 100_000),
            reason: .headerSyntax,
            mentions: "nested"
        ),
    ]

    private static func tensor(dtype: String = "F32", shape: String, offsets: String) -> String {
        #"{"a":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}}"#
    }

    private static func two(first: String, second: String, secondName: String = "b") -> String {
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":\#(first)},"#
            + #""\#(secondName)":{"dtype":"F32","shape":[2],"data_offsets":\#(second)}}"#
    }
}

@Suite("A header that lies")
struct LyingHeaderTests {
    @Test(arguments: LyingHeader.all)
    func `Each lie has its error`(lie: LyingHeader) throws {
        let error = try error(opening: fileBytes(header: lie.header, dataByteCount: lie.dataByteCount))
        #expect(error.reason == lie.reason, "\(error)")
        #expect(error.file == "lying.safetensors")
        #expect(error.description.contains(lie.mentions), "\(error)")
        #expect(error.description.utf8.count < 1000)
    }

    @Test(arguments: [0, 1, 9, 100_000_001, 1 << 62, UInt64.max] as [UInt64])
    func `A length beyond the file is refused before anything is read`(length: UInt64) throws {
        let bytes = withUnsafeBytes(of: length.littleEndian, Array.init) + Array("{}      ".utf8)
        let error = try error(opening: bytes)
        #expect(error.reason == .headerLength)
        #expect(error.description.contains(String(length)))
    }

    @Test func `A header of more than 100 MB is refused though the file has it`() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("sparse.safetensors")
            try Data(withUnsafeBytes(of: UInt64(100_000_001).littleEndian, Array.init)).write(to: url)
            let handle = try FileHandle(forWritingTo: url)
            try handle.truncate(atOffset: 200_000_000)
            try handle.close()
            let error = try #require(throws: SafetensorsError.self) { try SafetensorsFile(contentsOf: url) }
            #expect(error.reason == .headerLength)
        }
    }

    @Test(arguments: 1..<8)
    func `A file shorter than the length field is refused`(count: Int) throws {
        #expect(try error(opening: [UInt8](repeating: 0, count: count)).reason == .headerLength)
    }

    @Test func `Bytes that are not UTF-8 are refused`() throws {
        var bytes = fileBytes(
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            dataByteCount: 8
        )
        bytes[10] = 0xFF
        let error = try error(opening: bytes)
        #expect(error.reason == .headerSyntax)
        #expect(error.description.contains("UTF-8"))
    }

    @Test func `A valid minimal header opens`() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("a.safetensors")
            let header =
                #"{"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},"#
                + #""a":{"dtype":"U8","shape":[4,1],"data_offsets":[0,4]}}"#
            try Data(fileBytes(header: header, dataByteCount: 12)).write(to: url)
            #expect(try SafetensorsFile(contentsOf: url).names == ["a", "b"])
        }
    }

    @Test func `Whatever bytes are changed, a file opens whole or gives an error`() throws {
        let valid = Array(try Data(contentsOf: fixture("dtypes.safetensors")))
        let headerEnd = 8 + Int(valid[0]) + Int(valid[1]) << 8
        var random = SplitMix64(seed: 7)
        var refused = 0
        let rounds = 2000
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("mutated.safetensors")
            for _ in 0..<rounds {
                var bytes = valid
                for _ in 0...random.below(3) {
                    // Mostly the header: changed data is still data.
                    let position = random.below(random.below(8) == 0 ? bytes.count : headerEnd)
                    switch random.below(4) {
                    case 0: bytes[position] ^= 1 << UInt8(random.below(8))
                    case 1: bytes[position] = UInt8(random.below(256))
                    case 2: bytes[position] = Array("0123456789-[]{},\":eE\\u".utf8)[random.below(22)]
                    default: bytes.remove(at: position)
                    }
                }
                try Data(bytes).write(to: url)
                do {
                    let file = try SafetensorsFile(contentsOf: url)
                    for (name, tensor) in file.tensors {
                        let count = try file.withBytes(of: name) { $0.byteCount }
                        #expect(count == tensor.elementCount * tensor.dtype.byteCount)
                        if [.f64, .f32, .f16, .bf16].contains(tensor.dtype) {
                            #expect(try file.floats(name).count == tensor.elementCount)
                        }
                    }
                } catch let error as SafetensorsError {
                    refused += 1
                    #expect(!error.description.isEmpty)
                }
            }
        }
        #expect(refused > rounds / 2 && refused < rounds)
    }
}

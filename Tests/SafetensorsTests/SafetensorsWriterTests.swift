import Foundation
import Testing

@testable import Safetensors

@Suite("Writing a file")
struct SafetensorsWriterTests {
    static let tensors: [String: SafetensorsWriter.Tensor] = [
        "z": .f64([1.5, -2.25], shape: [2]),
        "a": .f32([1, 2, 3, 4, 5, 6], shape: [2, 3]),
        "half": .bf16([1, 2, 3], shape: [3]),
        "steps": .i64([-1, 1 << 40], shape: [2, 1]),
        "none": .f32([], shape: [0, 4]),
        "tab\t\"\\\u{e9}": .f32([9], shape: []),
    ]

    @Test func `What is written is read back`() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.safetensors")
            try SafetensorsWriter.write(Self.tensors, metadata: ["b": "2", "a": "line\nend"], to: url)
            let file = try SafetensorsFile(contentsOf: url)
            #expect(file.names == Self.tensors.keys.sorted())
            #expect(file.metadata == ["b": "2", "a": "line\nend"])
            #expect(try file.doubles("z") == [1.5, -2.25])
            #expect(try file.floats("a") == [1, 2, 3, 4, 5, 6])
            #expect(try file.shape(of: "a") == [2, 3])
            #expect(try file.floats("half") == [1, 2, 3])
            #expect(try file.dtype(of: "half") == .bf16)
            #expect(try file.integers("steps") == [-1, 1 << 40])
            #expect(try file.shape(of: "none") == [0, 4])
            #expect(try file.floats("tab\t\"\\\u{e9}") == [9])
        }
    }

    @Test func `The same tensors give the same bytes, aligned`() throws {
        let bytes = try SafetensorsWriter.encode(Self.tensors)
        #expect(
            try SafetensorsWriter.encode(Dictionary(uniqueKeysWithValues: Self.tensors.shuffled())) == bytes
        )
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.safetensors")
            try Data(bytes).write(to: url)
            for tensor in try SafetensorsFile(contentsOf: url).tensors.values {
                #expect(tensor.bytes.lowerBound % tensor.dtype.byteCount == 0)
            }
        }
    }

    @Test(arguments: [
        (Float(1), UInt16(0x3F80)), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (1.005, 0x3F81),
        (-0.0, 0x8000),
        (.infinity, 0x7F80), (.greatestFiniteMagnitude, 0x7F80), (.leastNonzeroMagnitude, 0),
    ])
    func `BF16 rounds to nearest, ties to even`(value: Float, bits: UInt16) throws {
        let bytes = try SafetensorsWriter.encode(["a": .bf16([value], shape: [1])])
        #expect(bytes.suffix(2) == [UInt8(bits & 0xFF), UInt8(bits >> 8)])
    }

    @Test func `A NaN stays one in BF16`() throws {
        let bytes = try SafetensorsWriter.encode(["a": .bf16([Float(bitPattern: 0x7F80_0001)], shape: [1])])
        #expect(bytes.suffix(2) == [0xC0, 0x7F])
    }

    @Test(arguments: [[3], [-2], [2, 2], [1 << 62, 1 << 62]])
    func `A shape that does not match is refused`(shape: [Int]) throws {
        let error = try #require(throws: SafetensorsError.self) {
            try SafetensorsWriter.encode(["a": .f32([1, 2], shape: shape)])
        }
        #expect(error.reason == .shape)
    }

    @Test func `A pipe is written to, not replaced by a file`() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("pipe")
            try #require(mkfifo(url.path, 0o600) == 0)
            // Open at both ends, so that neither writing nor reading waits.
            let descriptor = open(url.path, O_RDWR | O_NONBLOCK)
            try #require(descriptor >= 0)
            defer { close(descriptor) }

            try SafetensorsWriter.write(["a": .f32([1, 2], shape: [2])], to: url)
            var status = stat()
            #expect(lstat(url.path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
            let expected = try SafetensorsWriter.encode(["a": .f32([1, 2], shape: [2])])
            var received = [UInt8](repeating: 0, count: expected.count + 1)
            #expect(read(descriptor, &received, received.count) == expected.count)
            #expect(received.dropLast() == expected[...])
        }
    }

    @Test func `The reserved name is refused`() throws {
        #expect(throws: SafetensorsError.self) {
            try SafetensorsWriter.encode(["__metadata__": .f32([1], shape: [1])])
        }
    }
}

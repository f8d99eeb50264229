import Foundation
import Testing

@testable import Safetensors

@Suite("Reading a file of the reference implementation")
struct SafetensorsFileTests {
    let file: SafetensorsFile

    init() throws {
        file = try SafetensorsFile(contentsOf: fixture("dtypes.safetensors"))
    }

    @Test(arguments: ["f64", "f32", "f16", "bf16"])
    func `Floating-point dtypes convert exactly`(dtype: String) throws {
        let expected = try JSONDecoder().decode(
            [String: [Double]].self,
            from: Data(contentsOf: fixture("dtypes.json"))
        )
        let values = try #require(expected[dtype])
        #expect(try file.shape(of: dtype) == [3, 4])
        #expect(try file.dtype(of: dtype).rawValue == dtype.uppercased())
        #expect(try file.doubles(dtype).map(\.bitPattern) == values.map(\.bitPattern))
        #expect(try file.floats(dtype).map(\.bitPattern) == values.map { Float($0).bitPattern })
    }

    @Test func `Integers keep their value`() throws {
        #expect(try file.integers("i64") == [-(1 << 62), -1, 0, 7])
        #expect(try file.integers("i32") == [-(1 << 31), 5])
        #expect(try file.integers("u8") == [0, 255, 3])
        #expect(try file.integers("bool") == [1, 0])
    }

    @Test func `Scalars, empty tensors, quoted names and metadata are read`() throws {
        #expect(try file.floats("scalar") == [2.5])
        #expect(try file.shape(of: "scalar") == [])
        #expect(try file.floats("empty") == [])
        #expect(try file.shape(of: "empty") == [0, 5])
        #expect(try file.floats("quoted \"name\" \u{e9}") == [1])
        #expect(file.metadata == ["format": "pt"])
    }

    @Test func `A closure sees the bytes as they lie in the file`() throws {
        let bytes = try file.withBytes(of: "scalar") { span in span.withUnsafeBytes(Array.init) }
        #expect(bytes == [0, 0, 0x20, 0x40])
    }

    @Test func `Copying fills a buffer of the right size and refuses another`() throws {
        var values = [Float](repeating: 0, count: 12)
        var span = values.mutableSpan
        try file.copy("f32", into: &span)
        #expect(try values == file.floats("f32"))
        var short = [Float](repeating: 0, count: 11)
        let error = try #require(throws: SafetensorsError.self) {
            var span = short.mutableSpan
            try file.copy("f32", into: &span)
        }
        #expect(error.reason == .mismatch)
        #expect(error.description.contains("12 elements"))
    }

    @Test func `An unknown tensor and a wrong dtype are errors`() throws {
        let missing = try #require(throws: SafetensorsError.self) { try file.floats("nothing") }
        #expect(missing.reason == .missingTensor)
        #expect(
            missing.description
                == "dtypes.safetensors: tensor \"nothing\": no such tensor; expected one of the file's 11 tensors"
        )
        #expect(try #require(throws: SafetensorsError.self) { try file.floats("i64") }.reason == .mismatch)
        #expect(try #require(throws: SafetensorsError.self) { try file.doubles("u8") }.reason == .mismatch)
        #expect(try #require(throws: SafetensorsError.self) { try file.integers("f32") }.reason == .mismatch)
    }

    @Test func `A folder, a missing file and an empty file are errors`() throws {
        try withTemporaryFolder { folder in
            #expect(
                try #require(throws: SafetensorsError.self) { try SafetensorsFile(contentsOf: folder) }.reason
                    == .inputOutput
            )
            let url = folder.appendingPathComponent("a.safetensors")
            let missing = try #require(throws: SafetensorsError.self) { try SafetensorsFile(contentsOf: url) }
            #expect(missing.description.contains("No such file"))
            try Data().write(to: url)
            #expect(throws: SafetensorsError.self) { try SafetensorsFile(contentsOf: url) }
        }
    }

    @Test func `A file that shrinks after it was opened is an error, not a crash`() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("a.safetensors")
            try SafetensorsWriter.write(["a": .f32([1, 2, 3, 4], shape: [4])], to: url)
            let file = try SafetensorsFile(contentsOf: url)
            let handle = try FileHandle(forWritingTo: url)
            try handle.truncate(atOffset: 16)
            try handle.close()
            let error = try #require(throws: SafetensorsError.self) { try file.floats("a") }
            #expect(error.description.contains("changed"))
        }
    }
}

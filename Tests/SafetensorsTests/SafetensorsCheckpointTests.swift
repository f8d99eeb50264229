import Foundation
import Testing

@testable import Safetensors

@Suite("A checkpoint folder")
struct SafetensorsCheckpointTests {
    /// Two shards with tensors a, b and c, and this index.
    private func withShards<Result>(index: String, _ body: (URL) throws -> Result) throws -> Result {
        try withTemporaryFolder { folder in
            try SafetensorsWriter.write(
                ["a": .f32([1], shape: [1]), "b": .f32([2, 3], shape: [2])],
                to: folder.appendingPathComponent("model-00001-of-00002.safetensors")
            )
            try SafetensorsWriter.write(
                ["c": .bf16([4], shape: [1])],
                to: folder.appendingPathComponent("model-00002-of-00002.safetensors")
            )
            try Data(index.utf8).write(to: folder.appendingPathComponent("model.safetensors.index.json"))
            return try body(folder)
        }
    }

    private static let first = "model-00001-of-00002.safetensors"
    private static let second = "model-00002-of-00002.safetensors"
    private static func index(_ map: KeyValuePairs<String, String>) -> String {
        let members = map.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", ")
        return "{\"metadata\": {\"total_size\": 14}, \"weight_map\": {\(members)}}"
    }
    private static let honest = index(["a": first, "b": first, "c": second])

    @Test func `Shards are read through the index`() throws {
        try withShards(index: Self.honest) { folder in
            let checkpoint = try SafetensorsCheckpoint(directory: folder)
            #expect(checkpoint.names == ["a", "b", "c"])
            #expect(checkpoint.files.map(\.name) == [Self.first, Self.second])
            #expect(try checkpoint.floats("b") == [2, 3])
            #expect(try checkpoint.floats("c") == [4])
            let missing = try #require(throws: SafetensorsError.self) { try checkpoint.floats("d") }
            #expect(missing.reason == .missingTensor)
        }
    }

    @Test func `A single file is read without an index`() throws {
        try withTemporaryFolder { folder in
            try SafetensorsWriter.write(
                ["a": .f32([1], shape: [1])],
                to: folder.appendingPathComponent("model.safetensors")
            )
            #expect(try SafetensorsCheckpoint(directory: folder).floats("a") == [1])
        }
    }

    @Test func `A single file beside an index that does not name it is refused`() throws {
        try withShards(index: Self.honest) { folder in
            try SafetensorsWriter.write([:], to: folder.appendingPathComponent("model.safetensors"))
            let error = try #require(throws: SafetensorsError.self) {
                try SafetensorsCheckpoint(directory: folder)
            }
            #expect(error.reason == .shardIndex)
        }
    }

    @Test(
        arguments: [
            (
                "a tensor in another shard", index(["a": first, "b": second, "c": second]), .shardIndex,
                "\"b\""
            ),
            (
                "a tensor in no shard", index(["a": first, "b": first, "c": second, "d": second]),
                .shardIndex, "\"d\""
            ),
            ("a tensor the index lacks", index(["a": first, "c": second]), .shardIndex, "\"b\""),
            (
                "a tensor named twice", index(["a": first, "a": first, "b": first, "c": second]),
                .duplicateName, "\"a\""
            ),
            (
                "a shard that is not there", index(["a": "other.safetensors"]), .inputOutput,
                "other.safetensors"
            ),
            ("a shard in another folder", index(["a": "../x.safetensors"]), .shardIndex, "../x.safetensors"),
            ("an absolute shard", index(["a": "/tmp/x.safetensors"]), .shardIndex, "/tmp/x.safetensors"),
            (
                "a shard in another folder, behind a slash with an accent",
                index(["a": "..\u{308}/\u{301}x.safetensors"]),
                .shardIndex, "expected the name"
            ),
            (
                "a shard whose name breaks a line", index(["a": "x\\u0085y.safetensors"]), .shardIndex,
                #""x\u{85}y.safetensors""#
            ),
            ("a shard that is a pickle", index(["a": "model.bin"]), .shardIndex, "model.bin"),
            ("no weight_map", "{}", .headerSyntax, "weight_map"),
            ("an empty weight_map", "{\"weight_map\": {}}", .headerSyntax, "weight_map"),
            ("a weight_map of numbers", "{\"weight_map\": {\"a\": 1}}", .shardIndex, "1"),
            ("not JSON", "weights", .headerSyntax, "JSON"),
        ] as [(String, String, SafetensorsError.Reason, String)]
    )
    func `An index that lies is refused`(
        lie: String,
        index: String,
        reason: SafetensorsError.Reason,
        mentions: String
    ) throws {
        try withShards(index: index) { folder in
            let error = try #require(throws: SafetensorsError.self) {
                try SafetensorsCheckpoint(directory: folder)
            }
            #expect(error.reason == reason, "\(error)")
            #expect(error.description.contains(mentions), "\(error)")
        }
    }

    @Test(
        arguments: [
            ("it's", #""it's""#), ("\"\\", #""\"\\""#), ("\n\r\t\0", #""\n\r\t\u{0}""#),
            ("a\u{7f}\u{85}\u{202e}\u{2028}", #""a\u{7F}\u{85}\u{202E}\u{2028}""#),
            (
                "e" + String(repeating: "\u{301}", count: 200),
                "\"e" + String(repeating: "\u{301}", count: 119) + "\"..."
            ),
        ]
    )
    func `Text from a file stays on its line and is cut`(text: String, expected: String) {
        #expect(Array(text.quoted.unicodeScalars) == Array(expected.unicodeScalars))
    }
}

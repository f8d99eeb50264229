import Checksums
import Foundation
import PolicyFixtures
import Testing

@testable import Importing
@testable import Pickle

/// A file of `Tests/ImportingTests/Resources`.
func resource(_ name: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Resources").appending(path: name)
}

/// A folder for one test; removed with the value.
final class Workplace {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-\(UInt64.random(in: 0 ... .max))", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func url(_ name: String) -> URL { folder.appending(path: name) }

    @discardableResult
    func write(_ bytes: [UInt8], as name: String) throws -> URL {
        try Data(bytes).write(to: url(name))
        return url(name)
    }

    /// Names of all that lies in the folder.
    var contents: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
    }
}

/// The bytes of a zip archive as PyTorch writes it: entries stored, sizes in the directory.
struct ZipBytes {
    /// An entry, and what its headers say of it.
    struct Entry {
        let name: String
        var data: [UInt8]
        var method: UInt16 = 0
        var flags: UInt16 = 0x0808
        /// Nil: the right one.
        var checksum: UInt32?
        /// Whether its sizes and its place stand in a zip64 field.
        var isWide = false
        /// The name in its own header; nil: the same.
        var headerName: String?
    }

    var entries: [Entry]
    /// Whether the end has the form of zip64.
    var hasWideEnd = false
    var comment: [UInt8] = []

    init(_ entries: KeyValuePairs<String, [UInt8]>) {
        self.entries = entries.map { Entry(name: $0.key, data: $0.value) }
    }

    var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let start = file.count
            let name = Array((entry.headerName ?? entry.name).utf8)
            file += Self.little(0x0403_4b50, 4) + Self.little(20, 2) + Self.little(UInt64(entry.flags), 2)
            file += Self.little(UInt64(entry.method), 2) + [UInt8](repeating: 0, count: 16)
            // A field that only pads, as PyTorch aligns its data.
            file += Self.little(UInt64(name.count), 2) + Self.little(9, 2)
            file += name + Array("FB".utf8) + Self.little(5, 2) + [UInt8](repeating: 0x5a, count: 5)
            file += entry.data
            let sum = entry.checksum ?? CRC32.sum(of: entry.data.span)
            directory += Self.little(0x0201_4b50, 4) + Self.little(0, 4) + Self.little(UInt64(entry.flags), 2)
            directory +=
                Self.little(UInt64(entry.method), 2) + Self.little(0, 4) + Self.little(UInt64(sum), 4)
            let wide = [UInt64(entry.data.count), UInt64(entry.data.count), UInt64(start)]
            let extra =
                entry.isWide
                ? Self.little(1, 2) + Self.little(24, 2) + wide.flatMap { Self.little($0, 8) } : []
            let narrow = entry.isWide ? [UInt64](repeating: UInt64(UInt32.max), count: 3) : wide
            directory += Self.little(narrow[0], 4) + Self.little(narrow[1], 4)
            directory += Self.little(UInt64(entry.name.utf8.count), 2) + Self.little(UInt64(extra.count), 2)
            directory += [UInt8](repeating: 0, count: 10) + Self.little(narrow[2], 4)
            directory += Array(entry.name.utf8) + extra
        }
        return file + directory + end(at: file.count, directory.count)
    }

    private func end(at start: Int, _ size: Int) -> [UInt8] {
        let count = UInt64(entries.count)
        var bytes: [UInt8] = []
        if hasWideEnd {
            bytes += Self.little(0x0606_4b50, 4) + Self.little(44, 8) + Self.little(0, 12)
            bytes += Self.little(count, 8) + Self.little(count, 8)
            bytes += Self.little(UInt64(size), 8) + Self.little(UInt64(start), 8)
            bytes += Self.little(0x0706_4b50, 4) + Self.little(0, 4)
            bytes += Self.little(UInt64(start + size), 8) + Self.little(1, 4)
        }
        let narrow = hasWideEnd ? UInt64(UInt16.max) : count
        bytes +=
            Self.little(0x0605_4b50, 4) + Self.little(0, 4) + Self.little(narrow, 2) + Self.little(narrow, 2)
        bytes += Self.little(hasWideEnd ? UInt64(UInt32.max) : UInt64(size), 4)
        bytes += Self.little(hasWideEnd ? UInt64(UInt32.max) : UInt64(start), 4)
        return bytes + Self.little(UInt64(comment.count), 2) + comment
    }

    static func little(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) : 0 }
    }
}

/// Pickles of protocol 2, put together from the parts that PyTorch's have.
enum PickleBytes {
    static func pickle(_ value: [UInt8]) -> [UInt8] { [0x80, 0x02] + value + [0x2e] }

    static func text(_ text: String) -> [UInt8] {
        [0x58] + ZipBytes.little(UInt64(text.utf8.count), 4) + Array(text.utf8)
    }

    static func integer(_ number: Int) -> [UInt8] {
        [0x8a, 8] + ZipBytes.little(UInt64(bitPattern: Int64(number)), 8)
    }

    static func tuple(_ values: [[UInt8]]) -> [UInt8] { [0x28] + values.flatMap { $0 } + [0x74] }

    static func dictionary(_ entries: KeyValuePairs<String, [UInt8]>) -> [UInt8] {
        [0x7d, 0x28] + entries.flatMap { text($0.key) + $0.value } + [0x75]
    }

    static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }

    static func call(_ module: String, _ name: String, _ arguments: [[UInt8]]) -> [UInt8] {
        global(module, name) + tuple(arguments) + [0x52]
    }

    /// A tensor as `torch.save` writes it.
    static func tensor(
        storage: String = "0",
        type: String = "FloatStorage",
        count: Int,
        offset: Int = 0,
        shape: [Int],
        strides: [Int]
    ) -> [UInt8] {
        let identifier = tuple([
            text("storage"), global("torch", type), text(storage), text("cpu"), integer(count),
        ])
        return call(
            "torch._utils",
            "_rebuild_tensor_v2",
            [
                identifier + [0x51], integer(offset), tuple(shape.map(integer)), tuple(strides.map(integer)),
                [0x89],
                call("collections", "OrderedDict", []),
            ]
        )
    }
}

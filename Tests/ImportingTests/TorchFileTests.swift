import Foundation
import Safetensors
import Testing

@testable import Importing
@testable import Pickle

/// Archives and tensors, hand-made.
@Suite struct TorchFileTests {
    private func file(_ value: [UInt8], storage: [UInt8], change: (inout ZipBytes) -> Void = { _ in }) throws
        -> TorchFile
    {
        let workplace = try Workplace()
        var zip = ZipBytes([
            "archive/data.pkl": PickleBytes.pickle(value), "archive/byteorder": Array("little".utf8),
            "archive/data/0": storage,
        ])
        change(&zip)
        return try TorchFile(contentsOf: workplace.write(zip.bytes, as: "x.ckpt"))
    }

    /// 0, 1, 2, ... as 32-bit floats.
    private static func floats(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { ZipBytes.little(UInt64(Float($0).bitPattern), 4) }
    }

    private func numbers(_ tensor: [UInt8], storage: [UInt8] = floats(12)) throws -> [Double] {
        let file = try file(tensor, storage: storage)
        return try file.doubles(file.tensor(file.pickle.root, "x"), "x")
    }

    @Test func `a tensor's numbers are those of its strides`() throws {
        #expect(
            try numbers(PickleBytes.tensor(count: 12, shape: [2, 3], strides: [3, 1])) == [0, 1, 2, 3, 4, 5]
        )
        #expect(
            try numbers(PickleBytes.tensor(count: 12, offset: 4, shape: [2, 3], strides: [1, 2]))
                == [4, 6, 8, 5, 7, 9]
        )
        #expect(try numbers(PickleBytes.tensor(count: 12, offset: 11, shape: [], strides: [])) == [11])
        #expect(
            try numbers(PickleBytes.tensor(count: 12, offset: 3, shape: [1, 2], strides: [99, 4])) == [3, 7]
        )
        #expect(try numbers(PickleBytes.tensor(count: 12, shape: [0, 5], strides: [5, 1])) == [])
        // A number that is meant several times.
        #expect(try numbers(PickleBytes.tensor(count: 12, offset: 2, shape: [3], strides: [0])) == [2, 2, 2])
    }

    @Test func `a parameter is its tensor`() throws {
        let tensor = PickleBytes.tensor(count: 12, offset: 1, shape: [2], strides: [1])
        let parameter = PickleBytes.call(
            "torch._utils",
            "_rebuild_parameter",
            [tensor, [0x88], PickleBytes.call("collections", "OrderedDict", [])]
        )
        #expect(try numbers(parameter) == [1, 2])
    }

    @Test(arguments: [
        ("HalfStorage", [0x00, 0x3e] as [UInt8], 1.5), ("BFloat16Storage", [0xc0, 0x3f], 1.5),
        ("DoubleStorage", [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1.5),
    ])
    func `numbers have several types`(type: String, bytes: [UInt8], number: Double) throws {
        let tensor = PickleBytes.tensor(type: type, count: 1, shape: [1], strides: [1])
        #expect(try numbers(tensor, storage: bytes) == [number])
    }

    @Test(arguments: [
        (12, 0, [4, 4], [4, 1]), (12, 12, [1], [1]), (12, 0, [2], [12]), (12, -1, [1], [1]),
        (12, 0, [-1], [1]),
        (12, 0, [2, 2], [Int.max, 1]), (12, 0, [Int.max, 4], [0, 0]), (13, 0, [1], [1]),
        (12, 0, [2], [1, 1]),
        // More elements than the storage has, of one number that is meant again and again.
        (12, 0, [13], [0]),
    ])
    func `a tensor outside its storage is refused`(count: Int, offset: Int, shape: [Int], strides: [Int]) {
        let tensor = PickleBytes.tensor(count: count, offset: offset, shape: shape, strides: strides)
        #expect(throws: ImportError.self) { try numbers(tensor) }
    }

    @Test func `other values are no tensors`() throws {
        for value in [
            PickleBytes.text("x"), PickleBytes.call("torch._utils", "_rebuild_sparse_tensor", []),
            PickleBytes.call("os", "system", [PickleBytes.text("true")]),
            PickleBytes.tensor(type: "ComplexFloatStorage", count: 1, shape: [1], strides: [1]),
            PickleBytes.tensor(storage: "7", count: 1, shape: [1], strides: [1]),
        ] {
            #expect(throws: ImportError.self) { try numbers(value) }
        }
        #expect(
            #expect(throws: ImportError.self) { try numbers(PickleBytes.call("os", "system", [])) }?
                .description
                == "x.ckpt: x: an object of \"os.system\"; expected a dense tensor"
        )
    }

    // MARK: Archives

    private static let tensor = PickleBytes.tensor(count: 12, shape: [2], strides: [1])

    @Test func `sizes and places may have 64 bits`() throws {
        let file = try file(Self.tensor, storage: Self.floats(12)) { zip in
            for index in zip.entries.indices { zip.entries[index].isWide = true }
            zip.hasWideEnd = true
            zip.comment = Array("PK\u{5}\u{6} in a comment".utf8)
        }
        #expect(try file.doubles(file.tensor(file.pickle.root, "x"), "x") == [0, 1])
    }

    @Test func `damage is found`() throws {
        let file = try file(Self.tensor, storage: Self.floats(12)) { $0.entries[2].checksum = 1 }
        let error = #expect(throws: ImportError.self) {
            try file.doubles(file.tensor(file.pickle.root, "x"), "x")
        }
        #expect(error?.description.hasSuffix("not 1; expected an undamaged file") == true)
    }

    @Test func `other archives are refused`() {
        func message(_ change: @escaping (inout ZipBytes) -> Void) -> String {
            let error = #expect(throws: ImportError.self) {
                let file = try file(Self.tensor, storage: Self.floats(12), change: change)
                _ = try file.doubles(file.tensor(file.pickle.root, "x"), "x")
            }
            return error?.description ?? ""
        }
        #expect(message { $0.entries[2].method = 8 }.contains("a compressed entry (deflate)"))
        #expect(message { $0.entries[2].flags = 1 }.contains("an encrypted entry"))
        #expect(
            message { $0.entries[2].headerName = "archive/data/1" }.contains("another name in its own header")
        )
        #expect(message { $0.entries.append($0.entries[0]) }.contains("an entry twice"))
        #expect(message { $0.entries[1].data = Array("big".utf8) }.contains("\"big\"; expected \"little\""))
        #expect(message { $0.entries.removeFirst() }.contains("0 entries named data.pkl"))
        #expect(
            message { $0.entries.append(ZipBytes.Entry(name: "archive/constants.pkl", data: [])) }
                .contains("a TorchScript program")
        )
    }

    @Test func `other files are named`() throws {
        let workplace = try Workplace()
        func message(_ bytes: [UInt8]) throws -> String {
            let url = try workplace.write(bytes, as: "x.ckpt")
            return #expect(throws: ImportError.self) { try ZipArchive(contentsOf: url) }?.description ?? ""
        }
        let whole = ZipBytes(["archive/data.pkl": [0x4e, 0x2e]]).bytes
        #expect(try message([]).contains("an empty file"))
        #expect(try message(Array("hello".utf8)).contains("no zip archive"))
        #expect(try message(Array(whole.dropLast(5))).contains("the file is cut off"))
        #expect(
            try message([
                0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
            ])
            .contains("the format of PyTorch before 1.6")
        )
        let folder = #expect(throws: ImportError.self) { try ZipArchive(contentsOf: workplace.folder) }
        #expect(folder?.found == "a folder")
        let missing = #expect(throws: ImportError.self) { try ZipArchive(contentsOf: workplace.url("none")) }
        #expect(missing?.description.contains("No such file") == true)
    }

    /// Whatever bytes are changed, there is an error or a file, and never a crash.
    @Test func `every changed byte of the directory is survived`() throws {
        let zip = ZipBytes([
            "archive/data.pkl": PickleBytes.pickle(Self.tensor), "archive/data/0": Self.floats(12),
        ])
        let workplace = try Workplace()
        let bytes = zip.bytes
        var refused = 0
        for index in bytes.indices {
            for value: UInt8 in [0, 0x7f, 0xff] where bytes[index] != value {
                var changed = bytes
                changed[index] = value
                let url = try workplace.write(changed, as: "x.ckpt")
                do throws(ImportError) {
                    let file = try TorchFile(contentsOf: url)
                    _ = try file.doubles(file.tensor(file.pickle.root, "x"), "x")
                } catch {
                    refused += 1
                }
            }
        }
        #expect(refused > bytes.count)
    }
}

import Files
import Foundation

extension PolicyBundle {
    /// Tells the contents of policies apart: 64 bits, in hexadecimal, over the names and bytes of the folder's `.json` and
    /// `.safetensors` files. A hash to notice another file by, not to withstand forgery.
    ///
    /// - Throws: `PolicyError` for a file that cannot be read.
    public func fileFingerprint() throws(PolicyError) -> String {
        var hash = FileHash()
        do {
            let files = try FileManager.default.contentsOfDirectory(
                at: directory,
                includingPropertiesForKeys: nil,
                options: .skipsHiddenFiles
            )
            .filter { ["json", "safetensors"].contains($0.pathExtension) }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            for file in files {
                hash.add(Array(file.lastPathComponent.utf8))
                let content = try RegularFile(file.path(percentEncoded: false))
                var block: [UInt8]
                repeat {
                    block = try content.read(upTo: 1 << 20)
                    if !block.isEmpty { hash.add(block) }
                } while !block.isEmpty
            }
        } catch let error as FileRefusal {
            throw PolicyError(name, found: "cannot be read (\(error))", expected: "readable files")
        } catch {
            throw PolicyError(
                name,
                found: "cannot be read (\(error.systemReason))",
                expected: "readable files"
            )
        }
        let digits = String(hash.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// FNV-1a over little-endian words of 64 bits, each word followed by an exclusive or with the upper half: a word's upper
/// bits would otherwise never reach the hash's lower ones. The count of bytes ends each run of them.
private struct FileHash {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ bytes: [UInt8]) {
        let wholeWords = bytes.count / 8
        bytes.withUnsafeBytes { buffer in
            for index in 0..<wholeWords {
                add(UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)))
            }
        }
        for byte in bytes[(8 * wholeWords)...] { add(UInt64(byte)) }
        add(UInt64(bytes.count))
    }

    private mutating func add(_ word: UInt64) {
        value = (value ^ word) &* 0x100_0000_01b3
        value ^= value >> 32
    }
}

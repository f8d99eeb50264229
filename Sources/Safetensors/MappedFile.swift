import Files
import Foundation

/// A regular file mapped into memory for reading; unmapped when the last reference goes.
///
/// Reading a mapped page that lies beyond the end of a file that has shrunk since raises SIGBUS, which no Swift
/// code can catch. So reads are short (a checkpoint is copied out tensor by tensor while a policy loads, and not read
/// afterwards) and each one first asks for the file's size again. That leaves the instant between the
/// check and the copy: whoever replaces a checkpoint should write a new file and rename it, as most tools do, and
/// not truncate the old one in place.
final class MappedFile: @unchecked Sendable {
    // Sendable holds because every member is a constant and the mapped pages are never written through it.

    /// Git LFS writes no pointer of this size or more.
    private static let longestPointer = 1024

    let name: String
    let byteCount: Int
    private let file: RegularFile
    private let bytes: UnsafeRawBufferPointer

    init(_ url: URL) throws(SafetensorsError) {
        let name = url.lastPathComponent
        func failure(_ found: String, expected: String = "a readable file") -> SafetensorsError {
            SafetensorsError(.inputOutput, file: name, found: found, expected: expected)
        }
        let file: RegularFile
        do throws(FileRefusal) {
            file = try RegularFile(url.path)
        } catch {
            switch error {
            case .system: throw failure("cannot be opened (\(error))")
            case .notRegular(let kind): throw failure(kind, expected: "a regular file")
            }
        }
        let byteCount = file.byteCount
        guard byteCount > 0 else { throw failure("the file is empty") }
        guard let address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, file.descriptor, 0),
            address != MAP_FAILED
        else {
            throw failure("cannot be mapped into memory (\(String(cString: strerror(errno))))")
        }
        let pointer = Array("version https://git-lfs.github.com/spec/".utf8)
        let isPointer =
            byteCount <= Self.longestPointer && byteCount >= pointer.count
            && UnsafeRawBufferPointer(start: address, count: pointer.count).elementsEqual(pointer)
        guard !isPointer else {
            munmap(address, byteCount)
            throw failure("a Git LFS pointer; run git lfs pull", expected: "the file that it stands for")
        }
        self.name = name
        self.byteCount = byteCount
        self.file = file
        bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    /// Calls `body` with a range of the file's bytes, which must lie inside it.
    func withBytes<Result>(
        in range: Range<Int>,
        _ body: (RawSpan) throws(SafetensorsError) -> Result
    ) throws(SafetensorsError) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "range outside the file")
        var status = stat()
        guard fstat(file.descriptor, &status) == 0, Int(status.st_size) == byteCount else {
            throw SafetensorsError(
                .inputOutput,
                file: name,
                found:
                    "its size changed from \(byteCount) to \(status.st_size) bytes while it was being read",
                expected: "a file that stays as it is"
            )
        }
        return try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[range])))
    }
}

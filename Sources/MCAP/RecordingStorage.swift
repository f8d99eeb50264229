import Files
import Glibc

/// Where a recording's bytes lie: a file, or what a test puts in its place.
package protocol RecordingStorage: AnyObject {
    /// The file's name, for errors.
    var name: String { get }
    /// The bytes it holds.
    func length() throws(RecordingError) -> UInt64
    /// `count` bytes from `offset`, fewer if the file ends before.
    func read(_ count: Int, at offset: UInt64) throws(RecordingError) -> [UInt8]
    /// Puts all the bytes at `offset`. Some of them may be there if an error is thrown.
    func write(_ bytes: [UInt8], at offset: UInt64) throws(RecordingError)
    /// Drops everything from `length` on.
    func truncate(to length: UInt64) throws(RecordingError)
    /// Returns when what was written outlives a power failure.
    func synchronize() throws(RecordingError)
}

/// A file that is open for as long as the value lives.
final class RecordingFile: RecordingStorage {
    let name: String
    private let descriptor: CInt

    /// Creates a file.
    /// - Throws: ``RecordingError`` `inputOutput`, also if there is a file of that name already.
    init(creating path: String) throws(RecordingError) {
        name = path
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else {
            throw RecordingError(
                .inputOutput,
                file: path,
                errno == EEXIST ? "is there already; a recording overwrites nothing" : systemReason
            )
        }
        Self.synchronizeFolder(of: path)
    }

    /// Opens a file for reading.
    /// - Throws: ``RecordingError`` `inputOutput`, also for what is no regular file.
    init(reading path: String) throws(RecordingError) {
        name = path
        do throws(FileRefusal) {
            descriptor = try RegularFile(path).take()
        } catch {
            throw RecordingError(.inputOutput, file: path, error.description)
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    func length() throws(RecordingError) -> UInt64 { UInt64(try status().st_size) }

    func read(_ count: Int, at offset: UInt64) throws(RecordingError) -> [UInt8] {
        var done = 0
        var problem: String?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while done < count {
                let step = pread(descriptor, buffer.baseAddress! + done, count - done, off_t(offset) + done)
                if step < 0, errno == EINTR { continue }
                if step < 0 { problem = systemReason }
                guard step > 0 else { break }
                done += step
            }
            filled = done
        }
        if let problem { throw RecordingError(.inputOutput, file: name, offset: offset, problem) }
        return bytes
    }

    func write(_ bytes: [UInt8], at offset: UInt64) throws(RecordingError) {
        let problem = bytes.withUnsafeBytes { buffer -> String? in
            var done = 0
            while done < buffer.count {
                let step = pwrite(
                    descriptor,
                    buffer.baseAddress! + done,
                    buffer.count - done,
                    off_t(offset) + done
                )
                if step < 0, errno == EINTR { continue }
                guard step > 0 else { return systemReason }
                done += step
            }
            return nil
        }
        if let problem { throw RecordingError(.inputOutput, file: name, offset: offset, problem) }
    }

    func truncate(to length: UInt64) throws(RecordingError) {
        guard ftruncate(descriptor, off_t(length)) == 0 else {
            throw RecordingError(.inputOutput, file: name, offset: length, systemReason)
        }
    }

    func synchronize() throws(RecordingError) {
        guard fdatasync(descriptor) == 0 else {
            throw RecordingError(.inputOutput, file: name, systemReason)
        }
    }

    private func status() throws(RecordingError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw RecordingError(.inputOutput, file: name, systemReason)
        }
        return status
    }

    /// Lets the file's name outlive a power failure, if the system can do that.
    private static func synchronizeFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "./"
        let descriptor = open(String(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}

/// What the system says about its last error.
private var systemReason: String { String(cString: strerror(errno)) }

import ForeignText
import Foundation
import Glibc
import Piloting
import Robotics
import Synchronization

/// Why a state file cannot be used.
public struct StateFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public let path: String
    /// What went wrong.
    public let problem: String
    /// Whether another daemon keeps its state there.
    public let isTaken: Bool
    /// Whether there was no room.
    let isFull: Bool

    init(_ path: String, _ problem: String, isTaken: Bool = false) {
        (self.path, self.problem, self.isTaken, isFull) = (path, problem, isTaken, false)
    }

    /// A call that failed, with what the system says of it.
    fileprivate init(_ path: String, cannot action: String, code: CInt) {
        self.path = path
        problem = "cannot be \(action): \(String(cString: strerror(code)))"
        isTaken = false
        isFull = [ENOSPC, EDQUOT, EFBIG].contains(code)
    }

    /// The file and what went wrong.
    public var description: String { "\(printable(path, limit: 1024)): \(problem)" }
}

/// The file in which a daemon keeps which robots are stopped, so that a stop outlives the daemon.
///
/// It is read once, when the value is made, and written whole: to `PATH.new`, which takes the file's place once it is on the
/// disk. Until the daemon has ended `PATH.lock` is locked, so that no two daemons have one file. When another file takes the
/// lock's place, or its folder's, nothing more is written: another daemon may have locked that one.
public final class StateFile: Sendable {
    /// The file: where a symbolic link leads, if one was given.
    public let path: String
    /// What was wrong with the file's text, for people; nil if nothing was.
    public let damage: String?
    /// Why the file could not be written when it was opened; nil if it was.
    let problem: StateFileError?
    /// Which robots were stopped when the file was opened: every one, where it was damaged.
    let stops: Stops
    private let lock: Mutex<CInt?>
    private let unkeptReason = Mutex<String?>(nil)
    private let replace: @Sendable (Stops) throws(StateFileError) -> Void
    private let owns: @Sendable () throws(StateFileError) -> Void

    /// A file of every stop that a daemon can have is smaller.
    static let mostBytes = 8 << 20

    /// Opens a file, which need not be there yet, and writes it anew, which shows that it can be written.
    ///
    /// A damaged file is kept as `PATH.damaged`.
    /// - Parameter given: the file's path, or that of a symbolic link to it, which stays.
    /// - Throws: ``StateFileError`` if the path can be no file's, if the file is another daemon's, if it is there and
    ///   cannot be read, and if it cannot be written for another reason than a full disk.
    public init(_ given: String) throws(StateFileError) {
        let path = try Self.resolved(given)
        self.path = path
        let lock = try Self.locked(path)
        self.lock = Mutex(lock)
        let owns = { @Sendable () throws(StateFileError) in try Self.checkThat(lock, isTheLockOf: path) }
        self.owns = owns
        replace = { stops throws(StateFileError) in
            try owns()
            try Self.write(stops, to: path)
        }
        do throws(StateFileError) {
            (stops, damage) = try Self.opened(path)
            problem = try Self.problem(of: replace, with: stops)
        } catch {
            close(lock)
            throw error
        }
    }

    /// What stands in the place of a file in tests.
    init(
        holding stops: Stops,
        owns: @escaping @Sendable () throws(StateFileError) -> Void = {},
        replace: @escaping @Sendable (Stops) throws(StateFileError) -> Void
    ) {
        path = "nowhere"
        (damage, problem) = (nil, nil)
        lock = Mutex(nil)
        (self.stops, self.owns, self.replace) = (stops, owns, replace)
    }

    deinit { release() }

    /// Why the file does not hold which robots are stopped, now that the daemon has ended; nil if it does.
    public internal(set) var unkept: String? {
        get { unkeptReason.withLock { $0 } }
        set { unkeptReason.withLock { $0 = newValue } }
    }

    /// Lets another daemon have the file; nothing is to be written from then on.
    func release() {
        lock.withLock { lock in
            if let descriptor = lock { close(descriptor) }
            lock = nil
        }
    }

    /// Writes which robots are stopped. Returns when that outlives a power failure.
    func write(_ stops: Stops) throws(StateFileError) { try replace(stops) }

    /// Checks that the file is still this daemon's.
    func checkOwnership() throws(StateFileError) { try owns() }

    // MARK: Opening

    /// Where a path leads, even if nothing is there yet. Checked before anything is made there.
    private static func resolved(_ given: String) throws(StateFileError) -> String {
        var path = given
        for _ in 0..<40 {
            guard !path.isEmpty, !path.hasSuffix("/") else {
                let found = path.isEmpty ? "nothing" : "the name of a folder"
                throw StateFileError(
                    given.isEmpty ? "\"\"" : given,
                    "found \(found), expected the name of a file"
                )
            }
            var status = stat()
            guard lstat(path, &status) == 0 else {
                guard errno != ENOENT else { return path }
                throw StateFileError(path, cannot: "opened", code: errno)
            }
            switch status.st_mode & S_IFMT {
            case S_IFREG: return path
            case S_IFLNK: path = try target(ofLink: path)
            default: throw StateFileError(path, "not a regular file")
            }
        }
        throw StateFileError(given, cannot: "opened", code: ELOOP)
    }

    private static func target(ofLink path: String) throws(StateFileError) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { throw StateFileError(path, cannot: "read", code: errno) }
        let target = String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard !target.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return target }
        return path[...slash] + target
    }

    /// Checks that the locked file is the one that another daemon would lock.
    private static func checkThat(_ lock: CInt, isTheLockOf path: String) throws(StateFileError) {
        let name = path + ".lock"
        var (locked, there) = (stat(), stat())
        guard fstat(lock, &locked) == 0 else { throw StateFileError(name, cannot: "read", code: errno) }
        let found = lstat(name, &there) == 0
        guard !found || locked.st_dev != there.st_dev || locked.st_ino != there.st_ino else { return }
        guard found || errno == ENOENT || errno == ENOTDIR else {
            throw StateFileError(name, cannot: "read", code: errno)
        }
        throw StateFileError(
            name,
            "was \(found ? "replaced" : "removed"), so that another daemon may keep its state there; nothing is written until "
                + "this daemon is started again"
        )
    }

    private static func locked(_ path: String) throws(StateFileError) -> CInt {
        let name = path + ".lock"
        let descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { throw StateFileError(name, cannot: "opened", code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK else { throw StateFileError(name, cannot: "locked", code: code) }
            throw StateFileError(path, "another daemon keeps its state there", isTaken: true)
        }
        return descriptor
    }

    private static func opened(_ path: String) throws(StateFileError) -> (stops: Stops, damage: String?) {
        guard let text = try read(path) else { return (Stops(), nil) }
        do throws(Stops.Damage) {
            return (try Stops(text: text), nil)
        } catch {
            // Another name for it and no other place: until it is replaced, the next start must find it damaged.
            let copy = path + ".damaged"
            unlink(copy)
            let isKept = link(path, copy) == 0
            var stops = Stops()
            stops.everyRobot = Stop(
                reason: "the state file was damaged: \(error.problem)",
                wallNs: Clock.wallNs()
            )
            return (stops, "\(error.problem)" + (isKept ? "; the file is kept as \(copy)" : ""))
        }
    }

    /// Why a first write failed, where that is for want of room; nil if it did not.
    private static func problem(
        of write: (Stops) throws(StateFileError) -> Void,
        with stops: Stops
    ) throws(StateFileError) -> StateFileError? {
        do throws(StateFileError) {
            try write(stops)
            return nil
        } catch {
            guard error.isFull else { throw error }
            return error
        }
    }

    /// The file's bytes; nil if there is no such file. A file that is longer than any is cut, which no reader accepts.
    private static func read(_ path: String) throws(StateFileError) -> [UInt8]? {
        // Non-blocking, so that a named pipe in place of the file is refused and not waited for.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno != ENOENT else { return nil }
            throw StateFileError(path, cannot: "opened", code: errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw StateFileError(path, "not a regular file")
        }
        var text: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while text.count <= mostBytes {
            let count = Glibc.read(descriptor, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw StateFileError(path, cannot: "read", code: errno) }
            guard count > 0 else { return text }
            text += block[..<count]
        }
        return Array(text[..<mostBytes])
    }

    // MARK: Writing

    private static func write(_ stops: Stops, to path: String) throws(StateFileError) {
        let text: [UInt8]
        do {
            text = Array(try stops.text())
        } catch {
            throw StateFileError(path, "cannot be written: \(error)")
        }
        let new = path + ".new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else { throw StateFileError(new, cannot: "written", code: errno) }
        var code = put(text, to: descriptor)
        if code == 0, fsync(descriptor) != 0 { code = errno }
        if close(descriptor) != 0, code == 0 { code = errno }
        do throws(StateFileError) {
            guard code == 0 else { throw StateFileError(new, cannot: "written", code: code) }
            guard rename(new, path) == 0 else { throw StateFileError(path, cannot: "replaced", code: errno) }
        } catch {
            unlink(new)
            throw error
        }

        // The name is the folder's, which has to be on the disk as well.
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw StateFileError(folder, cannot: "opened", code: errno) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw StateFileError(folder, cannot: "written", code: errno) }
    }

    /// Puts all the bytes; returns the system's code, 0 if it went well.
    private static func put(_ bytes: [UInt8], to descriptor: CInt) -> CInt {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count < 0 ? errno : EIO }
            done += count
        }
        return 0
    }
}

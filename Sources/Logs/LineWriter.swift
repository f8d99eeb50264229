import CLinux
import Dispatch
import Files
import Foundation
import Synchronization

/// Writes lines to a file descriptor, on a thread of its own.
///
/// Whoever hands over a line never waits for the descriptor: lines wait in a queue that is bounded in lines and in bytes.
/// Those that find it full are lost, and so are those that cannot be written; they are counted. The descriptor stays the
/// caller's.
public final class LineWriter: Sendable {
    /// The most lines, and the most bytes of them, that wait.
    public static let mostLines = 4096
    /// See ``mostLines``.
    public static let mostBytes = 1 << 20

    private let queue: LineQueue

    /// Starts the thread, which ends with this object once the queue is empty.
    ///
    /// - Parameters:
    ///   - descriptor: where the lines go.
    ///   - threadName: as `ps -L` shows it.
    ///   - mostLines: lines that may wait to be written; a line that comes then is lost.
    ///   - mostBytes: bytes of those lines together.
    ///   - lossNotice: the line that tells how many were lost, once lines can be written again; nil: none tells it.
    public init(
        to descriptor: Int32,
        threadName: String,
        mostLines: Int = LineWriter.mostLines,
        mostBytes: Int = LineWriter.mostBytes,
        lossNotice: (@Sendable (UInt64) -> String)? = nil
    ) {
        let queue = LineQueue(mostLines: mostLines, mostBytes: mostBytes)
        self.queue = queue
        let thread = Thread {
            dn_name_this_thread(threadName)
            var output = LineOutput(descriptor: descriptor, queue: queue, lossNotice: lossNotice)
            while let entries = queue.take() {
                for entry in entries { output.handle(entry) }
            }
        }
        thread.start()
    }

    deinit { queue.close() }

    /// Lines that were lost so far. May be asked from any thread.
    public var lostLines: UInt64 { queue.lost.load(ordering: .relaxed) }

    /// Why the line that failed last could not be written; nil if none failed.
    public var failure: String? {
        let code = queue.lastError.load(ordering: .relaxed)
        return code == 0 ? nil : String(cString: strerror(code))
    }

    /// Hands over a line, without its line feed. Returns at once, from any thread.
    ///
    /// - Parameters:
    ///   - line: text without a line feed.
    ///   - isStamped: puts the present time before the line.
    public func write(_ line: String, isStamped: Bool = false) {
        queue.add(line, second: isStamped ? time(nil) : nil)
    }

    /// Waits until what was handed over before is written or lost.
    ///
    /// - Parameter limit: waits no longer than that; nil: as long as it takes.
    /// - Returns: false if the time was over before.
    @discardableResult
    public func flush(within limit: Duration? = nil) -> Bool {
        let isDone = queue.addMark()
        guard let limit else {
            isDone.wait()
            return true
        }
        return isDone.wait(timeout: .now() + limit / .seconds(1)) == .success
    }
}

/// What the thread of a ``LineWriter`` does with what it takes from the queue.
private struct LineOutput {
    let descriptor: Int32
    let queue: LineQueue
    let lossNotice: (@Sendable (UInt64) -> String)?
    /// Lines that were lost and that no line has told of.
    private var untold: UInt64 = 0
    /// A line was written in part.
    private var isMidLine = false

    init(descriptor: Int32, queue: LineQueue, lossNotice: (@Sendable (UInt64) -> String)?) {
        self.descriptor = descriptor
        self.queue = queue
        self.lossNotice = lossNotice
    }

    mutating func handle(_ entry: LineQueue.Entry) {
        switch entry {
        case .line(let text, let second):
            if !tellLoss() || !put(text, second: second) {
                queue.lost.add(1, ordering: .relaxed)
                untold += 1
            }
            queue.release(text)
        case .lost(let count):
            untold += count
            _ = tellLoss()
        case .mark(let semaphore):
            semaphore.signal()
        }
    }

    /// Returns whether nothing is left to be told.
    private mutating func tellLoss() -> Bool {
        guard untold > 0, let lossNotice else { return true }
        guard put(lossNotice(untold), second: time(nil)) else { return false }
        untold = 0
        return true
    }

    /// Returns whether the whole line was written.
    private mutating func put(_ text: String, second: time_t?) -> Bool {
        let stamp = second.map { "\(Self.timeStamp($0)) " } ?? ""
        let bytes = Array("\(isMidLine ? "\n" : "")\(stamp)\(text)\n".utf8)
        let (written, error) = writeAll(bytes, to: descriptor)
        if written > 0 { isMidLine = bytes[written - 1] != UInt8(ascii: "\n") }
        if error != 0 { queue.lastError.store(error, ordering: .relaxed) }
        return error == 0
    }

    /// Local time, as `2026-01-02T03:04:05+0100`. On this thread, because the system looks whether the time zone's file has
    /// changed.
    private static func timeStamp(_ second: time_t) -> String {
        var second = second
        var local = tm()
        tzset()
        guard localtime_r(&second, &local) != nil else { return "<unknown>" }
        var buffer = [CChar](repeating: 0, count: 64)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S%z", &local)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

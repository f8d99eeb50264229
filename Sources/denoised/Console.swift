import Files
import Foundation
import Glibc
import Logs
import Synchronization

/// What people and programs see: results on standard output, everything else on standard error.
///
/// A result that cannot be written ends the program, with exit code 1. A daemon hands both streams to threads of their own
/// and goes on.
enum Console {
    /// The threads that write.
    private struct Writers {
        /// Of standard output, for a daemon.
        var output: LineWriter?
        var log: LineWriter?
        /// Whether a line of progress is on the terminal.
        var showsProgress = false
    }

    private static let writers = Mutex(Writers())
    /// How long the end of the program waits for the log to be written.
    private static let lastWait = Duration.milliseconds(200)

    /// The log on standard error, which has a thread of its own.
    static var log: LineWriter {
        writers.withLock { writers in
            let log =
                writers.log
                ?? LineWriter(
                    to: STDERR_FILENO,
                    threadName: "log",
                    lossNotice: LineLogHandler.lossNotice(label: "denoised")
                )
            writers.log = log
            return log
        }
    }

    /// Writes all that follows on threads, so that no reader of either stream keeps the caller waiting.
    ///
    /// - Returns: the log.
    static func writeInBackground() -> LineWriter {
        let log = log
        writers.withLock { $0.output = LineWriter(to: STDOUT_FILENO, threadName: "output") }
        return log
    }

    /// Whether both streams are written by threads, as a daemon's are.
    static var writesInBackground: Bool { writers.withLock { $0.output != nil } }

    /// Shows how far a piece of work has come, in place of what was shown before; nil: nothing more. What is written next takes the
    /// line's place.
    static func showProgress(_ line: ProgressLine?) {
        let log = writers.withLock { $0.output == nil ? nil : $0.log }
        if let log {
            if let line { log.write(line.logLine) }
            return
        }
        let terminal = Terminal.errors
        guard terminal.movesCursor else { return }
        writers.withLock { writers in
            guard let line else { return Self.clearProgress(&writers) }
            // One column stays free: a terminal may begin a new line after the last one.
            let text = line.text(columns: terminal.size.columns - 1, isColored: terminal.hasColor)
            terminal.write("\r\(text)\u{1b}[K")
            writers.showsProgress = true
        }
    }

    private static func clearProgress(_ writers: inout Writers) {
        guard writers.showsProgress else { return }
        Terminal.errors.write("\r\u{1b}[K")
        writers.showsProgress = false
    }

    /// A line about the run itself.
    static func note(_ line: String) {
        write(line)
    }

    /// A line about what the user should know and what keeps nothing from working.
    static func warn(_ line: String) {
        write("denoised: warning: " + line)
    }

    /// An error message.
    static func error(_ message: String, prefixed: Bool = true) {
        write((prefixed ? "denoised: " : "") + message)
    }

    private static func write(_ line: String) {
        let (output, log) = writers.withLock { writers in
            clearProgress(&writers)
            return (writers.output, writers.log)
        }
        if output != nil, let log { return log.write(line) }
        // Nobody is left who could be told that this failed.
        _ = writeAll(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    /// A line of the result. Written at once, so that a reader behind a pipe sees it when it happens.
    static func result(_ line: String) {
        let output = writers.withLock { writers in
            clearProgress(&writers)
            return writers.output
        }
        if let output { return output.write(line) }
        writeResult(line + "\n")
    }

    /// Writes text to standard output as it is, and ends the program if that fails.
    static func writeResult(_ text: String) {
        let (_, error) = writeAll(Array(text.utf8), to: STDOUT_FILENO)
        guard error != 0 else { return }
        self.error(unwritten(String(cString: strerror(error))))
        _exit(Failure.failedRun)
    }

    /// Prints a result as one JSON object with snake_case keys.
    static func json(_ value: some Encodable) throws { result(try encoded(value)) }

    /// A result as one JSON object with snake_case keys.
    static func encoded(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .throw
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Runs `body`, which prints a daemon's results, and waits until they are written, for as long as that takes.
    ///
    /// - Throws: ``Failure`` for results that could not be written.
    static func complete(_ body: () throws -> Void) throws {
        guard let output = writers.withLock({ $0.output }) else { return try body() }
        // What was lost before was no result.
        output.flush()
        let lostBefore = output.lostLines
        try body()
        output.flush()
        guard output.lostLines == lostBefore else {
            throw Failure.run(unwritten(output.failure ?? "too long"))
        }
    }

    private static func unwritten(_ reason: String) -> String {
        "standard output cannot be written (\(reason))"
    }

    /// Writes out what waits for standard error, as far as its reader takes it by then.
    static func flushErrors() {
        writers.withLock { $0.log }?.flush(within: lastWait)
    }
}

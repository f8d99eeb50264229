import CLinux
import Dispatch
import Foundation
import Logging
import Synchronization
import Wire

/// Writes which robots are stopped, on a thread of its own: a stop never waits for the disk, only its answer does.
///
/// Of what is handed over while a write goes on, the newest is written next. A write that failed is tried again every second.
final class StateKeeper: Sendable {
    private struct Work {
        var stops: Stops
        /// Counts what was handed over.
        var newest: UInt64 = 0
        /// The last of those that was tried to be written, or followed by one that was.
        var tried: UInt64 = 0
        /// Why the last write failed; nil where it did not.
        var problem: String?
        var isClosed = false
    }

    /// The time between two tries, and between two lines of the log about them.
    private static let retryInterval = DispatchTimeInterval.seconds(1)
    private static let triesBetweenLines = 60

    private let work: Mutex<Work>
    private let news = DispatchSemaphore(value: 0)
    private let ended = OneShot<Void>()
    private let logger: Logger
    private let tell: @Sendable () -> Void
    private let write: @Sendable (Stops) throws(StateFileError) -> Void

    /// Starts the thread, which keeps the keeper until ``finish()``.
    ///
    /// - Parameters:
    ///   - stops: what the file holds.
    ///   - problem: why the file could not be written when it was opened; nil where it was.
    ///   - tell: called on the keeper's thread after each write, whatever became of it.
    ///   - write: writes the file.
    init(
        _ stops: Stops,
        problem: String? = nil,
        logger: Logger,
        tell: @escaping @Sendable () -> Void,
        write: @escaping @Sendable (Stops) throws(StateFileError) -> Void
    ) {
        work = Mutex(Work(stops: stops, problem: problem))
        (self.logger, self.tell, self.write) = (logger, tell, write)
        let thread = Thread { [self] in
            dn_name_this_thread("state")
            run()
            ended.set(())
        }
        thread.start()
    }

    /// Hands over which robots are stopped now, and waits for nothing. Returns a number to ask ``keeping(of:)`` for.
    func keep(_ stops: Stops) -> UInt64 {
        let (number, isNew) = work.withLock { work in
            guard work.stops != stops || work.problem != nil else { return (work.newest, false) }
            work.stops = stops
            work.newest += 1
            return (work.newest, true)
        }
        if isNew { news.signal() }
        return number
    }

    /// What has become of what was handed over; nil while it is being written.
    func keeping(of number: UInt64) -> Reply.Keeping? {
        work.withLock { work in
            guard work.tried >= number else { return nil }
            return work.problem.map { .failed($0) } ?? .kept
        }
    }

    /// Why the file does not hold which robots are stopped; nil where it does, or soon will.
    var problem: String? { work.withLock { $0.problem } }

    /// Writes what waits, once, and ends the thread.
    func finish() {
        work.withLock { $0.isClosed = true }
        news.signal()
        ended.wait()
    }

    private func run() {
        var failures = 0
        while true {
            let (stops, number, mustWrite, isClosed) = work.withLock { work in
                (work.stops, work.newest, work.tried < work.newest || work.problem != nil, work.isClosed)
            }
            if mustWrite {
                let problem: String?
                do throws(StateFileError) {
                    try write(stops)
                    problem = nil
                    if failures > 0 { logger.notice("which robots are stopped is kept again") }
                    failures = 0
                } catch {
                    problem = "\(error)"
                    if failures.isMultiple(of: Self.triesBetweenLines) {
                        logger.warning("a restart would forget which robots are stopped: \(error)")
                    }
                    failures += 1
                }
                work.withLock { ($0.tried, $0.problem) = (number, problem) }
                tell()
            }
            if isClosed { return }
            let hasProblem = work.withLock { $0.problem != nil }
            _ = news.wait(timeout: hasProblem ? .now() + Self.retryInterval : .distantFuture)
        }
    }
}

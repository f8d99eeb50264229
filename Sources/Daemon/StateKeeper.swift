import CLinux
import Clocks
import Dispatch
import Foundation
import Logging
import Piloting
import Planning
import Robotics
import Synchronization
import Wire

/// Writes which robots are stopped, on a thread of its own: a stop never waits for the disk, only its answer does.
///
/// Of what is handed over while a write goes on, the newest is written next. A write that failed is tried again every second. As
/// often it is checked that the file is still this daemon's.
final class StateKeeper: Sendable {
    private struct Work {
        var stops: Stops
        /// Counts what was handed over.
        var newest: UInt64 = 0
        /// The last of those that was tried to be written, or followed by one that was.
        var tried: UInt64 = 0
        /// Why the last write or check failed; nil if it did not.
        var problem: String?
        /// Since when the disk has been asked for something, by the monotonic clock; nil if it is not.
        var asked: MonotonicTime?
        /// When the log was last told that the disk does not answer.
        var toldSlow: MonotonicTime?
        var isClosed = false
    }

    /// The time between two tries, and between two lines of the log about them.
    private static let retryInterval = DispatchTimeInterval.seconds(1)
    private static let triesBetweenLines = 60
    private static let linesIntervalNs: UInt64 = 60_000_000_000
    /// A disk that takes longer does not answer.
    static let patienceNs: UInt64 = 1_000_000_000

    private let work: Mutex<Work>
    private let news = DispatchSemaphore(value: 0)
    private let ended = OneShot<Void>()
    private let logger: Logger
    private let tell: @Sendable () -> Void
    private let check: @Sendable () throws(StateFileError) -> Void
    private let write: @Sendable (Stops) throws(StateFileError) -> Void

    /// Starts the thread, which keeps the keeper until ``close()``.
    ///
    /// - Parameters:
    ///   - stops: what the file holds.
    ///   - problem: why the file could not be written when it was opened; nil if it was.
    ///   - tell: called on the keeper's thread after each write, whatever became of it.
    ///   - check: checks, once a second, that the file may be written.
    ///   - write: writes the file.
    init(
        _ stops: Stops,
        problem: String? = nil,
        logger: Logger,
        tell: @escaping @Sendable () -> Void,
        check: @escaping @Sendable () throws(StateFileError) -> Void = {},
        write: @escaping @Sendable (Stops) throws(StateFileError) -> Void
    ) {
        work = Mutex(Work(stops: stops, problem: problem))
        (self.logger, self.tell, self.check, self.write) = (logger, tell, check, write)
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

    /// Why the file does not hold which robots are stopped; nil if it does, or soon will. A disk that does not answer is told
    /// to the log as well, again each minute.
    ///
    /// - Parameter now: the present time.
    func problem(now: MonotonicTime) -> String? {
        let (problem, isNew) = work.withLock { work -> (String?, Bool) in
            guard let asked = work.asked, now.elapsedNs(since: asked) > Self.patienceNs else {
                return (work.problem, false)
            }
            let isNew = work.toldSlow.map { now.elapsedNs(since: $0) >= Self.linesIntervalNs } ?? true
            if isNew { work.toldSlow = now }
            return ("the disk has not answered for \(now.elapsedNs(since: asked) / 1_000_000_000) s", isNew)
        }
        if isNew, let problem { warn(problem) }
        return problem
    }

    /// Writes what waits, once, and then ends the thread. Returns at once.
    func close() {
        work.withLock { $0.isClosed = true }
        news.signal()
    }

    /// Waits for the thread's end until a time. Returns whether it has ended.
    func waitForEnd(until time: DispatchTime) -> Bool { ended.wait(until: time) != nil }

    private func run() {
        var failures = 0
        while true {
            let (stops, number, mustWrite, isClosed) = work.withLock { work in
                work.asked = .now()
                return (
                    work.stops, work.newest, work.tried < work.newest || work.problem != nil, work.isClosed
                )
            }
            let problem: String?
            do throws(StateFileError) {
                if mustWrite { try write(stops) } else { try check() }
                problem = nil
                if failures > 0 { logger.notice("which robots are stopped is kept again") }
                failures = 0
            } catch {
                problem = "\(error)"
                if failures.isMultiple(of: Self.triesBetweenLines) { warn("\(error)") }
                failures += 1
            }
            let wasSlow = work.withLock { work in
                (work.tried, work.problem, work.asked) = (number, problem, nil)
                defer { work.toldSlow = nil }
                return work.toldSlow != nil
            }
            if wasSlow { logger.notice("the disk answers again") }
            if mustWrite || problem != nil { tell() }
            if isClosed { return }
            _ = news.wait(timeout: .now() + Self.retryInterval)
        }
    }

    private func warn(_ problem: String) {
        logger.warning("a restart would forget which robots are stopped: \(problem)")
    }
}

import CLinux
import Dispatch
import ForeignText
import Foundation
import Logging
import MCAP
import Planning
import Robotics
import Synchronization

/// Records what a daemon takes in and gives out, in an MCAP file, on a thread of its own.
///
/// Nobody waits for the disk: messages wait in a queue that is bounded by their number and by the bytes of their frames, and what
/// finds it full is counted and lost. A message is on the disk at most 250 ms after it was taken, as far as the disk keeps up. If
/// the disk takes no more, recording pauses and tries again every second; the file then ends with its last whole MCAP chunk. That
/// the daemon started is on the disk before it serves anybody, so that every recording begins with what a replay needs.
public final class Recorder: MessageTap {
    /// What has become of the messages.
    public struct Statistics: Sendable, Hashable {
        /// Messages in the file, written out.
        public var recorded: UInt64 = 0
        /// Messages that found no room, in the queue or on the disk.
        public var lost: UInt64 = 0
        /// Writes that failed.
        public var writeErrors: UInt64 = 0
        /// Bytes of the file.
        public var bytes: UInt64 = 0
    }

    /// How much may wait for the thread.
    package struct Bounds: Sendable {
        /// Messages.
        var messages = 8192
        /// Bytes of their frames: a second of four cameras that send 640x480 pixels at 30 Hz. A single message may have more.
        var frameBytes = 128 << 20

        package init(messages: Int = 8192, frameBytes: Int = 128 << 20) {
            self.messages = messages
            self.frameBytes = frameBytes
        }
    }

    private struct Queue {
        var messages: [TappedMessage] = []
        /// Bytes of the frames in `messages` and in what the thread has taken and not recorded yet.
        var frameBytes = 0
        /// Messages that found the queue full or closed.
        var refused: UInt64 = 0
        var isClosed = false
    }

    /// The file.
    public let path: String
    private let bounds: Bounds
    private let queue = Mutex(Queue())
    private let counters = Mutex(Statistics())
    /// Signalled only if the thread should not sleep on: signalling costs the socket thread a system call.
    private let news = DispatchSemaphore(value: 0)
    private let ended = OneShot<Void>()
    private let endDeadline = Mutex<DispatchTime?>(nil)
    private let logger: Logger
    /// Set once the start is in the file, or cannot be.
    private let began = OneShot<Void>()

    /// Creates the file and starts the thread, which keeps the recorder until ``finish()``.
    ///
    /// - Parameters:
    ///   - path: a file that is not there yet.
    ///   - setup: what the daemon is started with.
    ///   - pixelFormat: how frames that come as pixels are compressed: `jpeg` is smaller, `png` loses nothing. Pictures are
    ///     recorded as they come.
    ///   - logger: told what goes wrong with the file.
    /// - Throws: `RecordingError` if the file cannot be created.
    public convenience init(
        path: String,
        setup: RecordingSession.Setup,
        pixelFormat: CameraFrame.Format = .jpeg,
        logger: Logger
    ) throws(RecordingError) {
        try self.init(path: path, setup: setup, pixelFormat: pixelFormat, logger: logger) {
            () throws(RecordingError) in
            try MCAPWriter(creating: path, library: "denoised \(daemonVersion)")
        }
    }

    /// A recorder whose file `makeWriter` makes, on the recorder's thread.
    package init(
        path: String,
        setup: RecordingSession.Setup,
        pixelFormat: CameraFrame.Format = .jpeg,
        logger: Logger,
        bounds: Bounds = Bounds(),
        makeWriter: @escaping @Sendable () throws(RecordingError) -> MCAPWriter
    ) throws(RecordingError) {
        self.path = path
        self.bounds = bounds
        self.logger = logger
        let ready = OneShot<Result<Void, RecordingError>>()
        let thread = Thread { [self] in
            dn_name_this_thread("recorder")
            do throws(RecordingError) {
                var log = RecordingLog(
                    writer: try makeWriter(),
                    setup: setup,
                    pixelFormat: pixelFormat,
                    logger: logger
                )
                ready.set(.success(()))
                work(&log)
            } catch {
                ready.set(.failure(error))
            }
            began.set(())
            ended.set(())
        }
        thread.start()
        try ready.wait().get()
    }

    /// What has become of the messages so far; may be asked from any thread.
    public var statistics: Statistics {
        let refused = queue.withLock { $0.refused }
        var statistics = counters.withLock { $0 }
        statistics.lost += refused
        return statistics
    }

    /// Messages that found no room, in the queue or on the disk.
    public var lostMessages: UInt64 { statistics.lost }

    /// Puts a message into the queue; it is lost if that is full.
    public func take(_ message: TappedMessage) {
        let frameBytes = message.frameBytes
        let isHalfFull = queue.withLock { [bounds] queue in
            let before = queue.frameBytes
            let hasRoom =
                queue.messages.count < bounds.messages
                && (frameBytes == 0 || before == 0 || before + frameBytes <= bounds.frameBytes)
            guard hasRoom, !queue.isClosed else {
                queue.refused += 1
                return false
            }
            queue.messages.append(message)
            queue.frameBytes += frameBytes
            let half = bounds.frameBytes / 2
            return queue.messages.count == bounds.messages / 2
                || before < half && queue.frameBytes >= half
        }
        if case .started = message.content {
            news.signal()
            began.wait()
        } else if isHalfFull {
            news.signal()
        }
    }

    /// The longest that ``finish()`` waits for the disk.
    package static let longestEnd = DispatchTimeInterval.seconds(5)

    /// Writes out what waits, ends the file with its summary, and waits for that, but not for a disk that does not answer. What
    /// is taken afterwards is lost.
    public func finish() {
        let wasClosed = queue.withLock { queue in
            defer { queue.isClosed = true }
            return queue.isClosed
        }
        news.signal()
        let deadline = endDeadline.withLock { deadline in
            let end = deadline ?? .now() + Self.longestEnd
            deadline = end
            return end
        }
        guard ended.wait(until: deadline) == nil, !wasClosed else { return }
        logger.error("\(printable(path, limit: 1024)) has no summary: the disk does not answer")
    }

    private func work(_ log: inout RecordingLog) {
        var batch: [TappedMessage] = []
        var isClosed = false
        var toldRefused: UInt64 = 0
        while !isClosed {
            _ = news.wait(timeout: .now() + .milliseconds(25))
            let refused: UInt64
            (refused, isClosed) = queue.withLock { queue in
                swap(&queue.messages, &batch)
                return (queue.refused, queue.isClosed)
            }
            if !batch.isEmpty {
                record(&batch, in: &log)
                began.set(())
            }
            log.tell(ofLost: refused - toldRefused)
            toldRefused = refused
            if isClosed { log.finish() } else { log.flushIfDue() }
            counters.withLock { $0 = log.statistics }
        }
    }

    /// Records messages, oldest first, and lets go of each at once: frames are large.
    private func record(_ batch: inout [TappedMessage], in log: inout RecordingLog) {
        batch.reverse()
        while let message = batch.popLast() {
            log.record(message)
            if case .started = message.content { log.flush() }
            let frameBytes = message.frameBytes
            guard frameBytes > 0 else { continue }
            queue.withLock { $0.frameBytes -= frameBytes }
            // Compressing frames takes its time.
            log.flushIfDue()
        }
    }
}

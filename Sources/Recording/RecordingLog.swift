import Clocks
import ForeignText
import Logging
import MCAP
import Planning
import Robotics

/// The recorder's thread's work: messages into channels, MCAP chunks to the disk in time, pauses if that fails.
package struct RecordingLog {
    /// With the recorder's 25 ms of sleep, and some tens of milliseconds for the disk, under 250 ms.
    private static let flushIntervalNs: UInt64 = 180_000_000
    private static let flushBytes = 256 << 10
    private static let retryIntervalNs: UInt64 = 1_000_000_000

    package private(set) var statistics = Recorder.Statistics()
    private let writer: MCAPWriter
    private let setup: RecordingSession.Setup
    private let logger: Logger
    private let now: () -> MonotonicTime
    private var schemas: [RecordedKind: UInt16] = [:]
    private var channels: [String: UInt16] = [:]
    /// When the MCAP chunk at hand must go to the disk; nil if it is empty.
    private var flushDue: MonotonicTime?
    /// When a disk that took nothing is tried again; nil if it is well.
    private var retryDue: MonotonicTime?
    /// Lost messages that the file does not tell of yet.
    private var untold: UInt64 = 0
    private var changes = HeartbeatChanges()
    private var hasWarnedOfChannels = false

    /// - Parameter now: the time.
    package init(
        writer: MCAPWriter,
        setup: RecordingSession.Setup,
        logger: Logger,
        now: @escaping () -> MonotonicTime = MonotonicTime.now
    ) {
        self.writer = writer
        self.setup = setup
        self.logger = logger
        self.now = now
        statistics.bytes = writer.flushedBytes
    }

    /// Writes the schemas, which name the features of the policy that the first message tells of.
    private mutating func addSchemas(before message: TappedMessage) {
        var policy: PolicyDescription?
        if case .started(let started, _) = message.content { policy = started }
        for kind in RecordedKind.allCases {
            schemas[kind] = writer.addSchema(name: kind.schemaName, json: kind.schema(for: policy))
        }
    }

    package mutating func record(_ message: TappedMessage) {
        if schemas.isEmpty { addSchemas(before: message) }
        guard retryDue == nil else {
            statistics.lost += 1
            untold += 1
            return
        }
        if untold > 0 {
            let lost = untold
            untold = 0
            append(RecordedJSON.gap(lost: lost), timeNs: message.wallNs)
            append(RecordedRemark.gap(lost: lost), timeNs: message.wallNs)
        }
        for json in message.content.recorded(setup: setup) { append(json, timeNs: message.wallNs) }
        if case .status(let status) = message.content {
            for remark in changes.remarks(on: status) { append(remark, timeNs: message.wallNs) }
        }
        if writer.bufferedBytes >= Self.flushBytes { flush() }
    }

    /// Lets the file tell, before its next message, of messages that somebody else has lost and counted.
    package mutating func tell(ofLost count: UInt64) { untold += count }

    package mutating func flushIfDue() {
        if let due = retryDue ?? flushDue, now() >= due { flush() }
    }

    package mutating func finish() {
        let waiting = writer.bufferedMessages
        do throws(RecordingError) {
            try writer.finish()
        } catch {
            statistics.writeErrors += 1
            // The messages may be there and the summary not; a reader finds that out by itself.
            statistics.lost += UInt64(writer.bufferedMessages)
            logger.error(
                "the recording has no summary, and ends with its last whole chunk: \(Self.text(of: error))"
            )
        }
        statistics.recorded += UInt64(waiting - writer.bufferedMessages)
        statistics.bytes = writer.flushedBytes
    }

    /// An error as a line of the log: it names the file, which may have any name.
    private static func text(of error: RecordingError) -> String { printable("\(error)", limit: 1024) }

    private mutating func append(_ remark: RecordedRemark, timeNs: UInt64) {
        append(RecordedJSON(kind: .log, data: remark.json(timeNs: timeNs)), timeNs: timeNs)
    }

    private mutating func append(_ json: RecordedJSON, timeNs: UInt64) {
        guard let schema = schemas[json.kind] else { return }
        let topic = json.kind.topic(of: json.robot)
        if let channel = channels[topic] {
            writer.append(channel: channel, timeNs: timeNs, data: json.data)
        } else {
            do throws(RecordingError) {
                let channel = try writer.addChannel(topic: topic, schema: schema)
                channels[topic] = channel
                writer.append(channel: channel, timeNs: timeNs, data: json.data)
            } catch {
                // No gap in the others' messages, so the file need not tell.
                statistics.lost += 1
                if !hasWarnedOfChannels {
                    logger.error("some robots are not recorded: \(Self.text(of: error))")
                }
                hasWarnedOfChannels = true
            }
        }
        if flushDue == nil { flushDue = now().advanced(byNanoseconds: Self.flushIntervalNs) }
    }

    /// Writes out what waits, whether it is due or not.
    package mutating func flush() {
        let messages = UInt64(writer.bufferedMessages)
        do throws(RecordingError) {
            try writer.flush()
        } catch {
            statistics.writeErrors += 1
            if retryDue == nil {
                logger.error("recording pauses and is tried again every second: \(Self.text(of: error))")
            }
            retryDue = now().advanced(byNanoseconds: Self.retryIntervalNs)
            return
        }
        statistics.recorded += messages
        statistics.bytes = writer.flushedBytes
        flushDue = nil
        if retryDue != nil {
            logger.notice("recording goes on; \(untold) messages were lost meanwhile")
            retryDue = nil
        }
    }
}

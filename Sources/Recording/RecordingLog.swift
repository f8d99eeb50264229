import Clocks
import ForeignText
import Logging
import MCAP
import Pictures
import Planning
import Robotics

/// The recorder's thread's work: messages into channels, MCAP chunks to the disk in time, pauses if that fails.
package struct RecordingLog {
    /// A channel's name and the kind of its messages: a camera may be called `chunk`.
    private struct ChannelName: Hashable {
        let topic: String
        let kind: RecordedKind
    }

    /// What is warned of once.
    private enum Warning { case channels, frames }

    /// With the recorder's 25 ms of sleep, and some tens of milliseconds for the disk, under 250 ms.
    private static let flushIntervalNs: UInt64 = 180_000_000
    /// At 100 MB of frames a second, the disk is waited for 25 times.
    private static let flushBytes = 4 << 20
    /// A longer frame is not recorded: with what else is in its MCAP chunk it would be more than a reader takes.
    package static let maximumFrameBytes = MCAPReader.maximumRecordBytes / 4 * 3
    private static let retryIntervalNs: UInt64 = 1_000_000_000

    package private(set) var statistics = Recorder.Statistics()
    private let writer: MCAPWriter
    private let setup: RecordingSession.Setup
    private let pixelFormat: CameraFrame.Format
    private let logger: Logger
    private let now: () -> MonotonicTime
    private var schemas: [RecordedKind: UInt16] = [:]
    private var channels: [ChannelName: UInt16] = [:]
    /// Made for the first frame.
    private var compressor: FrameCompressor?
    /// The number of each camera's newest frame in the file. It may stand in for frames that later observations leave out.
    private var newestFrames: [FrameSource: UInt64] = [:]
    /// When the MCAP chunk at hand must go to the disk; nil if it is empty.
    private var flushDue: MonotonicTime?
    /// When a disk that took nothing is tried again; nil if it is well.
    private var retryDue: MonotonicTime?
    /// Lost messages that the file does not tell of yet.
    private var untold: UInt64 = 0
    /// Wall clock of the newest message, in nanoseconds since 1970 (UTC).
    private var newestNs: UInt64 = 0
    private var changes = HeartbeatChanges()
    private var warnings: Set<Warning> = []

    /// - Parameters:
    ///   - pixelFormat: how frames that come as pixels are compressed.
    ///   - now: the time.
    package init(
        writer: MCAPWriter,
        setup: RecordingSession.Setup,
        pixelFormat: CameraFrame.Format = .jpeg,
        logger: Logger,
        now: @escaping () -> MonotonicTime = MonotonicTime.now
    ) {
        self.writer = writer
        self.setup = setup
        self.pixelFormat = pixelFormat
        self.logger = logger
        self.now = now
        statistics.bytes = writer.flushedBytes
    }

    /// Writes the schemas, which name the features of the policies that the first message tells of.
    private mutating func addSchemas(before message: TappedMessage) {
        var policy: PolicyDescription?
        if case .started(let policies) = message.content {
            var all = policies[0].policy
            for served in policies.dropFirst().map(\.policy) {
                for feature in served.features
                where !all.features.contains(where: { $0.name == feature.name }) {
                    all.features.append(feature)
                }
                for camera in served.cameras where !all.cameras.contains(where: { $0.name == camera.name }) {
                    all.cameras.append(camera)
                }
            }
            policy = all
        }
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
        newestNs = message.wallNs
        tellOfGap()
        if case .observation(let observation, let preceding, _, _) = message.content {
            recordFrames(of: preceding + [observation.observed], robot: observation.robot, message.wallNs)
        }
        for json in message.content.recorded(setup: setup) { append(json, timeNs: message.wallNs) }
        if case .status(let status) = message.content {
            for remark in changes.remarks(on: status) { append(remark, timeNs: message.wallNs) }
        }
        if writer.bufferedBytes >= Self.flushBytes { flush() }
    }

    /// Tells of what was lost since the last time.
    private mutating func tellOfGap() {
        guard untold > 0 else { return }
        let lost = untold
        untold = 0
        append(RecordedJSON.gap(lost: lost), timeNs: newestNs)
        append(RecordedRemark.gap(lost: lost), timeNs: newestNs)
    }

    /// Writes the frames of observations, but for those that the file has already.
    private mutating func recordFrames(of observations: [Observation], robot: RobotID, _ timeNs: UInt64) {
        for observation in observations {
            for (camera, frame) in observation.frames.sorted(by: { $0.key < $1.key }) {
                let source = FrameSource(robot: robot, camera: camera)
                guard newestFrames[source] != frame.number else { continue }
                if record(frame, of: source, timeNs) { newestFrames[source] = frame.number }
            }
        }
    }

    /// Returns whether the frame will be in the file. If not, it is counted as lost, and a replay misses it by its number.
    private mutating func record(_ frame: CameraFrame, of source: FrameSource, _ timeNs: UInt64) -> Bool {
        // First, because compressing takes its time.
        guard let channel = channel(.frame, topic: source.topic) else { return false }
        let json: RecordedJSON
        do throws(PictureError) {
            json = try compressed(frame).json(of: source, timeNs: timeNs)
        } catch {
            lose(.frames, "some frames of \(printable(source.camera, limit: 64)) are not recorded: \(error)")
            return false
        }
        guard json.data.count <= Self.maximumFrameBytes else {
            lose(
                .frames,
                "some frames of \(printable(source.camera, limit: 64)) are not recorded: one takes \(json.data.count) bytes, "
                    + "expected at most \(Self.maximumFrameBytes)"
            )
            return false
        }
        // A reader takes no MCAP chunk of any size.
        if writer.bufferedBytes + json.data.count > Self.flushBytes { flush() }
        guard retryDue == nil else {
            statistics.lost += 1
            untold += 1
            return false
        }
        append(json.data, channel: channel, timeNs: timeNs)
        return true
    }

    private mutating func compressed(_ frame: CameraFrame) throws(PictureError) -> RecordedFrame {
        if let compressor { return try compressor.recorded(frame) }
        let made = try FrameCompressor(pixelFormat: pixelFormat)
        compressor = made
        return try made.recorded(frame)
    }

    /// Counts a message that has no place in the file. No gap in the others' messages, so the file need not tell.
    private mutating func lose(_ warning: Warning, _ text: String) {
        statistics.lost += 1
        if warnings.insert(warning).inserted { logger.error("\(text)") }
    }

    /// Lets the file tell, before its next message or at its end, of messages that somebody else has lost and counted.
    package mutating func tell(ofLost count: UInt64) { untold += count }

    package mutating func flushIfDue() {
        if let due = retryDue ?? flushDue, now() >= due { flush() }
    }

    package mutating func finish() {
        tellOfGap()
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
        guard let channel = channel(json.kind, topic: json.topic) else { return }
        append(json.data, channel: channel, timeNs: timeNs)
    }

    private mutating func append(_ data: [UInt8], channel: UInt16, timeNs: UInt64) {
        writer.append(channel: channel, timeNs: timeNs, data: data)
        if flushDue == nil { flushDue = now().advanced(byNanoseconds: Self.flushIntervalNs) }
    }

    /// The channel of messages; nil if the file has no room for another one, whereupon the message counts as lost.
    private mutating func channel(_ kind: RecordedKind, topic: String) -> UInt16? {
        let name = ChannelName(topic: topic, kind: kind)
        if let channel = channels[name] { return channel }
        guard let schema = schemas[kind] else { return nil }
        do throws(RecordingError) {
            let channel = try writer.addChannel(topic: topic, schema: schema)
            channels[name] = channel
            return channel
        } catch {
            lose(.channels, "some robots are not recorded: \(Self.text(of: error))")
            return nil
        }
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

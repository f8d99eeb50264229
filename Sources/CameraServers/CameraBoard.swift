import Clocks
import ForeignText
import Robotics
import Synchronization

/// A frame of a camera server, and when it came.
public struct ServedFrame: Sendable {
    /// What the camera saw.
    public let frame: CameraFrame
    /// When the message with it had been read from its socket, by this machine's clock: the server's is another machine's.
    public let received: MonotonicTime

    /// A frame that came at a moment.
    public init(frame: CameraFrame, received: MonotonicTime) {
        self.frame = frame
        self.received = received
    }
}

/// The newest frame of each camera that a server sends, for any thread.
public final class CameraBoard: Sendable {
    /// What is known of a source.
    struct Entry {
        var newest: ServedFrame?
        var frames: UInt64 = 0
        var refused: UInt64 = 0
        var repeated: UInt64 = 0
        /// Of the newest picture, by the server's clock.
        var timestamp: Double?
    }

    /// The sources, each of another camera.
    public let sources: [CameraSource]
    private let entries: Mutex<[Entry]>
    private let created: MonotonicTime
    /// How long no frame of a camera may come before that is worth a line in the log.
    private static let longestSilenceNs: UInt64 = 5_000_000_000

    /// A board without frames.
    ///
    /// - Parameter created: when sources begin to be silent.
    /// - Precondition: no camera has two sources.
    public init(sources: [CameraSource], created: MonotonicTime = .now()) {
        precondition(Set(sources.map(\.camera)).count == sources.count, "a camera has one source")
        self.sources = sources
        self.created = created
        entries = Mutex(Array(repeating: Entry(), count: sources.count))
    }

    /// Changes what is known of a source.
    func update(_ source: Int, _ change: (inout Entry) -> Void) {
        entries.withLock { change(&$0[source]) }
    }

    /// What is known of a source.
    func entry(_ source: Int) -> Entry { entries.withLock { $0[source] } }

    /// How the frames of each source come.
    public func status(now: MonotonicTime) -> [CameraServerStatus] {
        let entries = entries.withLock { $0 }
        return zip(sources, entries).map { source, entry in
            CameraServerStatus(
                camera: source.camera,
                endpoint: source.endpoint,
                name: source.name,
                frames: entry.frames,
                refused: entry.refused,
                repeated: entry.repeated,
                ageNs: entry.newest.map { now.elapsedNs(since: $0.received) }
            )
        }
    }

    /// What is wrong, in words: the sources whose newest frame is older than that, or of which none has come.
    ///
    /// - Parameter longestAgeNs: in nanoseconds.
    public func warnings(now: MonotonicTime, longestAgeNs: UInt64) -> [String] {
        status(now: now).compactMap { source in
            let whose = "\(source.camera) from \(printable(source.endpoint, limit: 256))"
            guard let age = source.ageNs else { return "no frame of \(whose) has come" }
            guard age > longestAgeNs else { return nil }
            return "the newest frame of \(whose) is \(age / 1_000_000_000) s old"
        }
    }

    /// The sources of which no frame has come for 5 s, in words that stay the same while that lasts: for a log.
    public func silences(now: MonotonicTime) -> [String] {
        zip(sources, entries.withLock { $0 }).compactMap { source, entry in
            let last = entry.newest?.received ?? created
            guard now.elapsedNs(since: last) >= Self.longestSilenceNs else { return nil }
            let seconds = Self.longestSilenceNs / 1_000_000_000
            return
                "no frame of \(source.camera) from \(printable(source.endpoint, limit: 256)) has come for \(seconds) s or more"
        }
    }

    /// An observation with the newest frame of each camera that it lacks and that a server sends.
    ///
    /// - Parameters:
    ///   - cameras: those of the robot's policy; others are not added.
    ///   - received: when the observation had been read from its socket.
    ///   - longestAgeNs: how old such a frame may be, in nanoseconds.
    /// - Throws: `MessageError` `missing_feature` if no frame has come, `stale` if the newest is older.
    public func completing(
        _ observation: RobotObservation,
        cameras: [CameraDescription],
        received: MonotonicTime,
        longestAgeNs: UInt64
    ) throws(MessageError) -> RobotObservation {
        func lacks(_ source: CameraSource) -> Bool {
            observation.frames[source.camera] == nil && cameras.contains { $0.name == source.camera }
        }
        guard sources.contains(where: lacks) else { return observation }
        var whole = observation
        for (index, source) in sources.enumerated() where lacks(source) {
            guard let newest = entry(index).newest else {
                throw MessageError(
                    .missingFeature,
                    field: "observation.\(source.camera)",
                    "left out, and no frame of it has come from \(source.endpoint)"
                )
            }
            let age = received.elapsedNs(since: newest.received)
            guard age <= longestAgeNs else {
                throw MessageError(
                    .stale,
                    field: "observation.\(source.camera)",
                    "left out, and the newest frame from \(source.endpoint) is \(age / 1_000_000) ms old, "
                        + "expected at most \(longestAgeNs / 1_000_000) ms"
                )
            }
            whole.frames[source.camera] = newest.frame
        }
        return whole
    }
}

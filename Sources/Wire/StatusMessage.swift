import Robotics

/// The daemon's heartbeat: published ten times a second under the topic `status`.
public struct StatusMessage: Sendable, Hashable {
    /// The daemon's monotonic clock, in nanoseconds.
    public var monotonicNs: UInt64
    /// The daemon's wall clock (since 1970, UTC), in nanoseconds.
    public var wallNs: UInt64
    /// Every robot that the daemon knows, by id.
    public var robots: [String: RobotStatus]
    /// The number of the newest stop of any robot; 0 if there was none.
    public var stop: UInt64
    /// What the daemon has done.
    public var statistics: DaemonStatistics
    /// What is wrong with the daemon or with a robot and keeps no robot waiting, in words.
    public var warnings: [String] = []

    /// A heartbeat.
    public init(
        monotonicNs: UInt64,
        wallNs: UInt64,
        robots: [String: RobotStatus],
        stop: UInt64 = 0,
        statistics: DaemonStatistics,
        warnings: [String] = []
    ) {
        self.monotonicNs = monotonicNs
        self.wallNs = wallNs
        self.robots = robots
        self.stop = stop
        self.statistics = statistics
        self.warnings = warnings
    }

    /// Reads a published heartbeat.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("status")
        let fields = envelope.fields
        monotonicNs = try fields.unsigned("monotonic_ns")
        wallNs = try fields.unsigned("wall_ns")
        let robots = try fields.fields("robots")
        self.robots = [:]
        for id in try fields.map("robots").keys {
            self.robots[id] = try RobotStatus(robots.fields(id))
        }
        stop = fields.optional("stop") == nil ? 0 : try fields.unsigned("stop")
        statistics = try DaemonStatistics(fields.fields("statistics"))
        guard fields.optional("warnings") != nil else { return }
        warnings = try fields.strings("warnings")
    }

    /// The message as published.
    public func encoded() -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.message("status", fields: warnings.isEmpty ? 5 : 6)
        encoder.string("monotonic_ns")
        encoder.unsigned(monotonicNs)
        encoder.string("wall_ns")
        encoder.unsigned(wallNs)
        encoder.string("robots")
        encoder.map(robots.count)
        for (id, robot) in robots.sorted(by: { $0.key < $1.key }) {
            encoder.string(id)
            robot.encode(to: encoder)
        }
        encoder.string("stop")
        encoder.unsigned(stop)
        encoder.string("statistics")
        encoder.value(statistics.messagePack)
        if !warnings.isEmpty {
            encoder.string("warnings")
            encoder.value(.array(warnings.map { .string($0) }))
        }
        return encoder.bytes
    }
}

extension RobotStatus {
    fileprivate init(_ fields: FieldReader) throws(MessageError) {
        try self.init(
            state: fields.choice("state"),
            reason: fields.string("reason"),
            forNs: fields.unsigned("for_ns"),
            episode: fields.episode(),
            sequence: fields.unsigned("sequence"),
            silentNs: fields.unsigned("silent_ns"),
            chunks: fields.unsigned("chunks"),
            commands: fields.unsigned("commands"),
            limitViolations: fields.unsigned("limit_violations")
        )
    }

    fileprivate func encode(to encoder: borrowing MessagePackEncoder) {
        encoder.map(9)
        encoder.string("state")
        encoder.string(state.rawValue)
        encoder.string("reason")
        encoder.string(reason)
        encoder.string("for_ns")
        encoder.unsigned(forNs)
        encoder.string("episode")
        encoder.episode(episode)
        encoder.string("sequence")
        encoder.unsigned(sequence)
        encoder.string("silent_ns")
        encoder.unsigned(silentNs)
        encoder.string("chunks")
        encoder.unsigned(chunks)
        encoder.string("commands")
        encoder.unsigned(commands)
        encoder.string("limit_violations")
        encoder.unsigned(limitViolations)
    }
}

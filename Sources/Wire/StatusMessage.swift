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
    /// How the frames of camera servers come; empty without `serve --camera`.
    public var cameraServers: [CameraServerStatus] = []
    /// What the daemon has done.
    public var statistics: DaemonStatistics
    /// How far the calibration has come, in hundredths; 100: chunks are sampled as was asked for.
    public var calibrationPercent: UInt64
    /// What is wrong with the daemon or with a robot and keeps no robot waiting, in words.
    public var warnings: [String] = []

    /// A heartbeat.
    public init(
        monotonicNs: UInt64,
        wallNs: UInt64,
        robots: [String: RobotStatus],
        stop: UInt64 = 0,
        cameraServers: [CameraServerStatus] = [],
        statistics: DaemonStatistics,
        calibrationPercent: UInt64 = 100,
        warnings: [String] = []
    ) {
        self.monotonicNs = monotonicNs
        self.wallNs = wallNs
        self.robots = robots
        self.stop = stop
        self.cameraServers = cameraServers
        self.statistics = statistics
        self.calibrationPercent = calibrationPercent
        self.warnings = warnings
    }

    /// The fields of a heartbeat.
    package static let table = MessageTable(
        StatusMessage(monotonicNs: 0, wallNs: 0, robots: [:], statistics: DaemonStatistics()),
        [
            .required("monotonic_ns", \.monotonicNs, .unsigned, "the daemon's monotonic clock"),
            .required("wall_ns", \.wallNs, .unsigned, "the daemon's wall clock (since 1970, UTC)"),
            .required(
                "robots",
                \.robots,
                .maps(RobotStatus.table),
                "for each robot's id a map, see below; at most 256, those that are not idle first"
            ),
            .added(
                "stop",
                \.stop,
                .unsigned,
                "the number of the newest stop of any robot, 0 if there was none: see *stop, resume*"
            ),
            .unlessEmpty(
                "camera_servers",
                \.cameraServers,
                .list(CameraServerStatus.table),
                "as in `info`"
            ),
            .required(
                "statistics",
                \.statistics,
                .map(DaemonStatistics.table),
                "as in `info`; percentiles are a second old or a little more"
            ),
            .added(
                "calibration_percent",
                \.calibrationPercent,
                .unsigned,
                "how far the calibration has come, as in `info`; of several policies that of the least"
            ),
            .unlessEmpty(
                "warnings",
                \.warnings,
                .strings,
                """
                what is wrong and keeps no robot waiting, for people: that stops cannot be written, or that a robot's rate is \
                not its robot file's
                """
            ),
        ]
    )

    /// Reads a published heartbeat.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("status")
        self = try Self.table.read(envelope.fields)
    }

    /// The message as published.
    public func encoded() -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.message("status", Self.table, of: self)
        return encoder.bytes
    }
}

extension RobotStatus {
    /// What a heartbeat says of a robot.
    package static let table = MessageTable(
        RobotStatus(
            state: .idle,
            reason: "",
            forNs: 0,
            episode: .number(0),
            sequence: 0,
            silentNs: 0,
            chunks: 0,
            commands: 0,
            limitViolations: 0
        ),
        [
            .required("state", \.state, .choice, "`idle`, `running`, `holding`, `stopped` or `faulted`"),
            .required("reason", \.reason, .string, "what led to it, for people"),
            .required("for_ns", \.forNs, .unsigned, "for how long"),
            .required("episode", \.episode, .episode, "that of its newest observation"),
            .required("sequence", \.sequence, .unsigned, "that of its newest observation"),
            .required("silent_ns", \.silentNs, .unsigned, "the time since its newest observation"),
            .required("chunks", \.chunks, .unsigned, "how many it was sent, predictions included"),
            .required("commands", \.commands, .unsigned, "how many it was sent"),
            .required(
                "limit_violations",
                \.limitViolations,
                .unsigned,
                "its commands and chunks that limits changed or held back"
            ),
            .optional(
                "policy",
                \.policy,
                .string,
                "the name of the policy that it named in its `reset`; left out if the daemon runs one, or the robot named none"
            ),
        ]
    )
}

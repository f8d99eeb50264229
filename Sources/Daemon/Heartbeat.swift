import CameraServers
import Clocks
import Logging
import Piloting
import Planning
import Recording
import Robotics
import Transport
import Wire

/// Publishes `status` ten times a second, and logs what has changed since.
final class Heartbeat {
    /// The time between two, in nanoseconds.
    static let intervalNs: UInt64 = 100_000_000
    /// The time between two lines about the same warnings, in nanoseconds.
    private static let warningIntervalNs: UInt64 = 60_000_000_000

    /// When the next one is due, by the monotonic clock.
    private(set) var due = MonotonicTime.now()
    private let socket: ZeroMQSocket
    private let robots: Robots
    private let commands: CommandOutlet
    private let stops: DurableStops
    private let telemetry: Telemetry
    private let tap: (any MessageTap)?
    private let logger: Logger
    private let mostRobots: Int
    private let mailbox: PlannerMailbox
    private var calibrations: [CalibrationLog]
    private let cameraBoard: CameraBoard?
    private let frameAgeNs: UInt64
    private var descriptors = DescriptorWatch()
    private var stateLog = LogBudget()
    /// The warnings about robots and cameras that were logged last, and when they are logged again.
    private var loggedWarnings: (texts: [String], again: MonotonicTime) = ([], MonotonicTime(nanoseconds: 0))

    init(commands: CommandOutlet, stops: DurableStops, context: LoopContext) {
        self.commands = commands
        self.stops = stops
        socket = commands.socket
        robots = context.robots
        telemetry = context.telemetry
        logger = context.configuration.logger
        tap = context.configuration.tap
        cameraBoard = context.cameraBoard
        frameAgeNs = context.configuration.frameAgeNs
        mostRobots = context.configuration.limits.mapEntries
        mailbox = context.mailbox
        let names = context.policies.descriptions.map(\.name)
        calibrations = names.map {
            CalibrationLog(of: names.count > 1 ? $0 : nil, logger: context.configuration.logger)
        }
    }

    /// Publishes the heartbeat if it is due. That takes longer than anything else that the loop does, so it comes when all else is
    /// done.
    func sendIfDue() throws(ZeroMQError) {
        let now = MonotonicTime.now()
        guard now >= due else { return }
        // A daemon that was off its core does not make up for heartbeats.
        due = max(due.advanced(byNanoseconds: Self.intervalNs), now)
        logStateChanges(now: now)
        logWarnings(now: now)
        commands.countLimitViolations()
        let tunings = mailbox.tunings
        for (index, tuning) in tunings.enumerated() { calibrations[index].note(tuning, now: now) }
        let status = StatusMessage(
            monotonicNs: now.unsignedNs,
            wallNs: Clock.wallNs(),
            robots: robots.pilots.status(most: mostRobots, now: now),
            stop: robots.pilots.newestStop(of: nil).number,
            cameraServers: cameraBoard?.status(now: now) ?? [],
            statistics: telemetry.heartbeat(now: now),
            calibrationPercent: UInt64(tunings.map(\.calibratedHundredths).min() ?? 100),
            warnings: warnings(now: now)
        )
        telemetry.keep(status)
        try socket.send([Array(Topic.status.utf8), status.encoded()])
        tap?.take(TappedMessage(.status(status)))
    }

    /// Logs what robots' states have become, a bounded number of lines a second.
    private func logStateChanges(now: MonotonicTime) {
        for (robot, state, reason) in robots.pilots.stateChanges() {
            guard let suppressed = stateLog.admit(now: now) else { continue }
            if suppressed > 0 { logger.notice("\(suppressed) changes of robots' states were not logged") }
            let isTrouble = state != .idle && state != .running
            logger.log(level: isTrouble ? .warning : .info, "\(robot) is \(state): \(reason)")
        }
    }

    /// Logs what is wrong with robots and cameras, once when it begins and again every minute.
    private func logWarnings(now: MonotonicTime) {
        let current = (cameraBoard?.silences(now: now) ?? []) + robots.pilots.warnings
        guard current != loggedWarnings.texts || now >= loggedWarnings.again else { return }
        for warning in current { logger.warning("\(warning)") }
        loggedWarnings = (current, now.advanced(byNanoseconds: Self.warningIntervalNs))
    }

    /// What is wrong with the daemon or with a robot, and keeps no robot waiting.
    private func warnings(now: MonotonicTime) -> [String] {
        [stops.warning(now: now), descriptors.warning(now: now, logger: logger)].compactMap { $0 }
            + (cameraBoard?.warnings(now: now, longestAgeNs: frameAgeNs) ?? [])
            + robots.pilots.warnings
    }
}

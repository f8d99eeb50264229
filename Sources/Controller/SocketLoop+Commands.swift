import Logging
import Recording
import Robotics
import Transport
import Wire

/// What goes out by the clock: commands and the heartbeat.
extension SocketLoop {
    /// The time between two heartbeats.
    static let heartbeatNs: UInt64 = 100_000_000
    /// The longest that robots are braked when the daemon ends.
    static let longestEndNs: UInt64 = 1_000_000_000

    /// Sets the alarm to the next thing that is due.
    func setAlarm() throws(ZeroMQError) {
        let nowNs = Clock.monotonicNs()
        let tickNs = pilots.nextTickNs(after: nowNs) ?? .max
        let beatNs = watchdog?.nextBeatNs(nowNs: nowNs) ?? .max
        let interimNs = interim?.dueNs ?? .max
        try alarm.set(toNs: min(tickNs, heartbeatDueNs, beatNs, interimNs))
    }

    /// Publishes the commands that are due.
    func sendCommands() throws(ZeroMQError) {
        try pilots.sendCommands(now: Clock.monotonicNs) { (command, arrayKeys) throws(ZeroMQError) in
            telemetry.count { $0.commands += 1 }
            try chunks.send([command.robot.commandTopic, command.encoded(arrayKeys: arrayKeys)])
            tap?.take(TappedMessage(.command(command)))
        }
    }

    /// Publishes the heartbeat where it is due. That takes longer than anything else that the loop does, so it comes when all
    /// else is done.
    func sendHeartbeat() throws(ZeroMQError) {
        let nowNs = Clock.monotonicNs()
        guard nowNs >= heartbeatDueNs else { return }
        // A daemon that was off its core does not make up for heartbeats.
        heartbeatDueNs = max(heartbeatDueNs + Self.heartbeatNs, nowNs)
        logStateChanges(nowNs: nowNs)
        logWarnings(nowNs: nowNs)
        countLimitViolations()
        let status = StatusMessage(
            monotonicNs: nowNs,
            wallNs: Clock.wallNs(),
            robots: pilots.status(most: limits.mapEntries, nowNs: nowNs),
            stop: pilots.newestStop(of: nil).number,
            statistics: telemetry.heartbeat(nowNs: nowNs),
            warnings: warnings
        )
        telemetry.keep(status)
        try chunks.send([Array(Topic.status.utf8), status.encoded()])
        tap?.take(TappedMessage(.status(status)))
    }

    /// Brings the counter up to date.
    func countLimitViolations() {
        let limitViolations = pilots.limitViolations
        telemetry.count { $0.limitViolations = limitViolations }
    }

    /// Brings every robot to rest, in no more than a second, for the end of the daemon.
    func bringToRest() throws(ZeroMQError) {
        let beganNs = Clock.monotonicNs()
        _ = pilots.stopAll("the daemon is ending", nowNs: beganNs)
        while pilots.nextTickNs(after: Clock.monotonicNs()) != nil,
            Clock.monotonicNs() - beganNs < Self.longestEndNs
        {
            try setAlarm()
            _ = try ZeroMQSocket.wait(for: [], alarm: alarm)
            try sendCommands()
            try sendHeartbeat()
        }
    }

    /// Logs what robots' states have become, a bounded number of lines a second.
    private func logStateChanges(nowNs: UInt64) {
        for (robot, state, reason) in pilots.stateChanges() {
            guard let suppressed = stateLog.admit(nowNs: nowNs) else { continue }
            if suppressed > 0 { logger.notice("\(suppressed) changes of robots' states were not logged") }
            let isTrouble = state != .idle && state != .running
            logger.log(level: isTrouble ? .warning : .info, "\(robot) is \(state.rawValue): \(reason)")
        }
    }

    /// Logs what is wrong with robots, once when it begins and again every minute.
    private func logWarnings(nowNs: UInt64) {
        let current = pilots.warnings
        guard current != loggedWarnings.texts || nowNs >= loggedWarnings.againNs else { return }
        for warning in current { logger.warning("\(warning)") }
        loggedWarnings = (current, nowNs + Self.warningIntervalNs)
    }

    private static let warningIntervalNs: UInt64 = 60_000_000_000

    /// Stops a robot, known or not, or every one, known or not.
    ///
    /// - Parameter connection: the connection that asks for it.
    func stop(_ robot: RobotID?, connection: [UInt8]?) throws(MessageError) -> StopReply {
        let nowNs = Clock.monotonicNs()
        let reason = "a stop was requested"
        let names = pilots.knownNames
        guard let robot else {
            let count = pilots.stopAll(reason, connection: connection, nowNs: nowNs)
            return StopReply(robots: count, known: names.count, number: pilots.newestStop(of: nil).number)
        }
        guard !pilots.isFull(for: robot) else {
            throw MessageError(
                .busy,
                field: "robot",
                "\(robot) is not known, and as many robots are as the daemon keeps; expected one of those"
            )
        }
        let isNew = pilots[robot, nowNs: nowNs].stop(reason, connection: connection, nowNs: nowNs)
        let isKnown = names.contains(robot.text)
        return StopReply(
            robots: isNew ? 1 : 0,
            known: isKnown ? 1 : 0,
            number: pilots.newestStop(of: robot).number,
            knownNames: isKnown ? [] : Array(names.prefix(StopReply.mostNames))
        )
    }

    /// Releases a robot, or every one. Returns how many had been stopped.
    ///
    /// - Parameters:
    ///   - seen: the number of the newest stop that whoever asks has seen.
    ///   - connection: the connection that asks for it.
    /// - Throws: ``MessageError`` if the robot was stopped later, or may have been.
    func resume(_ robot: RobotID?, seen: UInt64?, connection: [UInt8]?) throws(MessageError) -> Int {
        try pilots.newestStop(of: robot).check(seen: seen, by: connection)
        let nowNs = Clock.monotonicNs()
        guard let robot else { return pilots.resumeAll(nowNs: nowNs) }
        return pilots[robot, nowNs: nowNs].resume(nowNs: nowNs) ? 1 : 0
    }
}

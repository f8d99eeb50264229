import Logging
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
        for command in pilots.commands(nowNs: Clock.monotonicNs()) {
            telemetry.count { $0.commands += 1 }
            try chunks.send([command.robot.commandTopic, command.encoded()])
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
        for (robot, state, reason) in pilots.stateChanges() {
            let isTrouble = state != .idle && state != .running
            logger.log(level: isTrouble ? .warning : .info, "\(robot) is \(state.rawValue): \(reason)")
        }
        countLimitViolations()
        let status = StatusMessage(
            monotonicNs: nowNs,
            wallNs: Clock.wallNs(),
            robots: pilots.status(nowNs: nowNs),
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

    /// Stops a robot, known or not, or every one, known or not. Returns how many had not been stopped.
    func stop(_ robot: RobotID?) throws(MessageError) -> Int {
        let nowNs = Clock.monotonicNs()
        if let robot, pilots.isFull(for: robot) {
            throw MessageError(
                .busy,
                field: "robot",
                "\(robot) is not known, and as many robots are as the daemon keeps; expected one of those"
            )
        }
        let reason = "a stop was requested"
        guard let robot else { return pilots.stopAll(reason, nowNs: nowNs) }
        return pilots[robot, nowNs: nowNs].stop(reason, nowNs: nowNs) ? 1 : 0
    }

    /// Releases a robot, or every one. Returns how many had been stopped.
    func resume(_ robot: RobotID?) -> Int {
        let nowNs = Clock.monotonicNs()
        guard let robot else { return pilots.resumeAll(nowNs: nowNs) }
        return pilots[robot, nowNs: nowNs].resume(nowNs: nowNs) ? 1 : 0
    }
}

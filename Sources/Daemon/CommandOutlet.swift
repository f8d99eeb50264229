import Clocks
import Piloting
import Recording
import Robotics
import Transport
import Wire

/// Publishes the robots' commands when they are due.
struct CommandOutlet {
    let socket: ZeroMQSocket
    let robots: Robots
    let telemetry: Telemetry
    let tap: (any MessageTap)?

    /// - Parameter socket: the socket for commands.
    init(socket: ZeroMQSocket, context: LoopContext) {
        self.socket = socket
        robots = context.robots
        telemetry = context.telemetry
        tap = context.configuration.tap
    }

    /// When the next command is due, by the monotonic clock; nil if no robot moves.
    func nextTick(after now: MonotonicTime) -> MonotonicTime? { robots.pilots.nextTick(after: now) }

    /// Publishes the commands that are due.
    func sendDue() throws(ZeroMQError) {
        try robots.pilots.sendCommands(now: MonotonicTime.now) { (command, arrayKeys) throws(ZeroMQError) in
            telemetry.count { $0.commands += 1 }
            try socket.send([command.robot.commandTopic, command.encoded(arrayKeys: arrayKeys)])
            tap?.take(TappedMessage(.command(command)))
        }
    }

    /// Brings the counter of limited commands and chunks up to date.
    func countLimitViolations() {
        let limitViolations = robots.pilots.limitViolations
        telemetry.count { $0.limitViolations = limitViolations }
    }
}

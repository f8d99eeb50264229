import Clocks
import Logging
import Robotics
import Transport
import Wire

/// Carries out the orders of people that come from within the process, as ``RequestDesk`` does those of clients.
final class OrderDesk {
    private let box: OrderBox
    private let robots: Robots
    private let commands: CommandOutlet
    private let stops: DurableStops
    private let logger: Logger

    init(box: OrderBox, commands: CommandOutlet, stops: DurableStops, context: LoopContext) {
        (self.box, self.commands, self.stops) = (box, commands, stops)
        robots = context.robots
        logger = context.configuration.logger
    }

    /// Carries out the orders that are there.
    func answer() throws(ZeroMQError) {
        for order in box.take() {
            let whom = order.robot.map { "\($0)" } ?? "every robot"
            let done = Result { () throws(MessageError) in try carryOut(order) }
            switch done {
            case .success(let robots):
                // Before anything else is read: the robot's next command may be due already.
                try commands.sendDue()
                let outcome = outcome(of: order, robots: robots)
                let state = outcome.state.map { ", now \($0)" } ?? ", \(robots) changed"
                logger.notice("\(order.origin): \(order.order.word) \(whom)\(state)")
                try answerOnceKept(order, outcome)
            case .failure(let error):
                logger.notice("\(order.origin): \(order.order.word) \(whom) was refused: \(error)")
                order.answer(.failure(error))
            }
        }
    }

    /// Refuses what waits and what comes later: the daemon ends.
    func close() { box.close() }

    /// Returns how many robots have changed their state.
    private func carryOut(_ order: PersonalOrder) throws(MessageError) -> Int {
        let now = MonotonicTime.now()
        if case .resume(let seen) = order.order {
            try robots.pilots.newestStop(of: order.robot).check(seen: seen, by: nil)
            guard let robot = order.robot else { return robots.pilots.resumeAll(now: now) }
            return robots.pilots[robot, now: now].resume(now: now) ? 1 : 0
        }
        let reason = "a \(order.order.word) was requested on \(order.origin)"
        guard let robot = order.robot else {
            guard order.order == .stop else {
                throw MessageError(.forbidden, field: "robots", "found \"all\", expected one robot to hold")
            }
            return robots.pilots.stopAll(reason, now: now)
        }
        guard !robots.pilots.isFull(for: robot) else { throw .unknownWhileFull(robot) }
        guard order.order == .hold else {
            return robots.pilots[robot, now: now].stop(reason, now: now) ? 1 : 0
        }
        return robots.pilots[robot, now: now].hold(reason, now: now) ? 1 : 0
    }

    private func outcome(of order: PersonalOrder, robots count: Int) -> OrderOutcome {
        let number = robots.pilots.newestStop(of: order.robot).number
        guard let robot = order.robot else { return OrderOutcome(robots: count, stop: number) }
        let now = MonotonicTime.now()
        return OrderOutcome(
            robots: count,
            state: robots.pilots[robot, now: now].state,
            reason: robots.pilots[robot, now: now].reason,
            stop: number
        )
    }

    private func answerOnceKept(_ order: PersonalOrder, _ outcome: OrderOutcome) throws(ZeroMQError) {
        try stops.answerOnceKept { keeping in
            var outcome = outcome
            switch keeping {
            case .kept: outcome.isKept = true
            case .forgotten: outcome.isKept = false
            case .failed(let problem): outcome.problem = problem
            }
            order.answer(.success(outcome))
        }
    }
}

extension MessageError {
    /// That a robot cannot be stopped because it is not known and no more may be.
    static func unknownWhileFull(_ robot: RobotID) -> MessageError {
        MessageError(
            .busy,
            field: "robot",
            "\(robot) is not known, and as many robots are as the daemon keeps; expected one of those"
        )
    }
}

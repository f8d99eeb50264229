import Clocks
import Dispatch
import ForeignText
import Logging
import Piloting
import Planning
import Robotics
import Transport
import Wire

/// A reply to `stop` or `resume` that waits for the disk.
private struct UnkeptReply {
    /// What the keeper calls what is written.
    let number: UInt64
    /// When the client is told that the disk has not answered.
    let due: MonotonicTime
    let answer: (Reply.Keeping) throws(ZeroMQError) -> Void
}

/// What outlives the daemon: which robots are stopped. Writing is another thread's work; clients that wait for it are answered here.
final class DurableStops {
    private let state: StateFile?
    private let robots: Robots
    private let logger: Logger
    private var keeper: StateKeeper?
    private var keeperDeadline: DispatchTime?
    private var unkeptReplies: [UnkeptReply] = []

    /// Stops the robots that the state file names.
    init(context: LoopContext) {
        state = context.configuration.state
        logger = context.configuration.logger
        robots = context.robots
        if let stops = state?.stops { robots.pilots.restore(stops, now: .now()) }
    }

    /// The longest that a client waits for the disk.
    static let longestKeepingNs: UInt64 = 1_000_000_000
    /// The most clients that wait for it.
    static let mostUnkeptReplies = 256
    /// The longest that the end of the daemon waits for the disk.
    static let longestEndKeeping = DispatchTimeInterval.seconds(5)

    /// Begins to write down which robots are stopped, if there is a file for it.
    func start(wakeUp: WakeUp) {
        guard let state else { return }
        let path = printable(state.path, limit: 1024)
        if let damage = state.damage {
            logger.error("\(path) is damaged, so every robot is stopped: \(damage)")
        } else if let stop = state.stops.everyRobot {
            let released = state.stops.released.count
            let but = released == 0 ? "" : "; \(released) were released"
            logger.warning("every robot is stopped since \(stop.time): \(stop.reason)\(but)")
        }
        keeper = StateKeeper(
            state.stops,
            problem: state.problem.map { "\($0)" },
            logger: logger,
            tell: { wakeUp.signal() },
            check: { () throws(StateFileError) in try state.checkOwnership() },
            write: { stops throws(StateFileError) in try state.write(stops) }
        )
    }

    /// Has it written down if another robot is stopped than before.
    func keepChanges() {
        guard let keeper, robots.pilots.hasNewStops() else { return }
        _ = keeper.keep(robots.pilots.stops)
    }

    /// Has an answer given once it is on the disk which robots are stopped, or it is known that it will not be soon.
    func answerOnceKept(
        _ answer: @escaping (Reply.Keeping) throws(ZeroMQError) -> Void
    ) throws(ZeroMQError) {
        guard let keeper else { return try answer(.forgotten) }
        guard unkeptReplies.count < Self.mostUnkeptReplies else {
            return try answer(.failed("too many requests wait for the disk"))
        }
        // Also if nothing has changed: an earlier write may have failed.
        let number = keeper.keep(robots.pilots.stops)
        unkeptReplies.append(
            UnkeptReply(
                number: number,
                due: MonotonicTime.now().advanced(byNanoseconds: Self.longestKeepingNs),
                answer: answer
            )
        )
    }

    /// Sends the replies that have waited for the disk long enough.
    func answerKept() throws(ZeroMQError) {
        guard let keeper, !unkeptReplies.isEmpty else { return }
        let now = MonotonicTime.now()
        var waiting: [UnkeptReply] = []
        for unkept in unkeptReplies {
            if let keeping = keeper.keeping(of: unkept.number) {
                try unkept.answer(keeping)
            } else if now >= unkept.due {
                let seconds = Self.longestKeepingNs / 1_000_000_000
                try unkept.answer(.failed("the disk has not answered within \(seconds) s"))
            } else {
                waiting.append(unkept)
            }
        }
        unkeptReplies = waiting
    }

    /// Waits for the disk, no longer than ``longestEndKeeping``, and answers who waits for it. That the end of the daemon stops
    /// every robot is not kept: the next daemon is to go on.
    func end() throws(ZeroMQError) {
        guard let keeper else { return }
        let deadline = closeKeeper(keeper)
        while DispatchTime.now() < deadline, !keeper.waitForEnd(until: .now() + .milliseconds(50)) {
            try answerKept()
        }
        try answerKept()
    }

    /// Ends the writing, however the loop ended, and lets another daemon have the file. While the disk still has a write to do,
    /// nobody else may have it.
    func release() {
        guard let state else { return }
        guard let keeper else { return state.release() }
        let hasEnded = keeper.waitForEnd(until: closeKeeper(keeper))
        if let problem = keeper.problem(now: .now()) {
            state.unkept = problem
            logger.error(
                "\(printable(state.path, limit: 1024)) does not hold which robots are stopped: \(problem)"
            )
        }
        if hasEnded { state.release() }
    }

    /// Has the keeper end. Returns until when to wait for it, however often it is asked.
    private func closeKeeper(_ keeper: StateKeeper) -> DispatchTime {
        keeper.close()
        let deadline = keeperDeadline ?? .now() + Self.longestEndKeeping
        keeperDeadline = deadline
        return deadline
    }

    /// Why a restart would forget which robots are stopped; nil if it would not.
    func warning(now: MonotonicTime) -> String? {
        keeper?.problem(now: now).map { "a restart would forget which robots are stopped: \($0)" }
    }
}

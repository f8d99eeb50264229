import Dispatch
import ForeignText
import Planning
import Robotics
import Transport
import Wire

/// A reply to `stop` or `resume` that waits for the disk.
struct UnkeptReply {
    /// What the keeper calls what is written.
    let number: UInt64
    /// When the client is told that the disk has not answered.
    let dueNs: UInt64
    let client: PlanningJob.Destination
    let make: (Reply.Keeping) -> Reply
}

/// What outlives the daemon: which robots are stopped.
extension SocketLoop {
    /// The longest that a client waits for the disk.
    static let longestKeepingNs: UInt64 = 1_000_000_000
    /// The most clients that wait for it.
    static let mostUnkeptReplies = 256
    /// The longest that the end of the daemon waits for the disk.
    static let longestEndKeeping = DispatchTimeInterval.seconds(5)

    /// Begins to write down which robots are stopped, where there is a file for it.
    func startKeeping(wakeUp: WakeUp) {
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

    /// Has it written down, where another robot is stopped than before.
    func keepStops() {
        guard let keeper, pilots.hasNewStops() else { return }
        _ = keeper.keep(pilots.stops)
    }

    /// Replies once it is on the disk which robots are stopped, or it is known that it will not be soon.
    func answerOnceKept(
        _ client: PlanningJob.Destination,
        _ make: @escaping (Reply.Keeping) -> Reply
    ) throws(ZeroMQError) {
        guard let keeper else {
            try reply(make(.forgotten), to: client)
            return
        }
        guard unkeptReplies.count < Self.mostUnkeptReplies else {
            try reply(make(.failed("too many requests wait for the disk")), to: client)
            return
        }
        // Also where nothing has changed: an earlier write may have failed.
        let number = keeper.keep(pilots.stops)
        unkeptReplies.append(
            UnkeptReply(
                number: number,
                dueNs: Clock.monotonicNs() + Self.longestKeepingNs,
                client: client,
                make: make
            )
        )
    }

    /// Sends the replies that have waited for the disk long enough.
    func answerWhatIsKept() throws(ZeroMQError) {
        guard let keeper, !unkeptReplies.isEmpty else { return }
        let nowNs = Clock.monotonicNs()
        var waiting: [UnkeptReply] = []
        for unkept in unkeptReplies {
            if let keeping = keeper.keeping(of: unkept.number) {
                try reply(unkept.make(keeping), to: unkept.client)
            } else if nowNs >= unkept.dueNs {
                let seconds = Self.longestKeepingNs / 1_000_000_000
                try reply(
                    unkept.make(.failed("the disk has not answered within \(seconds) s")),
                    to: unkept.client
                )
            } else {
                waiting.append(unkept)
            }
        }
        unkeptReplies = waiting
    }

    /// Waits for the disk, no longer than ``longestEndKeeping``, and answers who waits for it. That the end of the daemon stops
    /// every robot is not kept: the next daemon is to go on.
    func endKeeping() throws(ZeroMQError) {
        guard let keeper else { return }
        let deadline = closeKeeper(keeper)
        while DispatchTime.now() < deadline, !keeper.waitForEnd(until: .now() + .milliseconds(50)) {
            try answerWhatIsKept()
        }
        try answerWhatIsKept()
    }

    /// Ends the writing, however the loop ended, and lets another daemon have the file. While the disk still has a write to do,
    /// nobody else may have it.
    func releaseState() {
        guard let state else { return }
        guard let keeper else { return state.release() }
        let hasEnded = keeper.waitForEnd(until: closeKeeper(keeper))
        if let problem = keeper.problem(nowNs: Clock.monotonicNs()) {
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

    /// What is wrong with the daemon or with a robot, and keeps no robot waiting.
    var warnings: [String] {
        let nowNs = Clock.monotonicNs()
        let unkept = keeper?.problem(nowNs: nowNs).map {
            "a restart would forget which robots are stopped: \($0)"
        }
        return [unkept, descriptors.warning(nowNs: nowNs, logger: logger)].compactMap { $0 } + pilots.warnings
    }
}

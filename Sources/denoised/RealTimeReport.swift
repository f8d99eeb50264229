import Statistics

/// What `sim --realtime` reports beside scores and latencies.
struct RealTimeReport: Encodable {
    /// How far the target moved from one control step to the next, in the world's units.
    struct Moves: Encodable {
        let p50: Double
        let p90: Double
        let max: Double

        init(_ moves: [Double]) {
            let percentiles = Percentiles(moves)
            p50 = percentiles[50]
            p90 = percentiles[90]
            max = percentiles[100]
        }
    }

    /// How the robot asked for chunks: `synchronous`, or how one chunk goes over into the next; nil: the
    /// report has it elsewhere.
    let schedule: String?
    /// How much later than it was made the planner saw each observation; nil as for `schedule`.
    let delayMs: Double?
    let steps: Int
    /// Those in which the robot had no action and held its last target.
    let heldSteps: Int
    /// Those with an action beyond the ones that the policy means to be carried out.
    let beyondSteps: Int
    /// Those that began more than a tenth of a period late.
    let lateSteps: Int
    /// In the steps with which a chunk took over.
    let handOverMove: Moves
    /// In the other steps that had an action.
    let otherMove: Moves
    /// How abruptly the target's velocity changed where chunks took over, in the world's units a second.
    let velocityJump: JumpReport
    /// The same elsewhere.
    let otherJump: JumpReport

    /// Nil if no episode was in real time.
    ///
    /// - Parameter settings: how the robot lived in it, if the report is to tell.
    init?(_ episodes: [EpisodeResult], settings: RealTimeSettings? = nil) {
        let figures = episodes.compactMap(\.realTime)
        guard !figures.isEmpty else { return nil }
        schedule = settings.map { $0.mode == .synchronous ? $0.mode.rawValue : $0.strategy.rawValue }
        delayMs = settings.map { $0.delay / .milliseconds(1) }
        steps = episodes.reduce(0) { $0 + $1.recording.stepCount }
        heldSteps = figures.reduce(0) { $0 + $1.heldSteps }
        beyondSteps = figures.reduce(0) { $0 + $1.beyondSteps }
        lateSteps = figures.reduce(0) { $0 + $1.lateSteps }
        handOverMove = Moves(figures.flatMap(\.handOverMoves))
        otherMove = Moves(figures.flatMap(\.otherMoves))
        (velocityJump, otherJump) = JumpReport.pair(episodes)
    }

    func print() {
        Console.result(
            "  of \(steps) control steps \(heldSteps) held without an action, \(beyondSteps) went beyond a chunk's "
                + "actions, \(lateSteps) began late"
        )
        Console.result(
            "  the target moved by \(fixed(handOverMove.p50, 1)) (p90 \(fixed(handOverMove.p90, 1)), "
                + "max \(fixed(handOverMove.max, 1))) when a chunk took over, else by \(fixed(otherMove.p50, 1)) "
                + "(p90 \(fixed(otherMove.p90, 1)), max \(fixed(otherMove.max, 1)))"
        )
        Console.result(
            "  its velocity jumped by \(fixed(velocityJump.mean, 0)) a second (p95 \(fixed(velocityJump.p95, 0))) "
                + "when a chunk took over, else by \(fixed(otherJump.mean, 0)) (p95 \(fixed(otherJump.p95, 0)))"
        )
    }
}

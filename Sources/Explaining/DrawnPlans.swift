/// The lines of all methods' plans, on one scale, and how many of them a page holds.
struct DrawnPlans {
    /// The points of a plan's lines.
    let lines: ([Float]) -> [String]
    /// After every so many passes a plan is drawn: all are if they take little room.
    let every: Int

    /// What the plans of a page take at most, about, in bytes.
    private static let room = 1_000_000

    init(_ methods: [ExplainedMethod], drawing: PlanDrawing, actionDim: Int) {
        let plans = methods.flatMap { method in
            method.explained.passes.indices.map { method.plan(after: $0) }
        }
        let lines = drawing.lines(of: plans, actionDim: actionDim)
        let bytes = plans.first.map { lines($0).reduce(0) { $0 + $1.utf8.count } } ?? 0
        self.lines = lines
        every = max(1, (bytes * plans.count + Self.room - 1) / Self.room)
    }

    /// The lines of a method's plans after the passes that are drawn, and after the last.
    func lines(of method: ExplainedMethod) -> [[String]] {
        let last = method.explained.passes.count - 1
        return (Array(stride(from: 0, to: last, by: every)) + [last]).map { lines(method.plan(after: $0)) }
    }
}

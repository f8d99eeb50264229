/// When it pays to plan the chunks of several robots together rather than in turn: a pass of the network over several samples
/// may take little longer than over one, but every chunk then is there only at the end.
public struct Grouping: Sendable, Hashable {
    /// The most chunks that are planned together: beyond, a pass takes as much longer as it has more samples.
    public static let largest = 8

    /// What it takes to plan 1, 2, ... chunks together, in nanoseconds: as many as are planned together at most. Element 0 is
    /// a chunk that is planned alone.
    public let togetherNs: [Double]

    /// A rule of these times, at least one.
    public init(togetherNs: [Double]) {
        precondition(!togetherNs.isEmpty, "times of no chunk")
        self.togetherNs = togetherNs
    }

    /// A rule of the times of some numbers of chunks; between two of them a chunk more always takes as much more.
    ///
    /// - Parameter measured: numbers of chunks, ascending from 1, each with what it takes to plan so many together.
    public init(measured: [(chunks: Int, nanoseconds: Double)]) {
        precondition(measured.first?.chunks == 1, "the time of a single chunk is missing")
        var times = [measured[0].nanoseconds]
        for (before, next) in zip(measured, measured.dropFirst()) {
            let rise = (next.nanoseconds - before.nanoseconds) / Double(next.chunks - before.chunks)
            times += (1...next.chunks - before.chunks).map { before.nanoseconds + rise * Double($0) }
        }
        self.init(togetherNs: times)
    }

    /// How many to plan together where so many wait: 1 if they are better planned in turn.
    ///
    /// - Parameters:
    ///   - waiting: how many wait, at least 1.
    ///   - budgetNs: the time that each has from its observation on, if any.
    public func size(waiting: Int, budgetNs: UInt64?) -> Int {
        let count = min(waiting, togetherNs.count)
        guard count >= 2 else { return 1 }
        let aloneNs = togetherNs[0]
        // In turn there is not the time for all: together each gets more denoising steps than in its share of it.
        if let budgetNs, aloneNs * Double(count) > Double(budgetNs) { return count }
        // In turn a chunk is there after half of the others in the mean.
        let inTurn = aloneNs * Double(count + 1) / 2
        return togetherNs[count - 1] < inTurn ? count : 1
    }
}

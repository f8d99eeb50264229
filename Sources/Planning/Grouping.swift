import Sampling

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

    /// A rule of what chunks take: pass i of a group evaluates what pass i of each of its chunks would.
    ///
    /// - Parameters:
    ///   - chunks: the batch size of each pass, for some chunks that were sampled alone, at least one.
    ///   - times: of passes.
    ///   - largestBatch: what the network takes at once; a larger batch is cut.
    ///   - most: the most chunks that are planned together, at least 1.
    init(chunks: [[Int]], times: ForwardTimes, largestBatch: Int, most: Int) {
        func nanoseconds(_ batch: Int) -> Double {
            let (whole, rest) = batch.quotientAndRemainder(dividingBy: largestBatch)
            return Double(whole) * times.typical(batch: largestBatch)
                + (rest > 0 ? times.typical(batch: rest) : 0)
        }
        let together = (1...most).map { size in
            // Each chunk is the first of a group once.
            let groups = chunks.indices.map { first in
                var batches: [Int] = []
                for chunk in (first..<first + size).map({ chunks[$0 % chunks.count] }) {
                    for (pass, batch) in chunk.enumerated() {
                        if pass < batches.count { batches[pass] += batch } else { batches.append(batch) }
                    }
                }
                return batches.reduce(0) { $0 + nanoseconds($1) }
            }
            return groups.reduce(0, +) / Double(groups.count)
        }
        self.init(togetherNs: together)
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

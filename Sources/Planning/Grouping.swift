/// When it pays to plan the chunks of several robots together rather than in turn: a pass of the network over several samples
/// takes little longer than over one, but every chunk then is there only at the end.
public struct Grouping: Sendable, Hashable {
    /// The most chunks that are planned together: beyond, a pass takes as much longer as it has more samples.
    public static let largest = 8

    /// What a chunk takes when it is planned alone, in nanoseconds.
    public let aloneNs: Double
    /// What a pass takes over 1, 2, ... chunks, in nanoseconds: as many as are planned together at most.
    public let passNs: [Double]
    /// Passes that chunks planned together take where there is time enough.
    public let passes: Int

    /// A rule of these times.
    public init(aloneNs: Double, passNs: [Double], passes: Int) {
        precondition(!passNs.isEmpty && passes >= 1, "times of no pass")
        self.aloneNs = aloneNs
        self.passNs = passNs
        self.passes = passes
    }

    /// How many to plan together where so many wait: 1 if they are better planned in turn.
    ///
    /// - Parameters:
    ///   - waiting: how many wait, at least 1.
    ///   - budgetNs: the time that each has from its observation on, if any.
    public func size(waiting: Int, budgetNs: UInt64?) -> Int {
        let count = min(waiting, passNs.count)
        guard count >= 2 else { return 1 }
        // In turn there is not the time for all: together each gets more denoising steps than in its share of it.
        if let budgetNs, aloneNs * Double(count) > Double(budgetNs) { return count }
        // In turn a chunk is there after half of the others in the mean.
        let inTurn = aloneNs * Double(count + 1) / 2
        return passNs[count - 1] * Double(passes) < inTurn ? count : 1
    }
}

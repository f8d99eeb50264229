/// What a forward pass of the network takes on this machine, by batch size: measured when nothing else runs, and scaled
/// while sampling by how much slower passes turn out to be.
///
/// The scale follows the passes as TCP follows round trips (Jacobson and Karels, *Congestion Avoidance and Control*,
/// 1988): a mean and a mean deviation to the slower side, so that an estimate is one that passes seldom exceed.
public struct ForwardTimes: Hashable, Sendable, Codable {
    /// What an undisturbed pass of each batch size from 1 on takes, in nanoseconds; shape [maximumBatch].
    public let nanoseconds: [Double]
    /// The mean of a pass's time in units of `nanoseconds`, over the last dozen.
    public private(set) var slowdown = 1.0
    private var deviation = 0.05
    /// By how much the slowest of the passes exceeded its estimate, in nanoseconds; halved in about 22,700 passes, a minute or
    /// two of uninterrupted work for a large network, and nothing to begin with.
    private(set) var longestStall = 0.0

    private static let stallDecay = 1.0 / 32768

    private enum CodingKeys: CodingKey {
        case nanoseconds
    }

    /// Times that are known, at least one.
    public init(nanoseconds: [Double]) {
        precondition(
            !nanoseconds.isEmpty && nanoseconds.allSatisfy { $0 > 0 && $0.isFinite },
            "each batch size takes a time"
        )
        self.nanoseconds = nanoseconds
    }

    /// What passes take that nothing else on the machine disturbs.
    ///
    /// - Parameter timings: with a pass of batch 1 and one of the largest batch.
    public init(of timings: PassTimings) {
        self.init(nanoseconds: timings.undisturbed)
    }

    /// Measures passes of some batch sizes up to `maximumBatch` and fills in the others on straight lines.
    ///
    /// - Parameters:
    ///   - predictor: takes batches of up to `maximumBatch`.
    ///   - timestep: one that the predictor takes.
    ///   - sampleCount: elements of a sample.
    public static func measure(
        of predictor: some NoisePredictor,
        timestep: Int,
        sampleCount: Int,
        maximumBatch: Int
    ) -> ForwardTimes {
        let meter = PassMeter(predictor, maximumBatch: maximumBatch)
        meter.measure(timestep: timestep, sampleCount: sampleCount, rounds: 20)
        return ForwardTimes(of: meter.timings)
    }

    /// The nanoseconds of a pass, as they were measured with nothing else running; beyond the largest batch measured, in
    /// proportion.
    public func typical(batch: Int) -> Double {
        guard batch > nanoseconds.count else { return nanoseconds[batch - 1] }
        return nanoseconds[nanoseconds.count - 1] * Double(batch) / Double(nanoseconds.count)
    }

    /// The nanoseconds that `count` passes in turn will seldom exceed, or with fewer `deviations` than three now and then.
    func estimate(batch: Int, count: Int = 1, deviations: Double = 3) -> Double {
        let passes = Double(count)
        return typical(batch: batch) * (slowdown * passes + deviations * deviation * passes.squareRoot())
    }

    /// Takes a pass into account.
    mutating func record(batch: Int, nanoseconds elapsed: Double) {
        longestStall = max(elapsed - estimate(batch: batch), longestStall * (1 - Self.stallDecay))
        let ratio = elapsed / typical(batch: batch)
        let error = ratio - slowdown
        slowdown += error / 8
        deviation += (max(error, 0) - deviation) / 4
    }
}

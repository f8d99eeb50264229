/// Times of forward passes on this machine, by batch size: measured without other load, then scaled by the current
/// slowdown.
///
/// The slowdown is tracked as TCP tracks round trips (Jacobson and Karels, *Congestion Avoidance and Control*, 1988): a
/// mean, and a mean deviation to the slower side. So few passes exceed an estimate.
public struct ForwardTimes: Hashable, Sendable, Codable {
    /// What an undisturbed pass of each batch size from 1 on takes, in nanoseconds; shape [maximumBatch].
    public let nanoseconds: [Double]
    /// Mean time of recent passes (about a dozen) in units of `nanoseconds`.
    public private(set) var slowdown = 1.0
    private var deviation = 0.05
    /// Largest excess of a pass over its estimate, ns. It halves in about 22,700 passes: one or two minutes of
    /// uninterrupted work of a large network. 0 at first.
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

    /// Times of passes that no other load disturbed.
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
    ///   - sampleSize: elements of a sample.
    ///   - maximumBatch: the largest batch, at least 1.
    ///   - limit: nanoseconds that it may take, about; a pass of 1 and one of the largest batch are timed in any case.
    public static func measure(
        of predictor: some NoisePredictor,
        timestep: Int,
        sampleSize: Int,
        maximumBatch: Int,
        limit: Double = .infinity
    ) -> ForwardTimes {
        let meter = PassMeter(predictor, maximumBatch: maximumBatch)
        meter.measure(timestep: timestep, sampleSize: sampleSize, rounds: 20) { _ in limit }
        return ForwardTimes(of: meter.timings)
    }

    /// Nanoseconds of a pass without other load; in proportion beyond the largest batch that was measured.
    public func typical(batch: Int) -> Double {
        guard batch > nanoseconds.count else { return nanoseconds[batch - 1] }
        return nanoseconds[nanoseconds.count - 1] * Double(batch) / Double(nanoseconds.count)
    }

    /// Nanoseconds for `count` passes in turn: rarely exceeded with three deviations, sometimes with fewer.
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

import Clocks
import Logging
import Planning
import Robotics

/// Logs how far the calibration has come: its beginning, its progress every ten seconds, and its end.
struct CalibrationLog {
    /// The time between two lines, in nanoseconds.
    private static let intervalNs: UInt64 = 10_000_000_000

    private let logger: Logger
    /// What a line begins with.
    private let whose: String
    /// When it was seen to be under way first; nil: it is not.
    private var begun: MonotonicTime?
    private var next = MonotonicTime(nanoseconds: 0)

    /// - Parameter policy: the policy's name if the daemon has several.
    init(of policy: String?, logger: Logger) {
        self.logger = logger
        whose = policy.map { "\($0): " } ?? ""
    }

    /// Takes note of how the planner samples.
    mutating func note(_ tuning: PlannerTuning, now: MonotonicTime) {
        guard tuning.calibratedHundredths < 100 else { return end(tuning, now: now) }
        if begun == nil {
            begun = now
            logger.info(
                "\(whose)calibrating between chunks; until that is done chunks are sampled one step after the other"
            )
        } else if now >= next {
            logger.info("\(whose)calibrated to \(tuning.calibratedHundredths) %")
        } else {
            return
        }
        next = now.advanced(byNanoseconds: Self.intervalNs)
    }

    private mutating func end(_ tuning: PlannerTuning, now: MonotonicTime) {
        guard let begun else { return }
        self.begun = nil
        if let failure = tuning.failure {
            logger.error("\(whose)not calibrated, chunks are sampled one step after the other: \(failure)")
        } else {
            let seconds = now.elapsedNs(since: begun) / 1_000_000_000
            logger.info(
                "\(whose)calibrated in \(seconds) s: chunks are sampled by \(tuning.sampler.method), window \(tuning.sampler.window)"
            )
        }
    }
}

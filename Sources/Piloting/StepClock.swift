import Clocks
import RobotDescription

/// Relates a robot's control steps to the daemon's monotonic clock: an estimate that each observation renews.
///
/// A control step begins when its observation is made, which is never after its receipt. If the robot's clock is its own, only
/// the time stamp and the receipt are known of that. The smallest difference of the two over the last observations then stands
/// for the clocks' offset, so that a message that was held up moves nothing (the filter of NTP, RFC 5905, section 10). What
/// every message takes remains in the offset. If that matters, let the robot stamp with a clock that both sides have.
///
/// An estimate may jump, so no command is timed by it: see ``CommandPacer`` and ``PlanClock``.
package struct StepClock: Sendable {
    private static let remembered = 64

    private let clock: RobotFile.RobotClock
    private var rate: StepRate
    /// The first observation's time stamp and receipt.
    private var first: (timeNs: UInt64, received: MonotonicTime)?
    /// For how long observations have been received since.
    private var receivedForNs: UInt64 = 0
    /// Of the newest observations, receipt minus time stamp, as signed nanoseconds.
    private var differences: [Int64] = []
    private var oldest = 0
    /// The newest observation: its control step, and its time stamp by the robot's clock.
    private var newest: (sequence: UInt64, timeNs: UInt64)?

    package init(clock: RobotFile.RobotClock, controlHz: Double) {
        self.clock = clock
        rate = StepRate(controlHz: controlHz)
    }

    /// What to add to the robot's time stamps to get the daemon's monotonic time, as of the newest observation.
    package private(set) var offset: Int64 = 0

    /// The longest time stamp whose difference from any other, and from a receipt, has a number.
    package static let latestTimeNs: UInt64 = 1 << 62

    /// From one control step to the next, in nanoseconds: by the robot file, or as measured if that is another.
    package var periodNs: Double { rate.periodNs }

    /// Control steps a second as measured by the robot's time stamps, if they are not those of the robot file.
    package var unexpectedHz: Double? { rate.unexpectedHz }

    /// What is wrong with the time stamps, in words, if they do not advance as nanoseconds do; nil if nothing is.
    package var stampFault: String? {
        guard let first, let newest, receivedForNs >= Self.leastReceivedNs else { return nil }
        let stampedNs = newest.timeNs &- first.timeNs
        guard stampedNs > 0 else { return "its time_ns stands still, expected nanoseconds" }
        let times = Double(receivedForNs) / Double(stampedNs)
        guard times > Self.mostTimesSlow else { return nil }
        let unit: (name: String, ratio: Double)? = [
            ("microseconds", 1e3), ("milliseconds", 1e6), ("seconds", 1e9),
        ]
        .first { (0.5...2).contains(times / $0.1) }
        let found = unit.map { "as \($0.name) do" } ?? "\((times * 10).rounded() / 10) times too slowly"
        return "its time_ns advances \(found), expected nanoseconds"
    }

    /// Only after so long, in nanoseconds, is anything said of the speed of time stamps.
    private static let leastReceivedNs: UInt64 = 250_000_000
    /// Stamps that are slower than this are not those of nanoseconds.
    private static let mostTimesSlow = 5.0

    /// Whether a later observation has an earlier time stamp.
    package func goesBack(to timeNs: UInt64) -> Bool { newest.map { timeNs < $0.timeNs } ?? false }

    /// Takes the newest observation in.
    ///
    /// - Parameters:
    ///   - timeNs: at most ``latestTimeNs``, as nanoseconds of `received`.
    ///   - wallOffset: what to add to the wall clock to get the monotonic one.
    package mutating func observe(
        sequence: UInt64,
        timeNs: UInt64,
        received: MonotonicTime,
        wallOffset: Int64
    ) {
        let difference = received.nanoseconds &- Int64(bitPattern: timeNs)
        if differences.count < Self.remembered {
            differences.append(difference)
        } else {
            differences[oldest] = difference
            oldest = (oldest + 1) % Self.remembered
        }
        newest = (sequence, timeNs)
        let first = first ?? (timeNs, received)
        self.first = first
        receivedForNs = received.elapsedNs(since: first.received)
        rate.observe(sequence: sequence, timeNs: timeNs)
        offset =
            switch clock {
            case .own: differences.min() ?? difference
            case .monotonic: min(0, difference)
            case .wall: min(wallOffset, difference)
            }
    }

    /// When the newest observation was made, by the daemon's monotonic clock; nil before the first.
    package var newestMade: MonotonicTime? {
        newest.map { MonotonicTime(nanoseconds: Int64(bitPattern: $0.timeNs) &+ offset) }
    }

    /// The control step at a time, with the fraction of it that is over; nil before the first observation.
    package func step(at now: MonotonicTime) -> Double? {
        guard let newest, let newestMade else { return nil }
        return Double(newest.sequence) + Double(now.nanoseconds(since: newestMade)) / periodNs
    }

    /// When a control step begins, by the daemon's monotonic clock; nil before the first observation.
    package func time(of step: Double) -> MonotonicTime? {
        guard let newest, let newestMade else { return nil }
        // Beyond, and back over three hundred years, every time is as far away as another.
        let away = min(max((step - Double(newest.sequence)) * periodNs, -4e18), 4e18)
        return newestMade.advanced(byNanoseconds: Int64(away))
    }
}

/// How fast a robot's control steps follow each other, by its time stamps.
///
/// Each eight steps give a mean, which evens out jitter. The median of the last eight means counts, so that a pause changes
/// nothing.
package struct StepRate: Sendable {
    private static let stepsPerMean: UInt64 = 8
    private static let remembered = 8
    /// A measured rate within this fraction of the robot file's is taken for that.
    package static let tolerance = 0.1
    /// Beyond this many times the robot file's rate, or below its inverse, a measured rate is no guide to the next step.
    private static let mostTimes = 32.0

    private let expectedNs: Double
    private var means: [Double] = []
    private var oldest = 0
    private var first: (sequence: UInt64, timeNs: UInt64)?
    private var measuredNs: Double?

    package init(controlHz: Double) { expectedNs = 1e9 / controlHz }

    /// Takes an observation in; sequence numbers and time stamps rise.
    package mutating func observe(sequence: UInt64, timeNs: UInt64) {
        guard let first, sequence > first.sequence, timeNs >= first.timeNs else {
            first = (sequence, timeNs)
            return
        }
        guard sequence - first.sequence >= Self.stepsPerMean else { return }
        let mean = Double(timeNs - first.timeNs) / Double(sequence - first.sequence)
        self.first = (sequence, timeNs)
        if means.count < Self.remembered {
            means.append(mean)
        } else {
            means[oldest] = mean
            oldest = (oldest + 1) % Self.remembered
        }
        measuredNs = means.sorted()[means.count / 2]
    }

    private var isExpected: Bool {
        guard let measuredNs else { return true }
        return abs(measuredNs - expectedNs) <= Self.tolerance * expectedNs
    }

    /// From one control step to the next, in nanoseconds.
    package var periodNs: Double {
        guard let measuredNs, !isExpected,
            (expectedNs / Self.mostTimes...expectedNs * Self.mostTimes).contains(measuredNs)
        else { return expectedNs }
        return measuredNs
    }

    /// Control steps a second as measured, if they are not those of the robot file; infinite if time stamps stand still.
    package var unexpectedHz: Double? {
        guard let measuredNs, !isExpected else { return nil }
        return 1e9 / measuredNs
    }
}

import Safety
import Wire

/// Relates a robot's control steps to the daemon's monotonic clock.
///
/// A control step begins when its observation is made, which is never after its receipt. Where the robot's clock is its
/// own, what is known of that is the time stamp and the receipt: the smallest difference of the two over the last
/// observations stands for the clocks' offset, so that a message that was held up moves nothing (the filter of NTP, RFC
/// 5905, section 10). What every message takes remains in the offset; where that matters, let the robot stamp with a
/// clock that both sides have.
struct StepClock: Sendable {
    private static let remembered = 64

    private let clock: RobotFile.RobotClock
    private let periodNs: Double
    /// Of the newest observations, receipt minus time stamp, as signed nanoseconds.
    private var differences: [Int64] = []
    private var oldest = 0
    /// The newest observation: its control step, and its time stamp by the robot's clock.
    private var newest: (sequence: UInt64, timeNs: UInt64)?

    init(clock: RobotFile.RobotClock, controlHz: Double) {
        self.clock = clock
        periodNs = 1e9 / controlHz
    }

    /// What to add to the robot's time stamps to get the daemon's monotonic time, as of the newest observation.
    private var offset: Int64 = 0

    /// The longest time stamp whose difference from any other, and from a receipt, has a number.
    static let latestTimeNs: UInt64 = 1 << 62

    /// Whether a later observation has an earlier time stamp.
    func goesBack(to timeNs: UInt64) -> Bool { newest.map { timeNs < $0.timeNs } ?? false }

    /// Takes the newest observation in.
    ///
    /// - Parameters:
    ///   - timeNs: at most ``latestTimeNs``, as `receivedNs`.
    ///   - wallOffset: what to add to the wall clock to get the monotonic one.
    mutating func observe(sequence: UInt64, timeNs: UInt64, receivedNs: UInt64, wallOffset: Int64) {
        let difference = Int64(bitPattern: receivedNs &- timeNs)
        if differences.count < Self.remembered {
            differences.append(difference)
        } else {
            differences[oldest] = difference
            oldest = (oldest + 1) % Self.remembered
        }
        newest = (sequence, timeNs)
        offset =
            switch clock {
            case .own: differences.min() ?? difference
            case .monotonic: min(0, difference)
            case .wall: min(wallOffset, difference)
            }
    }

    /// When the newest observation was made, by the daemon's monotonic clock; nil before the first.
    var newestNs: UInt64? { newest.map { $0.timeNs &+ UInt64(bitPattern: offset) } }

    /// The control step at a time, with the part of it that is over; nil before the first observation.
    func step(at nowNs: UInt64) -> Double? {
        guard let newest, let newestNs else { return nil }
        return Double(newest.sequence) + Double(Int64(bitPattern: nowNs &- newestNs)) / periodNs
    }

    /// When a control step begins, by the daemon's monotonic clock; nil before the first observation.
    func time(of step: Double) -> UInt64? {
        guard let newest, let newestNs else { return nil }
        // Beyond, and back over three hundred years, every time is as far away as another.
        let away = min(max((step - Double(newest.sequence)) * periodNs, -4e18), 4e18)
        return newestNs &+ UInt64(bitPattern: Int64(away))
    }

    /// A time of the daemon's monotonic clock by the robot's clock.
    func robotTime(_ timeNs: UInt64) -> UInt64 { timeNs &- UInt64(bitPattern: offset) }
}

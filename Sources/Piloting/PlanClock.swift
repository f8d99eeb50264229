import Clocks

/// The control step that a robot's commands follow: the estimate of ``StepClock``, slewed, so that a plan is carried out
/// evenly while the estimate jumps from observation to observation.
package struct PlanClock: Sendable {
    /// The last command's step and time; nil before the first command of a plan.
    private var last: (step: Double, time: MonotonicTime)?

    /// The most control steps that the slewed step may be wrong. Beyond, the estimate is taken at once, and limits alone make
    /// the way there smooth.
    package static let mostSteps = 4.0
    /// The slewed step goes at this many times the robot's pace at most. It never goes back.
    package static let mostTimes = 2.0
    /// Differences up to this many steps are rounding.
    private static let rounding = 1e-6

    /// The control step at a time; nil before the first observation.
    package func step(at now: MonotonicTime, by clock: StepClock) -> Double? {
        guard let estimate = clock.step(at: now) else { return nil }
        guard let last, now >= last.time else { return estimate }
        let elapsed = Double(now.nanoseconds(since: last.time)) / clock.periodNs
        let error = estimate - (last.step + elapsed)
        guard abs(error) > Self.rounding, abs(error) <= Self.mostSteps else { return estimate }
        // An error of a tenth of a step changes the pace by a tenth.
        return last.step + elapsed * min(max(1 + error, 0), Self.mostTimes)
    }

    /// Notes the step of a command.
    package mutating func follow(step: Double, time: MonotonicTime) { last = (step, time) }

    /// Forgets the plan: the next command takes the estimate.
    package mutating func reset() { last = nil }
}

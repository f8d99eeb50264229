/// How far a number still goes when it is braked in equal periods.
///
/// Braking happens in whole periods, as commands do, so every distance here is a sum and no integral: a speed holds for its
/// period and changes with the next one.
enum BrakingProfile {
    /// The largest `speed` for the next interval from which one can stop within `distance`, if every period after it takes off
    /// at most `rate` * `period`.
    ///
    /// With u = rate * period, a speed of (n + f) u, n a whole number and 0 <= f < 1, goes on for (n - 1 + f) u,
    /// (n - 2 + f) u, ..., f u. In units of u * period, with r = interval / period, all that is
    /// (n + f) r + n (n - 1) / 2 + n f, which is solved for n, then for f.
    ///
    /// The same sum relates an acceleration to the speed that it still adds while a jerk limit brings it to 0: then `distance`
    /// is that speed, `rate` the jerk, and the result the acceleration.
    ///
    /// - Parameters:
    ///   - rate: above 0; infinite if one can stop at once.
    ///   - interval: seconds for which the result holds, above 0.
    ///   - period: the shortest time between later commands, in seconds, above 0.
    static func largestSpeed(
        within distance: Double,
        rate: Double,
        interval: Double,
        period: Double
    ) -> Double {
        guard distance > 0 else { return 0 }
        guard rate < .infinity else { return distance / interval }
        let unit = rate * period
        let (left, ratio) = (distance / (unit * period), interval / period)
        let half = ratio - 0.5
        let whole = ((half * half + 2 * left).squareRoot() - half).rounded(.down)
        // Beyond, a whole number of units is not told from the next.
        guard whole < 1e6 else { return ((half * half + 2 * left).squareRoot() - half - 1) * unit }
        let part = (left - whole * ratio - whole * (whole - 1) / 2) / (whole + ratio)
        return max(whole + part, 0) * unit
    }

    /// How far a number goes forward after this period if it is braked as hard as `deceleration` and `jerk` allow, and comes to
    /// rest with no acceleration left.
    ///
    /// Three phases follow each other, each with a closed sum: the acceleration falls by jerk * period a period, stays at
    /// -deceleration, and returns to 0 together with the speed.
    ///
    /// - Parameters:
    ///   - speed: in this period, in units a second.
    ///   - acceleration: in this period, in units a second squared.
    ///   - deceleration: above 0.
    ///   - jerk: above 0 and finite.
    ///   - period: seconds, above 0.
    /// - Returns: units, at least 0.
    static func distance(
        speed: Double,
        acceleration: Double,
        deceleration: Double,
        jerk: Double,
        period: Double
    ) -> Double {
        let unit = jerk * period
        var state = State(speed: speed, acceleration: acceleration, unit: unit, period: period)
        if acceleration > 0 { state.fall(for: (acceleration / unit).rounded(.down)) }
        guard state.speed > 0 else { return max(state.distance, 0) }

        func release(_ speed: Double) -> Double {
            largestSpeed(within: speed, rate: jerk, interval: period, period: period)
        }
        // The number of periods in which the jerk limit alone decides: the acceleration is still above what is aimed at.
        let most = ((state.acceleration + deceleration) / unit).rounded(.up)
        var (falls, notFalls) = (0.0, max(most, 0) + 1)
        while notFalls - falls > 1 {
            let middle = ((falls + notFalls) / 2).rounded(.down)
            let before = state.afterFalling(for: middle - 1)
            let aim = before.speed > 0 ? -min(deceleration, release(before.speed)) : 0
            if before.acceleration - unit >= aim { falls = middle } else { notFalls = middle }
        }
        state.fall(for: falls)
        guard state.speed > 0 else { return max(state.distance, 0) }
        if release(state.speed) >= deceleration {
            let whole = (deceleration / unit).rounded(.down)
            let releasedFrom = period * ((whole + 1) * deceleration - unit * whole * (whole + 1) / 2)
            state.keep(
                -deceleration,
                for: ((state.speed - releasedFrom) / (deceleration * period)).rounded(.down) + 1
            )
        }
        guard state.speed > 0 else { return max(state.distance, 0) }
        return max(state.distance + state.released(from: release(state.speed)), 0)
    }

    /// A number that is being braked, at the end of a period.
    private struct State {
        var speed: Double
        var acceleration: Double
        /// Since the beginning.
        var distance = 0.0
        /// By how much the acceleration may change in a period.
        let unit: Double
        let period: Double

        init(speed: Double, acceleration: Double, unit: Double, period: Double) {
            (self.speed, self.acceleration) = (speed, acceleration)
            (self.unit, self.period) = (unit, period)
        }

        /// The acceleration falls by one unit in each of `count` periods.
        mutating func fall(for count: Double) {
            let triangle = count * (count + 1) / 2
            distance +=
                period
                * (count * speed + period * (acceleration * triangle - unit * triangle * (count + 2) / 3))
            speed += period * (count * acceleration - unit * triangle)
            acceleration -= count * unit
        }

        func afterFalling(for count: Double) -> State {
            var state = self
            state.fall(for: count)
            return state
        }

        /// The acceleration is the same in each of `count` periods.
        mutating func keep(_ acceleration: Double, for count: Double) {
            distance += period * (count * speed + period * acceleration * count * (count + 1) / 2)
            speed += period * count * acceleration
            self.acceleration = acceleration
        }

        /// How far the number goes while a deceleration falls by one unit a period, to 0 together with the speed.
        func released(from deceleration: Double) -> Double {
            let whole = (deceleration / unit).rounded(.down)
            let triangle = (whole + 1) * (whole + 2) / 2
            return period
                * ((whole + 1) * speed - period * (deceleration * triangle - unit * whole * triangle / 3))
        }
    }
}

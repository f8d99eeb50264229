/// The limits of one dimension as the limiter computes with them: in double precision, infinite if there is none.
struct AxisLimits: Sendable {
    let kind: ActionLimits.Kind
    /// What the number itself may be.
    let range: ClosedRange<Double>
    /// The largest speed of a position, in units a second.
    let velocity: Double
    /// The largest gain of speed, in units a second squared.
    let acceleration: Double
    /// The largest loss of speed, in units a second squared.
    let deceleration: Double
    /// The largest change of acceleration, in units a second cubed.
    let jerk: Double
    /// The shortest time between two commands, in seconds.
    let period: Double

    init(_ dimension: ActionLimits.Dimension, period: Double) {
        kind = dimension.kind
        range = Double(dimension.range.lowerBound)...Double(dimension.range.upperBound)
        velocity = dimension.velocity.map(Double.init) ?? .infinity
        acceleration = dimension.acceleration.map(Double.init) ?? .infinity
        deceleration = dimension.deceleration.map(Double.init) ?? acceleration
        jerk = dimension.jerk.map(Double.init) ?? .infinity
        self.period = period
    }

    /// Whether anything bounds a change of speed.
    var areDynamic: Bool { min(acceleration, deceleration, jerk) < .infinity }

    /// What a speed may be after an interval, by acceleration and deceleration. A speed that changes its sign is braked first.
    func speeds(after speed: Double, interval: Double) -> ClosedRange<Double> {
        let gain = acceleration * interval
        let loss = deceleration * interval
        let magnitude = abs(speed)
        let rest = max(interval - magnitude / deceleration, 0)
        let least = magnitude >= loss ? magnitude - loss : rest > 0 ? -acceleration * rest : 0
        return speed < 0 ? -magnitude - gain ... -least : least...magnitude + gain
    }

    /// The smallest change of speed over an interval that a limit allows: what rounding is compared with.
    func speedChange(in interval: Double) -> Double {
        min(acceleration, deceleration, jerk * interval) * interval
    }

    /// The largest acceleration from which a speed gains at most `room` until a jerk limit has brought the acceleration to 0.
    func largestAcceleration(gaining room: Double, interval: Double) -> Double {
        BrakingProfile.largestSpeed(within: room, rate: jerk, interval: interval, period: period)
    }

    /// The largest loss of speed from which the jerk limit leads to `acceleration` before the speed changes its sign: from then
    /// on the loss is a gain.
    func largestLoss(before speed: Double, interval: Double) -> Double {
        guard deceleration > acceleration else { return .infinity }
        let unit = jerk * period
        let whole = (acceleration / unit).rounded(.down)
        let released = period * (whole * acceleration - unit * whole * (whole + 1) / 2)
        return max(acceleration, largestAcceleration(gaining: speed + released, interval: interval))
    }

    /// How far a number goes on if it is braked from a speed and an acceleration in its own direction.
    func brakingDistance(speed: Double, acceleration: Double) -> Double {
        BrakingProfile.distance(
            speed: speed,
            acceleration: acceleration,
            deceleration: min(deceleration, Self.anyDeceleration),
            jerk: jerk,
            period: period
        )
    }

    /// Stands for a deceleration without a limit.
    private static let anyDeceleration = 1e15
}

/// One dimension of a motion, from command to command.
struct AxisMotion: Sendable {
    /// The last number, before it was rounded to a `Float`; nil before the first.
    private(set) var last: Double?
    /// The speed of a position over the last interval, or the last number of a velocity.
    private(set) var speed = 0.0
    /// The change of `speed` over the last interval, in units a second squared.
    private(set) var acceleration = 0.0
    /// The last target, within the range.
    private var target: Double?

    /// What became of a target.
    enum Outcome {
        case kept
        /// The named limit changed it.
        case changed(String)
        /// No number keeps the limits.
        case impossible
    }

    /// A motion at rest at a place, or, with nil, wherever the first command is.
    init(at place: Double?) { last = place }

    /// The number as it is sent.
    var rounded: Float { Float(last ?? 0) }

    /// Whether the last command left the dimension at rest.
    func isAtRest(_ limits: AxisLimits) -> Bool {
        speed == 0 && abs(acceleration) <= limits.jerk * limits.period * (1 + CommandLimiter.slack)
    }

    /// Ends the motion where it is.
    mutating func rest(_ limits: AxisLimits) {
        (speed, acceleration, target) = (0, 0, nil)
        if limits.kind == .velocity, last != nil { last = 0 }
    }

    /// Puts a position back to where it was before this command.
    mutating func hold(at before: AxisMotion) {
        (last, speed, acceleration) = (before.last, 0, 0)
    }

    /// Moves on by an interval.
    mutating func move(towards asked: Double, within limits: AxisLimits, interval: Double) -> Outcome {
        let inRange = min(max(asked, limits.range.lowerBound), limits.range.upperBound)
        var outcome = Outcome.kept
        func note(_ found: Double, _ kept: Double, scale: Double, _ name: String) {
            guard case .kept = outcome, abs(found - kept) > CommandLimiter.slack * max(scale, abs(kept))
            else { return }
            outcome = .changed(name)
        }
        note(asked, inRange, scale: 0, limits.kind == .position ? "position" : "velocity")
        if limits.kind == .velocity {
            let next = nextSpeed(towards: inRange, limits, interval)
            note(inRange, next, scale: limits.speedChange(in: interval), limits.changeName)
            take(place: next, speed: next, interval)
        } else if let last {
            let wanted = (inRange - last) / interval
            var next = min(max(wanted, -limits.velocity), limits.velocity)
            note(wanted, next, scale: limits.velocity, "velocity")
            if limits.areDynamic {
                let before = next
                next = nextSpeed(from: last, towards: inRange, wanting: before, limits, interval)
                note(before, next, scale: limits.speedChange(in: interval), limits.changeName)
            }
            // The target itself if nothing is in its way: last + next * interval may differ by rounding.
            let reached = next == wanted ? inRange : last + next * interval
            guard arrive(at: reached, speed: next, limits, interval) else { return .impossible }
        } else {
            take(place: inRange, speed: 0, interval)
            acceleration = 0
        }
        target = inRange
        return outcome
    }

    /// Slows down for an interval. Returns false if no motion has begun, or if it began outside its range and is still there.
    mutating func brake(within limits: AxisLimits, interval: Double) -> Bool {
        guard let last else { return false }
        target = nil
        var next = brakedSpeed(limits, interval)
        guard limits.kind == .position else {
            take(place: next, speed: next, interval)
            return true
        }
        // To come to rest is no reason to begin to move.
        guard limits.range.contains(last) else { return false }
        next = stoppable(next, from: last, limits, interval)
        guard arrive(at: last + next * interval, speed: next, limits, interval) else { return false }
        // What is left of a motion after rounding.
        if self.last == last { speed = 0 }
        return true
    }

    // MARK: Speeds

    /// The next number of a velocity.
    private func nextSpeed(towards wanted: Double, _ limits: AxisLimits, _ interval: Double) -> Double {
        let reach = limits.speeds(after: speed, interval: interval)
        var next = min(max(wanted, reach.lowerBound), reach.upperBound)
        guard limits.jerk < .infinity else { return next }
        let room = limits.largestAcceleration(gaining: abs(next - speed), interval: interval)
        let change = limits.jerk * interval
        let aimed = next < speed ? -room : room
        let possible = min(max(aimed, acceleration - change), acceleration + change)
        if possible != aimed || abs(next - speed) > room * interval * (1 + 1e-12) {
            next = speed + possible * interval
        }
        return min(max(next, reach.lowerBound), reach.upperBound)
    }

    /// The next speed of a position that should go at `wanted` to be at its target.
    private func nextSpeed(
        from last: Double,
        towards target: Double,
        wanting wanted: Double,
        _ limits: AxisLimits,
        _ interval: Double
    ) -> Double {
        let reach = limits.speeds(after: speed, interval: interval)
        let change = limits.jerk * interval
        let needed = (wanted - speed) / interval
        let isInReach = reach.contains(wanted) && abs(needed - acceleration) <= change
        var next = wanted
        // A position that is not on its target's way comes in at the target's speed.
        if let before = self.target, before != last || !isInReach {
            let targetSpeed = min(max((target - before) / interval, -limits.velocity), limits.velocity)
            next = approach(
                target,
                at: targetSpeed,
                from: last,
                limits,
                interval
            )
            let rounding = max(abs(wanted), limits.speedChange(in: interval))
            if abs(next - wanted) < 1e-12 * rounding { next = wanted }
        }
        next = stoppable(next, from: last, limits, interval)
        if limits.jerk < .infinity {
            next = smooth(next, from: last, limits, interval)
            // Velocity and range come before the jerk.
            next = stoppable(min(max(next, -limits.velocity), limits.velocity), from: last, limits, interval)
        }
        return min(max(next, reach.lowerBound), reach.upperBound)
    }

    /// The speed at which a target that moves is met at its own speed, as soon as the limits allow.
    private func approach(
        _ target: Double,
        at targetSpeed: Double,
        from last: Double,
        _ limits: AxisLimits,
        _ interval: Double
    ) -> Double {
        let behind = target - last - targetSpeed * interval
        let direction: Double = behind < 0 ? -1 : 1
        let closing: Double
        if limits.jerk < .infinity {
            let change = limits.jerk * interval
            let relative = direction * (speed - targetSpeed)
            let chosen = Self.largest(
                in: direction * acceleration - change...direction * acceleration + change
            ) {
                let next = relative + $0 * interval
                return next * interval + limits.brakingDistance(speed: next, acceleration: $0) <= abs(behind)
            }
            closing = relative + chosen * interval
        } else {
            closing = BrakingProfile.largestSpeed(
                within: abs(behind),
                rate: min(limits.acceleration, limits.deceleration),
                interval: interval,
                period: limits.period
            )
        }
        return min(max(targetSpeed + direction * closing, -limits.velocity), limits.velocity)
    }

    /// The speed nearest to `wanted` from which a position can stop before the end of its range.
    private func stoppable(
        _ wanted: Double,
        from last: Double,
        _ limits: AxisLimits,
        _ interval: Double
    ) -> Double {
        func largest(within distance: Double) -> Double {
            BrakingProfile.largestSpeed(
                within: distance,
                rate: limits.deceleration,
                interval: interval,
                period: limits.period
            )
        }
        let next = min(wanted, largest(within: limits.range.upperBound - last))
        return max(next, -largest(within: last - limits.range.lowerBound))
    }

    /// The speed nearest to `wanted` that keeps the jerk, and from which the jerk can be kept up to velocity and range.
    private func smooth(
        _ wanted: Double,
        from last: Double,
        _ limits: AxisLimits,
        _ interval: Double
    ) -> Double {
        let change = limits.jerk * interval
        let window = acceleration - change...acceleration + change
        var chosen = min(max((wanted - speed) / interval, window.lowerBound), window.upperBound)
        chosen = min(chosen, limits.largestAcceleration(gaining: limits.velocity - speed, interval: interval))
        chosen = max(
            chosen,
            -limits.largestAcceleration(gaining: limits.velocity + speed, interval: interval)
        )
        let least = limits.largestLoss(before: abs(speed), interval: interval)
        chosen = speed > 0 ? max(chosen, -least) : min(chosen, speed < 0 ? least : .infinity)
        chosen = min(max(chosen, window.lowerBound), window.upperBound)
        func fits(_ direction: Double, within distance: Double) -> (Double) -> Bool {
            { candidate in
                let next = direction * speed + candidate * interval
                return next * interval + limits.brakingDistance(speed: next, acceleration: candidate)
                    <= distance
            }
        }
        chosen = Self.largest(
            in: window.lowerBound...chosen,
            fits(1, within: limits.range.upperBound - last)
        )
        chosen = -Self.largest(
            in: -window.upperBound ... -chosen,
            fits(-1, within: last - limits.range.lowerBound)
        )
        return speed + chosen * interval
    }

    /// The speed after an interval of braking.
    private func brakedSpeed(_ limits: AxisLimits, _ interval: Double) -> Double {
        let magnitude = abs(speed)
        guard limits.jerk < .infinity else {
            return (speed < 0 ? -1 : 1) * max(magnitude - limits.deceleration * interval, 0)
        }
        let release = limits.largestAcceleration(gaining: magnitude, interval: interval)
        let aimed = (speed < 0 ? 1 : -1) * min(release, limits.deceleration)
        let change = limits.jerk * interval
        let chosen = min(max(aimed, acceleration - change), acceleration + change)
        let next = speed + chosen * interval
        return abs(next) < 1e-9 * magnitude ? 0 : next
    }

    // MARK: Steps

    private mutating func take(place: Double, speed: Double, _ interval: Double) {
        acceleration = (speed - self.speed) / interval
        (last, self.speed) = (place, speed)
    }

    /// Goes to the nearest place in the range. Returns false, having done nothing, if the position is outside its range, and
    /// inside is further than it may go from rest.
    private mutating func arrive(
        at place: Double,
        speed: Double,
        _ limits: AxisLimits,
        _ interval: Double
    ) -> Bool {
        guard let last else { return false }
        let value = min(max(place, limits.range.lowerBound), limits.range.upperBound)
        if !limits.range.contains(last) {
            let fastest = min(limits.velocity, min(limits.acceleration, limits.deceleration) * interval)
            guard abs(value - last) <= fastest * interval else { return false }
        }
        take(place: value, speed: value == place ? speed : (value - last) / interval, interval)
        return true
    }

    /// The largest number of a range that fits, or its lowest one if none does. What fits is everything up to some number.
    private static func largest(in range: ClosedRange<Double>, _ fits: (Double) -> Bool) -> Double {
        if fits(range.upperBound) { return range.upperBound }
        var (good, bad) = (range.lowerBound, range.upperBound)
        guard fits(good) else { return good }
        for _ in 0..<50 {
            let middle = good + (bad - good) / 2
            if fits(middle) { good = middle } else { bad = middle }
        }
        return good
    }
}

extension AxisLimits {
    /// What is said to have changed a speed.
    fileprivate var changeName: String { jerk < .infinity ? "acceleration or jerk" : "acceleration" }
}

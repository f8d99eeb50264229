import TestRandom
import Testing

@testable import Limits

/// Jerk limits: what holds between four successive commands.
@Suite struct JerkTests {
    /// Random limits such that stopping takes at most a few hundred periods.
    static func dimension(_ random: inout SplitMix64) -> ActionLimits.Dimension {
        let velocity = Float.random(in: 10...500, using: &random)
        let acceleration = velocity * .random(in: 1...20, using: &random)
        let hasRange = Bool.random(using: &random)
        let edge = velocity * .random(in: 0.2...3, using: &random)
        return ActionLimits.Dimension(
            name: "x",
            position: hasRange ? -edge...edge : nil,
            velocity: velocity,
            acceleration: acceleration,
            deceleration: Bool.random(using: &random)
                ? acceleration * .random(in: 0.5...2, using: &random) : nil,
            jerk: acceleration * .random(in: 2...50, using: &random)
        )
    }

    /// Speed, acceleration and jerk of each command, from the commands themselves.
    struct Measured {
        var place: Double
        var speed = 0.0
        var acceleration = 0.0
        var jerk = 0.0

        mutating func take(_ next: Double, _ period: Double) {
            let speed = (next - place) / period
            let acceleration = (speed - self.speed) / period
            jerk = (acceleration - self.acceleration) / period
            (place, self.speed, self.acceleration) = (next, speed, acceleration)
        }
    }

    /// Checks a command, up to what the rounding of four numbers adds.
    static func check(
        _ measured: Measured,
        _ dimension: ActionLimits.Dimension,
        _ period: Double,
        _ comment: @autoclosure () -> String
    ) {
        let ulp = 4 * Double(Float(abs(measured.place) + 1).ulp)
        let (velocity, gain) = (Double(dimension.velocity ?? 0), Double(dimension.acceleration ?? 0))
        let loss = Double(dimension.deceleration ?? dimension.acceleration ?? 0)
        #expect(abs(measured.speed) <= 1.001 * velocity + ulp / period, "\(comment()): \(measured)")
        #expect(
            abs(measured.acceleration) <= 1.001 * max(gain, loss) + ulp / (period * period),
            "\(comment()): \(measured)"
        )
        #expect(
            abs(measured.jerk) <= 1.01 * Double(dimension.jerk ?? 0) + 2 * ulp / (period * period * period),
            "\(comment()): \(measured)"
        )
    }

    @Test(arguments: 0..<60)
    func randomTargetsAreFollowedWithinTheJerk(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let dimension = Self.dimension(&random)
        let period = [0.1, 0.02, 0.01].randomElement(using: &random) ?? 0.1
        var limiter = CommandLimiter(ActionLimits(dimensions: [dimension]), period: 0.9 * period)
        limiter.begin(at: [0])
        var measured = Measured(place: 0)
        var (target, drift): (Float, Float) = (0, 0)
        var checked = 0
        for step in 0..<4000 {
            if Int.random(in: 0..<60, using: &random) == 0 {
                target = .random(in: -2...2, using: &random) * (dimension.velocity ?? 1)
                drift = .random(in: -1...1, using: &random) * (dimension.velocity ?? 1) * Float(period)
            }
            target += drift
            let isBraking = (step / 200) % 4 == 3
            let command =
                isBraking ? limiter.brake(after: period) : limiter.next(towards: [target], after: period)
            let place = try #require(command?.action[0])
            if let range = dimension.position { #expect(range.contains(place)) }
            measured.take(Double(place), period)
            Self.check(measured, dimension, period, "\(dimension) at step \(step), period \(period)")
            checked += 1
        }
        #expect(checked == 4000)
    }

    @Test(arguments: 0..<20)
    func brakingComesToRestWithoutAJump(seed: UInt64) throws {
        var random = SplitMix64(seed: 100 + seed)
        var dimension = Self.dimension(&random)
        dimension.position = nil
        let period = 0.01
        var limiter = CommandLimiter(ActionLimits(dimensions: [dimension]), period: 0.9 * period)
        limiter.begin(at: [0])
        var measured = Measured(place: 0)
        for step in 0..<Int.random(in: 5...400, using: &random) {
            let command = limiter.next(towards: [Float(step) * 1000], after: period)
            let place = try #require(command?.action[0])
            measured.take(Double(place), period)
        }
        var count = 0
        while !limiter.isAtRest, count < 5000 {
            let command = limiter.brake(after: period)
            let place = try #require(command?.action[0])
            measured.take(Double(place), period)
            Self.check(measured, dimension, period, "\(dimension)")
            count += 1
        }
        #expect(limiter.isAtRest && measured.speed >= 0)
        let rest = limiter.lastAction
        for _ in 0..<5 { #expect(limiter.brake(after: period)?.action == rest) }
    }

    /// A step of the target is met and kept, without ringing.
    @Test(arguments: 0..<20)
    func aTargetThatStandsStillIsMet(seed: UInt64) throws {
        var random = SplitMix64(seed: 200 + seed)
        var dimension = Self.dimension(&random)
        dimension.position = nil
        let period = 0.01
        var limiter = CommandLimiter(ActionLimits(dimensions: [dimension]), period: 0.9 * period)
        limiter.begin(at: [0])
        let target = (dimension.velocity ?? 1) * .random(in: 0.05...2, using: &random)
        var largest: Float = 0
        for _ in 0..<3000 {
            let command = limiter.next(towards: [target], after: period)
            largest = max(largest, try #require(command).action[0])
        }
        #expect(limiter.lastAction == [target])
        #expect(limiter.isAtRest)
        #expect(largest <= target * 1.001, "\(dimension)")
    }

    /// The distance that a stop takes, against the periods played one by one.
    @Test(arguments: 0..<200)
    func brakingDistanceIsThatOfTheStop(seed: UInt64) {
        var random = SplitMix64(seed: 300 + seed)
        let (deceleration, jerk, period) = (
            Double.random(in: 1...1000, using: &random), Double.random(in: 10...10_000, using: &random), 0.01
        )
        let speed = Double.random(in: 0...300, using: &random)
        let acceleration = Double.random(in: -min(deceleration, 5)...deceleration, using: &random)
        let found = BrakingProfile.distance(
            speed: speed,
            acceleration: acceleration,
            deceleration: deceleration,
            jerk: jerk,
            period: period
        )
        var (v, a, x, farthest) = (speed, acceleration, 0.0, 0.0)
        for _ in 0..<200_000 where v > 1e-9 || a > 1e-9 {
            let release = BrakingProfile.largestSpeed(within: v, rate: jerk, interval: period, period: period)
            let aim = v > 0 ? -min(deceleration, release) : 0
            a = min(max(aim, a - jerk * period), a + jerk * period)
            v += a * period
            x += v * period
            farthest = max(farthest, x)
        }
        #expect(
            abs(found - farthest) <= 1e-6 * max(farthest, 1) + speed * period * 0.02,
            "\(found), \(farthest)"
        )
    }
}

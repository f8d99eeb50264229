import TestRandom
import Testing

@testable import Limits

/// Random limits and random, hostile targets: what must hold for every command.
@Suite struct CommandLimiterPropertyTests {
    static func magnitude(_ exponents: ClosedRange<Double>, _ random: inout SplitMix64) -> Float {
        var power = 1.0
        let exponent = Double.random(in: exponents, using: &random)
        for _ in 0..<Int(exponent.magnitude) { power *= exponent < 0 ? 0.1 : 10 }
        return Float(power * .random(in: 1...9, using: &random))
    }

    static func dimension(_ index: Int, _ random: inout SplitMix64) -> ActionLimits.Dimension {
        let isPosition = Int.random(in: 0..<4, using: &random) > 0
        let hasRange = isPosition && Bool.random(using: &random)
        let width = magnitude(-3...4, &random)
        let middle = magnitude(-3...4, &random) * .random(in: -1...1, using: &random)
        return ActionLimits.Dimension(
            name: "d\(index)",
            kind: isPosition ? .position : .velocity,
            position: hasRange ? (middle - width)...(middle + width) : nil,
            velocity: Int.random(in: 0..<3, using: &random) > 0 ? magnitude(-3...4, &random) : nil,
            acceleration: Int.random(in: 0..<3, using: &random) > 0 ? magnitude(-3...5, &random) : nil,
            deceleration: Int.random(in: 0..<3, using: &random) == 0 ? magnitude(-3...5, &random) : nil
        )
    }

    static func target(_ last: Float, _ dimension: ActionLimits.Dimension, _ random: inout SplitMix64)
        -> Float
    {
        switch Int.random(in: 0..<20, using: &random) {
        case 0:
            [.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude]
                .randomElement(using: &random) ?? 0
        case 1: magnitude(-20...30, &random) * (Bool.random(using: &random) ? 1 : -1)
        case 2: dimension.range.upperBound
        case 3: dimension.range.lowerBound
        case 4, 5: .random(in: -100...100, using: &random)
        default: last + magnitude(-4...2, &random) * .random(in: -1...1, using: &random)
        }
    }

    /// What rounding to a `Float` may add to a speed: half a step of the number at each end.
    static func rounding(_ values: Float..., interval: Double) -> Double {
        Double(values.map(\.magnitude).map { $0.ulp }.max() ?? 0) / interval
    }

    /// How long a change of speed takes, braked and gained as fast as the limits allow.
    static func timeNeeded(from before: Double, to after: Double, _ dimension: ActionLimits.Dimension)
        -> Double
    {
        let gain = Double(dimension.acceleration ?? .infinity)
        let loss = Double(dimension.deceleration ?? dimension.acceleration ?? .infinity)
        guard before != 0, (before < 0) == (after < 0) else { return abs(before) / loss + abs(after) / gain }
        return abs(after) > abs(before)
            ? (abs(after) - abs(before)) / gain : (abs(before) - abs(after)) / loss
    }

    @Test(arguments: 0..<40)
    func `every command keeps the limits`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var (steps, without) = (0, 0)
        for _ in 0..<60 {
            let dimensions = (0..<Int.random(in: 1...3, using: &random)).map { Self.dimension($0, &random) }
            let period = 1 / Double.random(in: 5...1000, using: &random)
            var limiter = CommandLimiter(ActionLimits(dimensions: dimensions), period: period)
            var last: [Float]?
            var speeds = [Double](repeating: 0, count: dimensions.count)
            var blur = [Double](repeating: 0, count: dimensions.count)
            for _ in 0..<60 {
                if Int.random(in: 0..<40, using: &random) == 0 {
                    let place = last?.map { Float.random(in: 0...1, using: &random) < 0.5 ? $0 : 0 }
                    limiter.begin(at: Bool.random(using: &random) ? place : nil)
                    last = limiter.lastAction
                    speeds = speeds.map { _ in 0 }
                    blur = blur.map { _ in 0 }
                }
                let interval = period * (Int.random(in: 0..<8, using: &random) == 0 ? 2 : 1)
                let isBraking = Int.random(in: 0..<5, using: &random) == 0
                let targets = dimensions.indices.map { Self.target(last?[$0] ?? 0, dimensions[$0], &random) }
                let command =
                    isBraking
                    ? limiter.brake(after: interval) : limiter.next(towards: targets, after: interval)
                guard let action = command?.action else {
                    without += 1
                    #expect(limiter.lastAction == last, "what gives no command changes nothing")
                    if !isBraking,
                        last.map({ zip(dimensions, $0).allSatisfy { $0.range.contains($1) } }) ?? true
                    {
                        #expect(targets.contains { !$0.isFinite })
                    }
                    continue
                }
                for (index, dimension) in dimensions.enumerated() {
                    let value = action[index]
                    #expect(value.isFinite)
                    #expect(dimension.range.contains(value), "\(dimension): \(value)")
                    let speed: Double
                    let newBlur: Double
                    switch dimension.kind {
                    case .velocity: (speed, newBlur) = (Double(value), 0)
                    case .position:
                        guard let last else { continue }
                        speed = (Double(value) - Double(last[index])) / Double(interval)
                        newBlur = Self.rounding(value, last[index], interval: interval)
                    }
                    let top = Double(dimension.velocity ?? .infinity)
                    #expect(
                        abs(speed) <= top * 1.0002 + newBlur,
                        "\(dimension): speed \(speed) from \(last?[index] ?? .nan) to \(value)"
                    )
                    let wasOutside = last.map { !dimension.range.contains($0[index]) } ?? false
                    if !wasOutside {
                        let needed = Self.timeNeeded(from: speeds[index], to: speed, dimension)
                        // What rounding adds may be a gain or a loss.
                        let rounding = newBlur + blur[index] + 1e-6 * abs(speed)
                        let slack = max(
                            Self.timeNeeded(from: 0, to: rounding, dimension),
                            Self.timeNeeded(from: rounding, to: 0, dimension)
                        )
                        #expect(
                            needed <= interval * 1.001 + slack,
                            "\(dimension): speed \(speed) after \(speeds[index]), at \(value)"
                        )
                    }
                    if isBraking {
                        #expect(abs(speed) <= abs(speeds[index]) + newBlur + blur[index] + 1e-6 * abs(speed))
                    }
                    (speeds[index], blur[index]) = (speed, newBlur)
                    steps += 1
                }
                last = action
            }
        }
        // Of 60 times 60 commands of up to three dimensions.
        #expect(steps > 3000)
        #expect(without > 10, "a target that is not finite")
    }

    @Test(arguments: 0..<20)
    func `a braking limiter comes to rest and stays there`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var checked = 0
        for _ in 0..<20 {
            var dimension = Self.dimension(0, &random)
            dimension.velocity = dimension.velocity ?? 1000
            let period = 1 / Double.random(in: 5...200, using: &random)
            var limiter = CommandLimiter(ActionLimits(dimensions: [dimension]), period: period)
            var last: Float = 0
            for _ in 0..<40 {
                let command = limiter.next(towards: [Self.target(last, dimension, &random)], after: period)
                last = command?.action[0] ?? last
            }
            // At rest where it is told to be: of 40 targets, one at least is finite.
            try #require(limiter.lastAction != nil)
            // As long as it takes from full speed, and a tick for the rest.
            let ticks =
                (dimension.deceleration ?? dimension.acceleration).map {
                    Double(dimension.velocity ?? 0) / (Double($0) * period)
                } ?? 0
            // Hours of braking cost the test minutes.
            guard ticks < 1e6 else { continue }
            for _ in 0..<Int(ticks * 1.001) + 2 { _ = limiter.brake(after: period) }
            #expect(limiter.isAtRest, "\(dimension)")
            let rest = limiter.lastAction
            for _ in 0..<5 { #expect(limiter.brake(after: period)?.action == rest) }
            if dimension.kind == .velocity { #expect(rest == [0]) }
            checked += 1
        }
        #expect(checked >= 10, "of 20 limiters")
    }

    /// A path that keeps velocity and acceleration, from rest to rest, up to the ends of the range.
    @Test(arguments: 0..<40)
    func `a target within the limits passes unchanged`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let period = [0.1, 0.02, 0.01].randomElement(using: &random) ?? 0.1
        let (velocity, acceleration) = (Self.magnitude(-1...2, &random), Self.magnitude(0...3, &random))
        let edge = Self.magnitude(-1...2, &random)
        let dimension = ActionLimits.Dimension(
            name: "x",
            position: -edge...edge,
            velocity: velocity,
            acceleration: acceleration
        )
        var limiter = CommandLimiter(ActionLimits(dimensions: [dimension]), period: period)
        _ = limiter.next(towards: [0], after: period)
        // The path is made by the same rule as a robot's: 99 % of each limit.
        var (place, speed) = (0.0, 0.0)
        let change = 0.99 * Double(acceleration) * Double(period)
        var checked = 0
        for step in 0..<3000 {
            var next = speed + change * Double.random(in: -1...1, using: &random)
            next = min(max(next, -0.99 * Double(velocity)), 0.99 * Double(velocity))
            // Brakes where it could not stop before the end with half a period to spare.
            let left = next > 0 ? Double(edge) - place : place + Double(edge)
            let needed = abs(next) * Double(period) + next * next / (2 * change) * Double(period)
            if needed > left { next = speed > 0 ? max(speed - change, 0) : min(speed + change, 0) }
            (place, speed) = (place + next * Double(period), next)
            let target = Float(place)
            guard abs(target) < edge else { break }
            let command = limiter.next(towards: [target], after: period)
            #expect(command == .init(action: [target], violation: nil), "step \(step)")
            guard command?.action == [target] else { return }
            checked += 1
        }
        #expect(checked > 100, "of 3000 steps, up to where the path meets the end of the range")
    }
}

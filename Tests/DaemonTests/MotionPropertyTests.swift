import Foundation
import Robotics
import Limits
import RobotDescription
import Testing

@testable import Daemon

/// Whatever observations, clocks, pauses and people do, no two successive commands break a limit by more than 1 %: by the time
/// at which they were published, and by their `time_ns`.
@Suite struct MotionPropertyTests {
    /// How many rides each test case takes, of eight episodes or more: ten thousand in all. More by hand:
    /// `DENOISED_MOTION_RIDES=1300 swift test --filter MotionProperty` checks ten million pairs of commands.
    static let rides = ProcessInfo.processInfo.environment["DENOISED_MOTION_RIDES"].flatMap(Int.init) ?? 60

    @Test(arguments: 0..<20)
    func noPairOfCommandsBreaksALimit(part: Int) throws {
        var checked = PairCheck()
        var (episodes, states) = (0, Set<RobotState>())
        for ride in 0..<Self.rides {
            var motion = try MotionRide(seed: UInt64(part * Self.rides + ride))
            try motion.go(seconds: 15)
            let failure = checked.check(motion)
            #expect(failure == nil, "ride \(part * Self.rides + ride): \(failure ?? "")")
            episodes += motion.episodes
            states.formUnion(motion.states)
        }
        // A test that checks nothing would pass as well.
        #expect(episodes >= 8 * Self.rides)
        #expect(checked.pairs >= 200 * Self.rides && checked.motions >= 2 * Self.rides, "\(checked)")
        #expect(states == [.idle, .running, .holding, .stopped])
        print(
            "motion, part \(part): \(episodes) episodes, \(checked.motions) motions, \(checked.pairs) pairs of commands"
        )
    }
}

/// Checks successive commands against their robot's limits, as docs/ROBOTS.md defines them.
struct PairCheck {
    private(set) var pairs = 0
    /// Commands that came after a silence, or were the first.
    private(set) var motions = 0

    private struct Speeds {
        var byPublication: [Double]
        var byTime: [Double]
    }

    /// Returns what is wrong with a ride's commands, in words; nil if nothing is.
    mutating func check(_ ride: MotionRide) -> String? {
        let file = ride.file
        let period = 1 / file.commandHz
        // As docs/SAFETY.md promises: a silence of more than three periods and 20 ms ends a motion.
        let longestGap = max(3 * period, 0.02)
        var speeds = Speeds(byPublication: [], byTime: [])
        var last: MotionRide.Published?
        for published in ride.published {
            defer { last = published }
            let command = published.command
            for (value, dimension) in zip(command.action, file.limits.dimensions) {
                guard value == dimension.clamped(value) else { return "\(dimension.name) is \(value)" }
            }
            let elapsed = last.map { Double(command.publishedNs - $0.command.publishedNs) / 1e9 } ?? .infinity
            guard elapsed >= 0.899 * period else { return "two commands \(elapsed) s apart" }
            guard let before = last?.command, elapsed <= longestGap else {
                motions += 1
                let moving = zip(command.action, file.limits.dimensions).map {
                    $1.kind == .velocity ? Double($0) : 0
                }
                speeds = Speeds(byPublication: moving, byTime: moving)
                // Without feedback nothing tells where the robot is before its first command.
                guard file.feedback != nil || last != nil else { continue }
                if let failure = begins(
                    command.action,
                    truth: published.truth,
                    last: last?.command.action,
                    file
                ) {
                    return failure
                }
                continue
            }
            pairs += 1
            if let failure = step(
                from: before.action,
                to: command.action,
                file,
                &speeds.byPublication,
                elapsed,
                "by publication"
            ) {
                return failure
            }
            let robotElapsed = Double(Int64(bitPattern: command.timeNs &- before.timeNs)) / 1e9
            if command.action == before.action {
                // The robot's clock may have been set while it stood.
                speeds.byTime = speeds.byPublication
            } else if let failure = step(
                from: before.action,
                to: command.action,
                file,
                &speeds.byTime,
                robotElapsed,
                "by time_ns"
            ) {
                return failure
            }
        }
        return nil
    }

    /// Checks that a motion begins where the robot is, or where it was told to be if its feedback agrees with that.
    private func begins(_ action: [Float], truth: [Float], last: [Float]?, _ file: RobotFile) -> String? {
        for (index, dimension) in file.limits.dimensions.enumerated() {
            if dimension.kind == .velocity {
                guard action[index] == 0 else {
                    return "\(dimension.name) begins at \(action[index]), expected 0"
                }
                continue
            }
            let agreement =
                file.feedback?.followingError?[index] ?? (dimension.velocity ?? 0) / Float(file.commandHz)
            let isTruth = file.feedback != nil && action[index] == truth[index]
            let isLast =
                action[index] == last?[index]
                && (file.feedback == nil || abs(action[index] - truth[index]) <= agreement)
            guard isTruth || isLast else {
                return "\(dimension.name) begins at \(action[index]); the robot is at \(truth[index]), "
                    + "told \(last?[index] ?? .nan)"
            }
        }
        return nil
    }

    /// Checks one step, and moves the speeds on.
    private func step(
        from: [Float],
        to: [Float],
        _ file: RobotFile,
        _ speeds: inout [Double],
        _ elapsed: Double,
        _ measure: String
    ) -> String? {
        for (index, dimension) in file.limits.dimensions.enumerated() {
            let before = speeds[index]
            var (speed, blur) = (Double(to[index]), 0.0)
            if dimension.kind == .position {
                speed = (Double(to[index]) - Double(from[index])) / elapsed
                blur = Double(max(abs(to[index]), abs(from[index])).ulp) / elapsed
            }
            speeds[index] = speed
            let top = Double(dimension.velocity ?? .infinity)
            guard abs(speed) <= 1.01 * top + blur else {
                return
                    "\(dimension.name) \(measure): \(from[index]) to \(to[index]) in \(elapsed) s is \(speed / top) of velocity"
            }
            let needed = Self.time(from: before, to: speed, dimension, blur: 2 * blur + 1e-7 * abs(speed))
            guard needed <= 1.01 * elapsed else {
                return
                    "\(dimension.name) \(measure): from \(before) to \(speed) in \(elapsed) s "
                    + "is \(needed / elapsed) of acceleration"
            }
        }
        return nil
    }

    /// How long a change of speed takes at least, if it is smaller by `blur`, which rounding may have added.
    private static func time(
        from before: Double,
        to after: Double,
        _ dimension: ActionLimits.Dimension,
        blur: Double
    ) -> Double {
        let gain = Double(dimension.acceleration ?? .infinity)
        let loss = Double(dimension.deceleration ?? dimension.acceleration ?? .infinity)
        if before != 0, (before < 0) != (after < 0) {
            return max(abs(before) / loss + abs(after) / gain - blur / min(gain, loss), 0)
        }
        let change = abs(after) - abs(before)
        return max(abs(change) - blur, 0) / (change > 0 ? gain : loss)
    }
}

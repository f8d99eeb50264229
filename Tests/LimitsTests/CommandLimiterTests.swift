import Testing

@testable import Limits

@Suite struct CommandLimiterTests {
    typealias Dimension = ActionLimits.Dimension

    static func limiter(_ dimensions: Dimension..., workspace: Workspace? = nil) -> CommandLimiter {
        CommandLimiter(ActionLimits(dimensions: dimensions, workspace: workspace), period: 0.1)
    }

    /// The first numbers of the commands towards targets.
    static func follow(_ limiter: inout CommandLimiter, _ targets: [Float]) -> [Float?] {
        targets.map { limiter.next(towards: [$0], after: 0.1)?.action[0] }
    }

    @Test func withoutLimitsTargetsPass() {
        var limiter = Self.limiter(Dimension(name: "x"))
        #expect(Self.follow(&limiter, [3, -1e30, 3e38, -3e38, 0.1]) == [3, -1e30, 3e38, -3e38, 0.1])
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, .signalingNaN])
    func noCommandForWhatIsNoNumber(target: Float) {
        var limiter = Self.limiter(Dimension(name: "x"), Dimension(name: "y"))
        _ = limiter.next(towards: [1, 2], after: 0.1)
        #expect(limiter.next(towards: [0, target], after: 0.1) == nil)
        #expect(limiter.lastAction == [1, 2])
        #expect(limiter.next(towards: [1, 3], after: 0.1)?.action == [1, 3])
    }

    @Test(arguments: [Double.nan, .infinity, 0, -1])
    func noCommandAfterNoTime(interval: Double) {
        var limiter = Self.limiter(Dimension(name: "x"))
        #expect(limiter.next(towards: [1], after: interval) == nil)
        _ = limiter.next(towards: [1], after: 0.1)
        #expect(limiter.brake(after: interval) == nil)
    }

    @Test func positionIsClamped() {
        var limiter = Self.limiter(Dimension(name: "x", position: -1...2))
        let high = limiter.next(towards: [5], after: 0.1)
        #expect(high?.action == [2])
        #expect(high?.violation == "x: position limit; asked for 5.0, kept to 2.0")
        #expect(limiter.next(towards: [-7], after: 0.1)?.action == [-1])
        #expect(limiter.next(towards: [2], after: 0.1) == .init(action: [2], violation: nil))
    }

    @Test func roundingIsNoViolationAndIsTakenOff() {
        var limiter = Self.limiter(Dimension(name: "x", position: 0...512))
        #expect(limiter.next(towards: [512.01], after: 0.1) == .init(action: [512], violation: nil))
    }

    @Test func velocityIsKept() {
        var limiter = Self.limiter(Dimension(name: "x", velocity: 20))
        #expect(Self.follow(&limiter, [0, 1, 9, 9, 9, 9]) == [0, 1, 3, 5, 7, 9])
    }

    @Test func firstCommandMayBeAnywhereAndThenNotEach() {
        var limiter = Self.limiter(Dimension(name: "x", position: 0...10, velocity: 1))
        #expect(Self.follow(&limiter, [8, 8, 0]) == [8, 8, 7.9])
        limiter.begin(at: [2])
        #expect(Self.follow(&limiter, [8]) == [2.1])
        limiter.begin(at: nil)
        #expect(Self.follow(&limiter, [8]) == [8])
    }

    /// A step of the target is met without going beyond it, and the robot rests there.
    @Test func standingTargetIsNotOvershot() throws {
        var limiter = Self.limiter(Dimension(name: "x", acceleration: 100))
        _ = limiter.next(towards: [0], after: 0.1)
        var places: [Float] = []
        for _ in 0..<20 { places += limiter.next(towards: [10.5], after: 0.1)?.action ?? [.nan] }
        #expect(places == places.sorted())
        #expect(places.last == 10.5)
        #expect(limiter.isAtRest)
        // 1, 2, 3 up; then slower at once, so that 10.5 is not passed.
        #expect(places[0] == 1 && places[1] == 3)
        #expect(try #require(places.firstIndex(of: 10.5)) <= 7)
    }

    /// After a jump, a target that moves is caught up with, and from then on passed on as it is.
    @Test func movingTargetIsCaughtUpWith() throws {
        var limiter = Self.limiter(Dimension(name: "x", velocity: 50, acceleration: 20))
        _ = limiter.next(towards: [0], after: 0.1)
        var lag: [Float] = []
        for step in 0..<200 {
            let target = 3 + Float(step)
            lag.append(target - (limiter.next(towards: [target], after: 0.1)?.action[0] ?? .nan))
        }
        #expect(lag.allSatisfy { $0 > -1e-3 }, "not beyond it")
        #expect(lag.suffix(50).allSatisfy { $0 == 0 })
    }

    @Test func onlyWhereOneCanStopOneGoesOn() {
        var limiter = Self.limiter(Dimension(name: "x", position: 0...10, acceleration: 100))
        _ = limiter.next(towards: [0], after: 0.1)
        var (last, speed): (Float, Float) = (0, 0)
        for step in 1...40 {
            // Faster and faster, up to the edge: a target that leaves the range.
            guard let place = limiter.next(towards: [Float(step * step)], after: 0.1)?.action[0] else {
                Issue.record("no command at \(step)")
                return
            }
            let next = (place - last) / 0.1
            #expect(abs(next - speed) <= 10.01)
            (last, speed) = (place, next)
        }
        #expect(last == 10)
    }

    @Test func placeOutsideIsLeftAtOnceOrNotAtAll() {
        var limiter = Self.limiter(Dimension(name: "x", position: 0...10, velocity: 5))
        limiter.begin(at: [10.3])
        #expect(Self.follow(&limiter, [9]) == [9.8])
        #expect(Self.follow(&limiter, [9.9]) == [9.9])
        limiter.begin(at: [12])
        #expect(limiter.brake(after: 0.1) == nil)
        #expect(limiter.next(towards: [9], after: 0.1) == nil)
    }

    @Test func velocitiesAreKeptAndBraked() {
        var limiter = Self.limiter(Dimension(name: "v", kind: .velocity, velocity: 3, acceleration: 10))
        #expect(Self.follow(&limiter, [5, 5, 5, 5, 0.5]) == [1, 2, 3, 3, 2])
        #expect(limiter.next(towards: [1.5], after: 0.1) == .init(action: [1.5], violation: nil))
        #expect((0..<3).map { _ in limiter.brake(after: 0.1)?.action[0] } == [0.5, 0, 0])
        #expect(limiter.isAtRest)
        limiter.begin(at: [7])
        #expect(limiter.lastAction == [0], "a velocity rests at 0")
    }

    @Test func tinyVelocityIsNotRest() {
        var limiter = Self.limiter(Dimension(name: "v", kind: .velocity))
        _ = limiter.next(towards: [1e-30], after: 0.1)
        #expect(!limiter.isAtRest)
        #expect(limiter.brake(after: 0.1)?.action == [0])
        #expect(limiter.isAtRest)
    }

    @Test func brakeBeforeAnyMotionIsNothing() {
        var limiter = Self.limiter(Dimension(name: "x"))
        #expect(limiter.brake(after: 0.1) == nil)
        #expect(limiter.isAtRest)
    }

    @Test func hugeSpeedsAreBraked() {
        var limiter = Self.limiter(Dimension(name: "x"))
        #expect(Self.follow(&limiter, [-3e38, 3e38]) == [-3e38, 3e38])
        #expect(limiter.brake(after: 0.1)?.action == [3e38])
        #expect(limiter.isAtRest)
    }

    /// Where a step of the last place is longer than what braking takes off.
    @Test func brakeEndsFarFromZero() {
        var limiter = Self.limiter(Dimension(name: "x", acceleration: 0.1))
        limiter.begin(at: [1e8])
        for step in 1...2000 { _ = limiter.next(towards: [1e8 + Float(step * 8)], after: 0.1) }
        #expect(!limiter.isAtRest)
        var count = 0
        while !limiter.isAtRest, count < 10_000 {
            _ = limiter.brake(after: 0.1)
            count += 1
        }
        #expect(limiter.isAtRest)
    }

    static let square = Workspace(tool: .coordinates([0, 1]), box: [0...1, 0...1])

    @Test func workspaceHoldsWhereItWas() {
        var limiter = Self.limiter(
            Dimension(name: "x"),
            Dimension(name: "y"),
            Dimension(name: "v", kind: .velocity),
            workspace: Self.square
        )
        #expect(
            limiter.next(towards: [2, 0.5, 1], after: 0.1) == nil,
            "the first one has nothing to hold to"
        )
        _ = limiter.next(towards: [0.5, 0.5, 1], after: 0.1)
        let held = limiter.next(towards: [0.9, 1.5, 2], after: 0.1)
        #expect(held?.action == [0.5, 0.5, 2])
        #expect(held?.violation == "the tool would leave the workspace")
        #expect(
            limiter.next(towards: [0.9, 0.9, 2], after: 0.1) == .init(action: [0.9, 0.9, 2], violation: nil)
        )
        #expect(limiter.brake(after: 0.1)?.action == [0.9, 0.9, 0])
    }

    @Test func robotOutsideItsWorkspaceGetsNoCommandThere() {
        var limiter = Self.limiter(Dimension(name: "x"), Dimension(name: "y"), workspace: Self.square)
        limiter.begin(at: [3, 3])
        #expect(limiter.next(towards: [2, 2], after: 0.1) == nil)
        #expect(limiter.brake(after: 0.1) == nil)
        #expect(limiter.next(towards: [1, 1], after: 0.1)?.action == [1, 1])
    }

    @Test func violationOfAnActionIsNamed() {
        let limits = ActionLimits(
            dimensions: [
                Dimension(name: "x", position: 0...1), Dimension(name: "v", kind: .velocity, velocity: 2),
            ],
            workspace: Workspace(tool: .coordinates([0]), box: [0.2...0.8])
        )
        #expect(limits.violation(of: [0.5, -2]) == nil)
        #expect(limits.violation(of: [0.5, -2.0001]) == nil, "rounding")
        #expect(limits.violation(of: [1.1, 0]) == "x is 1.1, expected 0.0 to 1.0")
        #expect(limits.violation(of: [-0.001, 0]) == "x is -0.001, expected 0.0 to 1.0")
        #expect(limits.violation(of: [0.5, 3]) == "v is 3.0, expected -2.0 to 2.0")
        #expect(limits.violation(of: [.nan, 0]) == "x is nan, expected a finite number")
        #expect(limits.violation(of: [0.5, .infinity]) == "v is inf, expected a finite number")
        #expect(limits.violation(of: [0.9, 0]) == "the tool is outside the workspace")
    }
}

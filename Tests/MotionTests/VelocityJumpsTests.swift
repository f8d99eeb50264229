import Testing

@testable import Motion

@Suite struct VelocityJumpsTests {
    static func jumps(_ commands: [Double], _ handOvers: Set<Int>) -> VelocityJumps {
        VelocityJumps(commands: commands.map { [$0, 2 * $0] }, handOvers: handOvers, period: 0.1)
    }

    /// Even motion with a step of 3 more at step 5: the velocity goes up by 30 and down again.
    @Test func aStepCountsOnceAtItsHandOver() {
        let commands = (0..<12).map { Double($0) + ($0 >= 5 ? 3 : 0) }
        let found = Self.jumps(commands, [5])
        let size = 30 * 5.0.squareRoot()
        #expect(found.atHandOvers.count == 1)
        #expect(abs(found.atHandOvers[0] - size) < 1e-9)
        #expect(found.elsewhere.count == 10 - 5, "steps whose reach does not meet the hand-over's")
        #expect(found.elsewhere.allSatisfy { $0 < 1e-9 })
    }

    @Test func aFadeCountsAsWhatIsLeftOfIt() {
        let commands = (0..<12).map { Double($0) + [0, 1, 2, 3][min(max($0 - 4, 0), 3)] }
        let found = Self.jumps(commands, [5])
        #expect(abs(found.atHandOvers[0] - 10 * 5.0.squareRoot()) < 1e-9)
    }

    @Test(arguments: [0, 1, 2, 3])
    func shortEpisodesAndEarlyHandOversHaveNone(count: Int) {
        let found = Self.jumps((0..<count).map(Double.init), [0, 1])
        #expect(found.atHandOvers.isEmpty)
        #expect(found.elsewhere.isEmpty)
    }
}

import Sampling
import Testing

@Suite struct NoiseScheduleTests {
    @Test(arguments: SamplingFixture.shared.schedules)
    func alphasAreTheOnesTheyWereTrainedWith(_ expected: SamplingFixture.Schedule) throws {
        let schedule = try NoiseSchedule(
            numTrainTimesteps: expected.numTrainTimesteps,
            betaSchedule: #require(BetaSchedule(rawValue: expected.betaSchedule))
        )
        #expect(schedule.alphasCumprod.count == expected.numTrainTimesteps)
        #expect(expected.timesteps.map { schedule.alphasCumprod[$0] } == expected.alphasCumprod)
    }

    @Test(arguments: [0, -1, 100_001])
    func refusesTimestepCount(_ count: Int) {
        #expect(throws: SamplerError.numTrainTimesteps(found: count, allowed: 1...100_000)) {
            try NoiseSchedule(numTrainTimesteps: count, betaSchedule: .linear)
        }
    }

    @Test(arguments: [0, 1, -0.1, 2, .nan, .infinity])
    func refusesBeta(_ beta: Double) {
        #expect {
            try NoiseSchedule(numTrainTimesteps: 10, betaSchedule: .linear, betaStart: beta)
        } throws: { "\($0)".hasPrefix("beta_start is \(beta)") }
        #expect {
            try NoiseSchedule(numTrainTimesteps: 10, betaSchedule: .linear, betaEnd: beta)
        } throws: { "\($0)".hasPrefix("beta_end is \(beta)") }
    }

    @Test func refusesScheduleThatRunsOutOfSignal() {
        // 0.1^46 is below the smallest single-precision number.
        #expect(throws: SamplerError.degenerateSchedule(timestep: 45, alphaCumprod: 0)) {
            try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .linear, betaStart: 0.9, betaEnd: 0.9)
        }
    }

    @Test func refusesScheduleThatStartsWithoutNoise() {
        #expect(throws: SamplerError.degenerateSchedule(timestep: 0, alphaCumprod: 1)) {
            try NoiseSchedule(numTrainTimesteps: 10, betaSchedule: .linear, betaStart: 1e-12, betaEnd: 0.1)
        }
    }
}

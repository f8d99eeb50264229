import Sampling
import Testing

@Suite struct SamplerErrorTests {
    func make(
        steps: Int = 10,
        method: SamplerSettings.Method = .sequential,
        clip: Float? = 1,
        sampleSize: Int = 4
    ) throws -> Sampler {
        try Sampler(
            schedule: NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2),
            predictionType: .epsilon,
            clipSampleRange: clip,
            settings: SamplerSettings(solver: .ddpm, numInferenceSteps: steps, method: method),
            sampleSize: sampleSize
        )
    }

    @Test(arguments: [0, -3, 101, .max])
    func refusesSteps(_ steps: Int) {
        #expect(throws: SamplerError.numInferenceSteps(found: steps, numTrainTimesteps: 100)) {
            try make(steps: steps)
        }
    }

    @Test(arguments: [1, 100])
    func acceptsSteps(_ steps: Int) throws {
        let sampler = try make(steps: steps)
        #expect(sampler.timesteps.count == steps)
        #expect(sampler.noiseCount == (steps + 1) * 4)
    }

    @Test(arguments: [0, -1, .min])
    func refusesWindow(_ window: Int) {
        #expect(throws: SamplerError.window(found: window)) {
            try make(method: .paradigms(window: window, tolerance: 0.1))
        }
        #expect(throws: SamplerError.window(found: window)) {
            try make(method: .quasiNewton(window: window, tolerance: 0.1))
        }
    }

    @Test(arguments: [-0.1, .infinity, .nan] as [Float])
    func refusesTolerance(_ tolerance: Float) {
        for method in [
            SamplerSettings.Method.paradigms(window: 4, tolerance: tolerance),
            .quasiNewton(window: 4, tolerance: tolerance), .quasiNewton(window: nil, tolerance: tolerance),
        ] {
            #expect {
                try make(method: method)
            } throws: { "\($0)".hasPrefix("tolerance is \(tolerance)") }
        }
    }

    @Test(arguments: [0, -1, .infinity, .nan] as [Float])
    func refusesClipRange(_ range: Float) {
        #expect {
            try make(clip: range)
        } throws: { "\($0)".hasPrefix("clip_sample_range is \(range)") }
    }

    @Test(arguments: [0, -1])
    func refusesSampleCount(_ count: Int) {
        #expect(throws: SamplerError.sampleSize(found: count)) { try make(sampleSize: count) }
    }

    @Test func boundsItsMemory() throws {
        let largest = Sampler.maximumNoiseCount / 11
        #expect(try make(sampleSize: largest).noiseCount <= Sampler.maximumNoiseCount)
        for count in [largest + 1, .max] {
            #expect(
                throws: SamplerError.noiseCount(
                    numInferenceSteps: 10,
                    sampleSize: count,
                    limit: Sampler.maximumNoiseCount
                )
            ) { try make(sampleSize: count) }
        }
    }

    @Test func namesSettingValueAndExpectation() {
        #expect(
            "\(SamplerError.numInferenceSteps(found: 200, numTrainTimesteps: 100))"
                == "num_inference_steps is 200; expected 1 to num_train_timesteps, which is 100"
        )
        #expect("\(SamplerError.window(found: 0))" == "window is 0; expected at least 1")
    }
}

import Clocks
import PolicyFixtures
import Sampling
import Testing

@testable import Policy
@testable import Tuning

@Suite("Which window")
struct WindowTrialTests {
    private let steps = 20

    /// The windows left, fastest first, with a model whose passes take so long.
    private func compare(
        only windows: [Int]? = nil,
        passNanoseconds: @escaping (_ batch: Int, _ pass: Int) -> Int,
        isOver: @escaping () -> Bool = { false },
        beforeChunk: (_ chunk: Int, _ sampleSize: Int) -> [Float]? = { _, _ in nil }
    ) throws -> [Calibration.Window] {
        let configuration = try PolicyBundle(directory: fixture("processors")).configuration
        func sampler(_ window: Int, _ linearization: OutputLinearization?) throws -> Sampler {
            let settings = SamplerSettings(
                solver: .ddpm,
                numInferenceSteps: steps,
                method: .quasiNewton(window: window, tolerance: 0.01)
            )
            return try configuration.sampler(settings, linearization: linearization)
        }
        let model = TimedModel(passNanoseconds: passNanoseconds)
        let meter = PassMeter(model, maximumBatch: steps, now: { model.now })
        let widest = try sampler(steps, nil)
        let linearization = widest.calibrate(with: model)
        meter.measure(timestep: widest.timesteps[0], sampleSize: widest.sampleSize, rounds: 20)
        var samplers: [Int: Sampler] = [:]
        for window in windows ?? WindowSearchRule.windows where window <= steps {
            samplers[window] = try sampler(window, linearization)
        }
        var search = WindowSearch(samplers: samplers, steps: steps, meter: meter, isOver: isOver)
        return search.fastest { beforeChunk($0, widest.sampleSize) }
            .sorted { $0.milliseconds < $1.milliseconds }
    }

    @Test func `Where a batch costs as much as its samples in turn, the narrowest window is the fastest`()
        throws
    {
        let windows = try compare { batch, _ in 1_000 * batch }
        #expect(windows[0].window == 1)
        #expect(!windows.contains { $0.window == steps })
        #expect(abs(windows[0].milliseconds - windows[0].evaluations / 1_000) < 1e-9)
    }

    /// With a hundred steps most are left out, and with them evaluations: a window of one node saves as many as any.
    @Test func `Where evaluations are all that counts, a narrow window that leaves steps out is found`()
        throws
    {
        let schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
        let model = TimedModel(alphasCumprod: schedule.alphasCumprod) { batch, _ in 1_000 * batch }
        func sampler(_ window: Int, _ linearization: OutputLinearization?) throws -> Sampler {
            try Sampler(
                schedule: schedule,
                predictionType: .epsilon,
                clipSampleRange: 1,
                settings: SamplerSettings(
                    solver: .ddpm,
                    numInferenceSteps: 100,
                    method: .quasiNewton(window: window, tolerance: 0.005)
                ),
                sampleSize: 4,
                linearization: linearization
            )
        }
        let meter = PassMeter(model, maximumBatch: 32, now: { model.now })
        let widest = try sampler(32, nil)
        let linearization = widest.calibrate(with: model)
        meter.measure(timestep: widest.timesteps[0], sampleSize: widest.sampleSize, rounds: 20)
        var samplers: [Int: Sampler] = [:]
        for window in WindowSearchRule.windows { samplers[window] = try sampler(window, linearization) }
        var search = WindowSearch(samplers: samplers, steps: 100, meter: meter)
        let found = try #require(search.fastest().min { $0.milliseconds < $1.milliseconds })
        #expect((1...4).contains(found.window))
        #expect(found.evaluations < 30)
    }

    @Test func `Where a batch costs as much as one sample, the widest windows are the fastest`() throws {
        let windows = try compare { _, _ in 1_000 }
        #expect(windows[0].window >= 12)
        #expect(!windows.contains { $0.window == 1 })
        #expect(abs(windows[0].milliseconds - windows[0].iterations / 1_000) < 1e-9)
    }

    @Test func `Passes that other work holds up change nothing`() throws {
        let undisturbed = { (batch: Int) in 1_000 + 250 * batch }
        let expected = try compare { batch, _ in undisturbed(batch) }
        // Long passes more often than short ones, as they are.
        let disturbed = try compare { batch, pass in
            let isHeldUp = pass % 7 < 3 + min(batch / 4, 3)
            return undisturbed(batch) + (isHeldUp ? 5_000 + 1_000 * (pass % 3) : 0)
        }
        #expect(expected[0].window > 1)
        #expect(disturbed == expected)
    }

    @Test func `Windows sample the same chunks, each from the guess given for it`() throws {
        let times = { (_: Int, _: Int) in 1_000 }
        var chunks: [Int: Int] = [:]
        let guessed = try compare(
            passNanoseconds: times,
            beforeChunk: { chunk, sampleSize in
                chunks[chunk, default: 0] += 1
                return [Float](repeating: 0.5, count: sampleSize)
            }
        )
        #expect(chunks.keys.sorted() == Array(1...6))
        #expect(guessed.allSatisfy { $0.chunks.count == 6 })
        let unguessed = try compare(passNanoseconds: times)
        #expect(guessed[0].chunks != unguessed[0].chunks)
    }

    /// What is found must not depend on where the search begins: the times of passes tell it another place.
    @Test(arguments: [0, 20, 60, 150, 400, 1_000, 5_000])
    func `The window found takes hardly longer than the fastest of all`(perSample: Int) throws {
        let times = { (batch: Int, _: Int) in 1_000 + perSample * batch }
        var all: [Int: Double] = [:]
        for window in WindowSearchRule.windows where window <= steps {
            all[window] = try compare(only: [window], passNanoseconds: times)[0].milliseconds
        }
        let found = try #require(compare(passNanoseconds: times).first)
        let best = try #require(all.values.min())
        #expect(found.milliseconds <= 1.1 * best, "window \(found.window), of \(all)")
    }

    @Test func `A window that cannot be the fastest is not sampled`() throws {
        var sampled = 0
        _ = try compare(
            passNanoseconds: { batch, _ in 1_000 * batch },
            beforeChunk: { chunk, _ in
                sampled += chunk == 1 ? 1 : 0
                return nil
            }
        )
        #expect((1...4).contains(sampled))
    }

    @Test func `Without time one window is sampled once`() throws {
        var sampled = 0
        let windows = try compare(
            passNanoseconds: { _, _ in 1_000 },
            isOver: { true },
            beforeChunk: { _, _ in
                sampled += 1
                return nil
            }
        )
        #expect(sampled == 1)
        #expect(windows.count == 1 && windows[0].chunks.count == 1)
    }

    /// The window that was tried first is slower than one step after the other, whatever is left out.
    @Test func `Without time a window of one step is tried if that is faster`() throws {
        // From passes of 1 and of the largest batch those of 2 are expected to be cheap, and are not.
        let windows = try compare(
            only: [1, 2],
            passNanoseconds: { batch, _ in batch == 2 ? 9_000 : batch == 1 ? 1_000 : 100 },
            isOver: { true }
        )
        #expect(windows[0].window == 1)
    }
}

/// Outputs a bent function of its samples, or the noise beside a clean sample of 0.5, and says how long it took.
private final class TimedModel: NoisePredictor {
    private(set) var now = MonotonicTime.now()
    private let passNanoseconds: (_ batch: Int, _ pass: Int) -> Int
    private let alphasCumprod: [Float]?
    private var pass = 0

    /// - Parameter alphasCumprod: of the schedule, for the noise beside a clean sample; nil: a bent function.
    init(alphasCumprod: [Float]? = nil, passNanoseconds: @escaping (_ batch: Int, _ pass: Int) -> Int) {
        self.alphasCumprod = alphasCumprod
        self.passNanoseconds = passNanoseconds
    }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        for index in samples.indices {
            let sample = samples[index]
            if let alphasCumprod {
                let alphaCumprod = alphasCumprod[timesteps[index / (samples.count / timesteps.count)]]
                outputs[index] = (sample - 0.5 * alphaCumprod.squareRoot()) / (1 - alphaCumprod).squareRoot()
                continue
            }
            outputs[index] = 0.9 * sample + 0.2 * (3 * sample) / (1 + sample * sample)
        }
        now += .nanoseconds(passNanoseconds(timesteps.count, pass))
        pass += 1
    }
}

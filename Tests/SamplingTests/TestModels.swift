import Clocks
import Foundation
import Sampling

/// The model that Tests/Oracles/sampling.py defines: the posterior mean of a Gaussian, bent by a sine, as the asked-for
/// kind of output. Computed in double precision and rounded once.
struct BentGaussianModel: NoisePredictor {
    let schedule: NoiseSchedule
    let predictionType: PredictionType
    let sampleSize = SamplingFixture.sampleSize

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        precondition(samples.count == timesteps.count * sampleSize && outputs.count == samples.count)
        for index in samples.indices {
            let x = Double(samples[index])
            let element = Double(index % sampleSize)
            let timestep = timesteps[index / sampleSize]
            let alphaBar = Double(schedule.alphasCumprod[timestep])
            let alpha = alphaBar.squareRoot()
            let sigma = (1 - alphaBar).squareRoot()
            let mu = element * 0.5 - 1.25
            let posterior = alpha * 0.16 * (x - alpha * mu) / (alphaBar * 0.16 + 1 - alphaBar)
            let x0 = mu + posterior + 0.05 * sin(2 * x + element + 0.01 * Double(timestep))
            outputs[index] = Float(
                modelOutput(predictionType, x: x, x0: x0, alpha: alpha, sigma: sigma)
            )
        }
    }
}

/// The exact predictor for data that is N(mean, deviation^2) in every dimension.
struct GaussianModel: NoisePredictor {
    let schedule: NoiseSchedule
    let predictionType: PredictionType
    let mean: Double
    let deviation: Double

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        let sampleSize = samples.count / timesteps.count
        for index in samples.indices {
            let x = Double(samples[index])
            let alphaBar = Double(schedule.alphasCumprod[timesteps[index / sampleSize]])
            let alpha = alphaBar.squareRoot()
            let sigma = (1 - alphaBar).squareRoot()
            let total = alphaBar * deviation * deviation + 1 - alphaBar
            let x0 = mean + alpha * deviation * deviation * (x - alpha * mean) / total
            outputs[index] = Float(
                modelOutput(predictionType, x: x, x0: x0, alpha: alpha, sigma: sigma)
            )
        }
    }

    /// Where the probability-flow ODE takes `x` from `timestep` to the clean sample: it keeps the standard score.
    func exactODESolution(from x: Double, timestep: Int) -> Double {
        let alphaBar = Double(schedule.alphasCumprod[timestep])
        let total = alphaBar * deviation * deviation + 1 - alphaBar
        return mean + deviation * (x - alphaBar.squareRoot() * mean) / total.squareRoot()
    }
}

/// The exact predictor for data that is, with one half each, N(-m, 0.1^2 I) or N(m, 0.1^2 I), m 0.5 in every element:
/// two ways to act, between which the first steps choose.
struct TwoModesModel: NoisePredictor {
    let schedule: NoiseSchedule
    let predictionType: PredictionType
    let sampleSize = SamplingFixture.sampleSize

    static let mean = 0.5
    static let deviation = 0.1

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        precondition(samples.count == timesteps.count * sampleSize && outputs.count == samples.count)
        let variance = Self.deviation * Self.deviation
        for row in timesteps.indices {
            let alphaBar = Double(schedule.alphasCumprod[timesteps[row]])
            let alpha = alphaBar.squareRoot()
            let sigma = (1 - alphaBar).squareRoot()
            let total = alphaBar * variance + 1 - alphaBar
            let elements = row * sampleSize..<(row + 1) * sampleSize
            let sum = elements.reduce(0) { $0 + Double(samples[$1]) }
            // The difference of the two modes' posterior probabilities.
            let lean = tanh(alpha * Self.mean * sum / total)
            for index in elements {
                let x = Double(samples[index])
                let x0 = alpha * variance / total * x + (1 - alphaBar * variance / total) * Self.mean * lean
                outputs[index] = Float(
                    modelOutput(predictionType, x: x, x0: x0, alpha: alpha, sigma: sigma)
                )
            }
        }
    }
}

private func modelOutput(
    _ predictionType: PredictionType,
    x: Double,
    x0: Double,
    alpha: Double,
    sigma: Double
) -> Double {
    let epsilon = (x - alpha * x0) / sigma
    return switch predictionType {
    case .epsilon: epsilon
    case .sample: x0
    case .vPrediction: alpha * epsilon - sigma * x0
    }
}

/// Passes calls on and keeps what it saw.
final class RecordingPredictor<Base: NoisePredictor>: NoisePredictor {
    let base: Base
    private(set) var batches: [[Int]] = []
    private(set) var samples: [[Float]] = []

    init(_ base: Base) {
        self.base = base
    }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        batches.append(timesteps.indices.map { timesteps[$0] })
        self.samples.append(samples.indices.map { samples[$0] })
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }
}

/// Gives the same output for everything.
struct ConstantModel: NoisePredictor {
    let value: Float

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        for index in outputs.indices {
            outputs[index] = value
        }
    }
}

/// A model that rounds within, as a network in bfloat16 does: the last bits of a sample scatter the output by up to 1 in 512.
struct RoundingModel<Model: NoisePredictor & Copyable>: NoisePredictor {
    let model: Model

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        model.predict(samples: samples, timesteps: timesteps, into: &outputs)
        for index in outputs.indices {
            let scattered = Int32(bitPattern: samples[index].bitPattern &* 0x9E37_79B1)
            outputs[index] *= 1 + Float(scattered) / 0x1p31 / 512
        }
    }
}

/// A model whose output depends on the condition.
struct ConditionedModel: NoisePredictor {
    let base: BentGaussianModel

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
        for row in conditions.indices {
            for element in row * base.sampleSize..<(row + 1) * base.sampleSize {
                outputs[element] += 0.1 * Float(conditions[row])
            }
        }
        return true
    }
}

/// That model, or another with conditions, under one of its conditions.
struct OneCondition<Model: NoisePredictor & Copyable>: NoisePredictor {
    let model: Model
    let condition: Int

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        _ = predict(samples: samples, timesteps: timesteps, until: nil, into: &outputs)
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let conditions = [Int](repeating: condition, count: timesteps.count)
        return model.predict(
            samples: samples,
            timesteps: timesteps,
            conditions: conditions.span,
            until: instant,
            into: &outputs
        )
    }
}

extension Sampler {
    /// Draws one sample as an array, from a guess if there is one, and with known elements from `first` on if there are any.
    func sample(
        with predictor: some NoisePredictor,
        noise: [Float],
        guess: [Float] = [],
        known: [Float] = [],
        first: Int = 0,
        deadline: MonotonicTime? = nil
    ) -> (sample: [Float], report: SamplingReport) {
        var values = [Float](repeating: .nan, count: sampleSize)
        var span = values.mutableSpan
        let report = sample(
            with: predictor,
            noise: noise.span,
            guess: guess.span,
            frozen: known.isEmpty ? [] : [frozen(known, from: first)],
            deadline: deadline,
            into: &span
        )
        return (values, report)
    }

    /// Elements from `first` on that are known.
    func frozen(_ known: [Float], from first: Int = 0) -> FrozenElements {
        var frozen = makeFrozenElements()
        frozen.set(known.span, from: first)
        return frozen
    }
}

/// `count` standard normal numbers.
func gaussianNoise(count: Int, seed: UInt64) -> [Float] {
    var values = [Float](repeating: 0, count: count)
    var span = values.mutableSpan
    var generator = GaussianNoise(seed: seed)
    generator.fill(&span)
    return values
}

/// The largest difference between two samples, relative to the largest element of the second, or to 1 if that is less.
func deviation(_ sample: [Float], from reference: [Float]) -> Float {
    guard sample.count == reference.count else { return .infinity }
    let scale = reference.map(abs).max().map { max($0, 1) } ?? 1
    return zip(sample, reference).map { abs($0 - $1) / scale }.reduce(0) { $1 <= $0 ? $0 : $1 }
}

/// Passes calls on and puts a NaN into the first pair's output of one of them.
final class FailingPredictor<Base: NoisePredictor>: NoisePredictor {
    private let base: Base
    private let iteration: Int
    private let element: Int
    private var calls = 0

    init(_ base: Base, iteration: Int, element: Int) {
        self.base = base
        self.iteration = iteration
        self.element = element
    }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
        if calls == iteration { outputs[element] = .nan }
        calls += 1
    }
}

/// Passes calls on and takes its time.
struct SlowPredictor<Base: NoisePredictor>: NoisePredictor {
    let base: Base
    let millisecondsPerPair: Int

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
        Thread.sleep(forTimeInterval: 0.001 * Double(millisecondsPerPair * timesteps.count))
    }
}

/// A network whose clean sample is a matrix over the horizon times its sample, clipped by nobody: x_0[i, d] = sum over k of
/// M[i, k] x[k, d] + 0.1 d. The matrix has rows that differ, and passes slow changes on and fast ones not.
struct MatrixModel: NoisePredictor {
    let schedule: NoiseSchedule
    let predictionType: PredictionType
    let horizon: Int
    let actionDim: Int

    /// d x_0[row] / d x[column].
    func matrix(row: Int, column: Int) -> Double {
        let distance = Double(row - column)
        return 0.3 * exp(-distance * distance / 2) + 0.01 * Double(row)
    }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        let sampleSize = horizon * actionDim
        for batch in timesteps.indices {
            let alphaBar = Double(schedule.alphasCumprod[timesteps[batch]])
            for element in 0..<sampleSize {
                let (row, dimension) = element.quotientAndRemainder(dividingBy: actionDim)
                var x0 = 0.1 * Double(dimension)
                for column in 0..<horizon {
                    let x = samples[batch * sampleSize + column * actionDim + dimension]
                    x0 += matrix(row: row, column: column) * Double(x)
                }
                outputs[batch * sampleSize + element] = Float(
                    modelOutput(
                        predictionType,
                        x: Double(samples[batch * sampleSize + element]),
                        x0: x0,
                        alpha: alphaBar.squareRoot(),
                        sigma: (1 - alphaBar).squareRoot()
                    )
                )
            }
        }
    }
}

extension OutputLinearization {
    /// This linearisation of samples that wander otherwise.
    func replacing(volatility: [Float]) -> OutputLinearization {
        OutputLinearization(gains: gains, errors: errors, rounding: rounding, volatility: volatility)
    }
}

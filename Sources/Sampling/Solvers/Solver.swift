/// How the reverse process is discretised. The raw values are those of the command line.
public enum Solver: String, CaseIterable, Hashable, Sendable {
    /// Ancestral sampling. Ho et al., arXiv 2006.11239. Draws noise in every step but the last.
    case ddpm
    /// Denoising diffusion implicit models with eta 0, a first-order ODE solver. Song et al., arXiv 2010.02502.
    case ddim
    /// DPM-Solver++ 2M, a second-order multistep ODE solver. Lu et al., arXiv 2211.01095.
    case dpmSolverPlusPlus = "dpmsolver++"
}

/// One step of a solver, from the sample at `timestep` to the sample at the next visited timestep:
///
///     x_0  = clip((x0FromSample x + x0FromOutput m) x0Scale)
///     next = sampleWeight x + outputWeight m + x0Weight x_0 + previousX0Weight x_0' + noiseScale z
///
/// where x is the sample, m the model output for it, x_0' the x_0 of the step before, and z the step's Gaussian noise.
/// All three solvers have this form, so every sampler shares the same arithmetic. The coefficients are computed in
/// `Double`; a step is `Float` arithmetic.
struct SolverStep: Hashable, Sendable {
    /// The training timestep of the sample that the step starts from.
    let timestep: Int
    /// The DDPM posterior variance of the step, per dimension, at least 1e-20. ParaDiGMS measures errors in its units
    /// for every solver.
    let posteriorVariance: Double

    private let x0FromSample: Float
    private let x0FromOutput: Float
    private let x0Scale: Float
    private let clipSampleRange: Float

    private let sampleWeight: Float
    private let outputWeight: Float
    private let x0Weight: Float
    private let previousX0Weight: Float
    private let noiseScale: Float

    init(
        timestep: Int,
        posteriorVariance: Double,
        cleanSample: CleanSampleEquation,
        clipSampleRange: Float?,
        sampleWeight: Double,
        outputWeight: Double = 0,
        x0Weight: Double,
        previousX0Weight: Double = 0,
        noiseScale: Double = 0
    ) {
        self.timestep = timestep
        self.posteriorVariance = posteriorVariance
        self.x0FromSample = Float(cleanSample.fromSample)
        self.x0FromOutput = Float(cleanSample.fromOutput)
        self.x0Scale = Float(cleanSample.scale)
        self.clipSampleRange = clipSampleRange ?? .infinity
        self.sampleWeight = Float(sampleWeight)
        self.outputWeight = Float(outputWeight)
        self.x0Weight = Float(x0Weight)
        self.previousX0Weight = Float(previousX0Weight)
        self.noiseScale = Float(noiseScale)
    }

    /// The step with x_0 in the place of x_0': for the first step that is taken, which has none before it.
    var asFirst: SolverStep { SolverStep(self, mergingPreviousX0: ()) }

    private init(_ step: SolverStep, mergingPreviousX0: Void) {
        timestep = step.timestep
        posteriorVariance = step.posteriorVariance
        x0FromSample = step.x0FromSample
        x0FromOutput = step.x0FromOutput
        x0Scale = step.x0Scale
        clipSampleRange = step.clipSampleRange
        sampleWeight = step.sampleWeight
        outputWeight = step.outputWeight
        x0Weight = step.x0Weight + step.previousX0Weight
        previousX0Weight = 0
        noiseScale = step.noiseScale
    }

    /// The clean sample that a model output implies, clipped. A NaN stays one.
    @inline(__always)
    func predictedX0(sample: Float, modelOutput: Float) -> Float {
        let x0 = (x0FromSample * sample + x0FromOutput * modelOutput) * x0Scale
        return min(max(x0, -clipSampleRange), clipSampleRange)
    }

    /// The model output that implies the clean sample `x0` for `sample`: the inverse of `predictedX0` where that does
    /// not clip.
    @inline(__always)
    func modelOutput(sample: Float, x0: Float) -> Float {
        (x0 / x0Scale - x0FromSample * sample) / x0FromOutput
    }

    /// The next sample. `previousX0` and `noise` are not used where the step gives them no weight, whatever they hold.
    @inline(__always)
    func advance(sample: Float, modelOutput: Float, x0: Float, previousX0: Float, noise: Float) -> Float {
        var next = sampleWeight * sample + x0Weight * x0
        if outputWeight != 0 { next += outputWeight * modelOutput }
        if previousX0Weight != 0 { next += previousX0Weight * previousX0 }
        if noiseScale != 0 { next += noiseScale * noise }
        return next
    }
}

/// Response of a step's result to small changes, without clipping and with the clean sample as an independent variable: d
/// next = sample dx + x0 dx_0 + previousX0 dx_0'.
struct StepResponse {
    let sample: Double
    let x0: Double
    let previousX0: Double
}

extension SolverStep {
    /// The step as a function of (x, x_0): the model output of the general form replaced by the one that implies x_0.
    var response: StepResponse {
        StepResponse(
            sample: Double(sampleWeight) + Double(outputWeight) * outputFromSample,
            x0: Double(x0Weight) + Double(outputWeight) * outputFromX0,
            previousX0: Double(previousX0Weight)
        )
    }

    /// dm / dx where x_0 stays, unclipped.
    var outputFromSample: Double { -Double(x0FromSample) / Double(x0FromOutput) }

    /// dm / dx_0 where x stays, unclipped.
    var outputFromX0: Double { 1 / (Double(x0Scale) * Double(x0FromOutput)) }
}

extension Solver {
    /// The steps in the order they are taken; `numInferenceSteps` is in 1 ... numTrainTimesteps.
    func steps(
        schedule: NoiseSchedule,
        predictionType: PredictionType,
        clipSampleRange: Float?,
        numInferenceSteps: Int
    ) -> [SolverStep] {
        switch self {
        case .ddpm:
            ddpmSteps(
                schedule: schedule,
                predictionType: predictionType,
                clipSampleRange: clipSampleRange,
                numInferenceSteps: numInferenceSteps
            )
        case .ddim:
            ddimSteps(
                schedule: schedule,
                predictionType: predictionType,
                clipSampleRange: clipSampleRange,
                numInferenceSteps: numInferenceSteps
            )
        case .dpmSolverPlusPlus:
            dpmSolverPlusPlusSteps(
                schedule: schedule,
                predictionType: predictionType,
                clipSampleRange: clipSampleRange,
                numInferenceSteps: numInferenceSteps
            )
        }
    }
}

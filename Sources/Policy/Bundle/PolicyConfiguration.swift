import Networks
import Foundation
import Sampling
import StrictJSON

/// A LeRobot diffusion policy's `config.json`, checked: everything in it that changes the policy's output.
///
/// Keys that are absent have LeRobot 0.4.4's defaults (`DiffusionConfig`). Keys that only concern training are accepted and not
/// read; those that concern cameras are read if the policy has cameras. A key that is neither is an error, unless its value is null, false or empty.
public struct PolicyConfiguration: Sendable, Hashable {
    /// The file's name in a bundle.
    public static let fileName = "config.json"

    /// A low-dimensional input: LeRobot's feature name, its type and how many numbers it has.
    public struct Input: Sendable, Hashable {
        /// `observation.state` or `observation.environment_state`.
        public let name: String
        /// `.state` or `.environment`.
        public let type: FeatureType
        /// Numbers in one observation.
        public let count: Int
    }

    /// The inputs of numbers in the order in which the condition has them: `observation.state`, then
    /// `observation.environment_state` if there is one. What cameras see stands between them.
    public let inputs: [Input]
    /// The cameras and what encodes their frames; nil: the policy sees nothing.
    public let vision: VisionConfiguration?
    /// Numbers in one action.
    public let actionDim: Int
    /// Observations that the network sees, the newest included: one for each control step.
    public let nObsSteps: Int
    /// Actions the network predicts, from the control step of the oldest of these observations on.
    public let horizon: Int
    /// Actions to execute, from the control step of the newest observation on.
    public let nActionSteps: Int
    /// Inputs that the file names and that LeRobot's model does not read. A robot need not send them.
    public let ignoredInputs: [String]
    /// What the file says that has no effect, and what was taken differently than it says, in words: one line each.
    public let notes: [String]
    /// How each feature type is normalised. A type that is not here is not normalised.
    public let normalizationMapping: [FeatureType: NormalizationMode]
    /// The network.
    public let architecture: UNet1DArchitecture
    /// The noise schedule of training.
    public let noiseSchedule: NoiseSchedule
    /// The scheduler that the policy names (`noise_scheduler_type`): `.ddpm` or `.ddim`.
    public let solver: Solver
    /// What the network predicts.
    public let predictionType: PredictionType
    /// The range to which predicted clean samples are clipped, [-r, r]; nil for no clipping.
    public let clipSampleRange: Float?
    /// Denoising steps that the policy asks for (`num_inference_steps`, else `num_train_timesteps`).
    public let numInferenceSteps: Int

    /// Reads and checks a `config.json`.
    ///
    /// - Throws: `PolicyError` with the key, its value and what was expected.
    public init(contentsOf url: URL) throws(PolicyError) {
        let root = try JSONReader(contentsOf: url)
        try Self.checkType(root)
        let unread = try root.emptyKeys(otherThan: Self.keysOfInference.union(Self.keysWithoutEffect))
        if let peft = try root.optional("use_peft"), try peft.bool() {
            throw peft.error(expected: "false: adapters are not supported, merge them into the weights")
        }

        func integer(_ key: String, _ range: ClosedRange<Int>, default value: Int) throws(PolicyError) -> Int
        {
            try root.optional(key)?.integer(in: range) ?? value
        }
        func boolean(_ key: String, default value: Bool) throws(PolicyError) -> Bool {
            try root.optional(key)?.bool() ?? value
        }

        let features = try PolicyFeatures(root)
        inputs = features.inputs.map { Input(name: $0.name, type: $0.type, count: $0.count) }
        vision = features.cameras.isEmpty ? nil : try VisionConfiguration(root, cameras: features.cameras)
        actionDim = features.action.count
        normalizationMapping = features.normalizationMapping
        ignoredInputs = features.ignoredInputs
        nObsSteps = try integer("n_obs_steps", 1...256, default: 2)
        horizon = try integer("horizon", 1...4096, default: 16)
        guard horizon * actionDim <= Self.maximumSampleCount else {
            throw PolicyError(
                root.file,
                "horizon",
                found: "\(horizon) actions of \(actionDim) numbers",
                expected: "at most \(Self.maximumSampleCount) numbers in one prediction"
            )
        }
        let asked = try integer("n_action_steps", 1...4096, default: 8)
        guard horizon >= nObsSteps else {
            throw PolicyError(
                root.file,
                "n_obs_steps",
                found: "\(nObsSteps)",
                expected: "at most horizon, which is \(horizon)"
            )
        }
        nActionSteps = min(asked, horizon - nObsSteps + 1)
        notes = Self.notes(features, unread: unread, asked: asked, nActionSteps: nActionSteps)
        architecture = try Self.architecture(
            root,
            actionDim: actionDim,
            horizon: horizon,
            conditionDim: nObsSteps * (inputs.reduce(0) { $0 + $1.count } + (vision?.featureCount ?? 0)),
            kernelSize: integer("kernel_size", 1...63, default: 5),
            nGroups: integer("n_groups", 1...16_384, default: 8),
            diffusionStepEmbedDim: integer("diffusion_step_embed_dim", 4...16_384, default: 128),
            useFiLMScaleModulation: boolean("use_film_scale_modulation", default: true)
        )

        let numTrainTimesteps = try integer("num_train_timesteps", 1...10_000, default: 100)
        noiseSchedule = try Self.noiseSchedule(root, numTrainTimesteps: numTrainTimesteps)
        solver = try root.optional("noise_scheduler_type")?.choice(NoiseSchedulerType.self).solver ?? .ddpm
        predictionType = try root.optional("prediction_type")?.choice(PredictionType.self) ?? .epsilon
        let range =
            try root.optional("clip_sample_range")?.number(expected: "a number greater than 0, at most 1e6") {
                $0 > 0 && $0 <= 1e6
            } ?? 1
        clipSampleRange = try boolean("clip_sample", default: true) ? Float(range) : nil
        numInferenceSteps = try Self.numInferenceSteps(root, numTrainTimesteps: numTrainTimesteps)
    }

    private static func checkType(_ root: JSONReader) throws(PolicyError) {
        // LeRobot next to a newer draccus than it pins writes no type. Only a diffusion policy has a noise scheduler.
        if let type = try root.optional("type") {
            guard try type.string() == "diffusion" else { throw type.error(expected: "\"diffusion\"") }
        } else if try root.optional("noise_scheduler_type") == nil {
            _ = try root.required("type", expected: "\"diffusion\"")
        }
    }

    private static func numInferenceSteps(
        _ root: JSONReader,
        numTrainTimesteps: Int
    ) throws(PolicyError) -> Int {
        guard let steps = try root.optional("num_inference_steps"), !steps.isNull else {
            return numTrainTimesteps
        }
        guard case .integer(let count) = steps.node, (1...numTrainTimesteps).contains(count) else {
            throw steps.error(
                expected:
                    "null or a whole number from 1 to num_train_timesteps, which is \(numTrainTimesteps)"
            )
        }
        return count
    }

    /// The sampler the policy names itself, one step after the other.
    public var defaultSettings: SamplerSettings {
        SamplerSettings(solver: solver, numInferenceSteps: numInferenceSteps)
    }

    /// Timesteps of the noise schedule.
    public var numTrainTimesteps: Int { noiseSchedule.numTrainTimesteps }

    /// How a feature type is normalised.
    public func normalizationMode(of type: FeatureType) -> NormalizationMode {
        normalizationMapping[type] ?? .identity
    }

    /// Far above any robot's; `Sampler.maximumNoiseCount` bounds the samples of all steps together.
    private static let maximumSampleCount = 1 << 16

    private enum NoiseSchedulerType: String, CaseIterable {
        case ddpm = "DDPM"
        case ddim = "DDIM"

        var solver: Solver { self == .ddpm ? .ddpm : .ddim }
    }

    /// What decides the policy's output.
    static let keysOfInference = Set([
        "type", "n_obs_steps", "horizon", "n_action_steps", "down_dims", "kernel_size", "n_groups",
        "diffusion_step_embed_dim",
        "use_film_scale_modulation", "noise_scheduler_type", "num_train_timesteps", "beta_schedule",
        "beta_start",
        "beta_end", "prediction_type", "clip_sample", "clip_sample_range", "num_inference_steps", "use_peft",
    ])
    .union(PolicyFeatures.keys).union(PolicyFeatures.keysBefore2025).union(VisionConfiguration.keys)

    /// Where and how it is trained and stored.
    static let keysWithoutEffect: Set<String> = [
        "device", "use_amp", "push_to_hub", "repo_id", "private", "tags", "license", "pretrained_path",
        "pretrained_revision", "gradient_checkpointing",
        "drop_n_last_frames", "do_mask_loss_for_padding", "compile_model", "compile_mode", "optimizer_lr",
        "optimizer_betas", "optimizer_eps", "optimizer_weight_decay", "scheduler_name",
        "scheduler_warmup_steps",
        "crop_is_random", "pretrained_backbone_weights",
    ]

    private static func notes(
        _ features: PolicyFeatures,
        unread: [String],
        asked: Int,
        nActionSteps: Int
    ) -> [String] {
        var notes: [String] = []
        if asked != nActionSteps {
            notes.append(
                "n_action_steps is \(asked), and a prediction has only \(nActionSteps) actions from the current step on"
            )
        }
        notes += features.ignoredInputs.map { "the model does not read \($0.quoted), which need not be sent" }
        notes += features.ignoredOutputs.map { "the model does not write \($0.quoted)" }
        notes += unread.map { "\($0.quoted) is an unknown key; its value is null, false or empty" }
        return notes
    }

    private static func architecture(
        _ root: JSONReader,
        actionDim: Int,
        horizon: Int,
        conditionDim: Int,
        kernelSize: Int,
        nGroups: Int,
        diffusionStepEmbedDim: Int,
        useFiLMScaleModulation: Bool
    ) throws(PolicyError) -> UNet1DArchitecture {
        var downDims = [512, 1024, 2048]
        if let list = try root.optional("down_dims") {
            downDims = []
            for element in try list.elements() { downDims.append(try element.integer(in: 1...16_384)) }
        }
        do throws(ArchitectureError) {
            return try UNet1DArchitecture(
                actionDim: actionDim,
                horizon: horizon,
                conditionDim: conditionDim,
                downDims: downDims,
                kernelSize: kernelSize,
                nGroups: nGroups,
                diffusionStepEmbedDim: diffusionStepEmbedDim,
                useFiLMScaleModulation: useFiLMScaleModulation
            )
        } catch {
            throw PolicyError(root.file, error.field, found: error.value, expected: error.expected)
        }
    }

    private static func noiseSchedule(
        _ root: JSONReader,
        numTrainTimesteps: Int
    ) throws(PolicyError) -> NoiseSchedule {
        func beta(_ key: String, default value: Double) throws(PolicyError) -> Double {
            try root.optional(key)?.number(expected: "a number between 0 and 1, both excluded") {
                $0 > 0 && $0 < 1
            }
                ?? value
        }
        let betaSchedule = try root.optional("beta_schedule")?.choice(BetaSchedule.self) ?? .squaredcosCapV2
        let betaStart = try beta("beta_start", default: 0.0001)
        let betaEnd = try beta("beta_end", default: 0.02)
        do throws(SamplerError) {
            return try NoiseSchedule(
                numTrainTimesteps: numTrainTimesteps,
                betaSchedule: betaSchedule,
                betaStart: betaStart,
                betaEnd: betaEnd
            )
        } catch {
            throw PolicyError(
                root.file,
                "beta_schedule",
                found: "\(betaSchedule.rawValue), for which \(error.description)",
                expected: "a schedule on which every denoising step is defined"
            )
        }
    }
}

extension JSONReader {
    /// An object from feature types to normalisation modes.
    func normalizationMapping() throws(PolicyError) -> [FeatureType: NormalizationMode] {
        var mapping: [FeatureType: NormalizationMode] = [:]
        for (key, mode) in try members() {
            guard let type = FeatureType(rawValue: key) else {
                throw PolicyError(
                    file,
                    mode.path,
                    found: "an unknown feature type",
                    expected: "one of " + FeatureType.allCases.map(\.rawValue).joined(separator: ", ")
                )
            }
            mapping[type] = try mode.choice(NormalizationMode.self)
        }
        return mapping
    }
}

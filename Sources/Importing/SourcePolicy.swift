import Policy

/// What the configuration of a Diffusion Policy checkpoint says of its policy, checked: everything in it that changes what the
/// policy computes.
///
/// Keys that are absent have the defaults of the code base's classes (real-stanford/diffusion_policy).
struct SourcePolicy {
    /// One entry of an observation.
    struct Observation {
        enum Kind {
            case numbers(count: Int)
            case camera(height: Int, width: Int)
        }

        /// The code base's name, such as `agentview_image`.
        let key: String
        let kind: Kind
    }

    /// What a frame of a camera goes through.
    struct Vision {
        /// What is cut out of the middle: height and width; nil: nothing is.
        let crop: [Int]?
        /// Whether its norms are group norms; else batch norms.
        let hasGroupNorms: Bool
    }

    /// What the scheduler of diffusers is made with.
    struct Scheduler {
        /// `DDPM` or `DDIM`.
        let type: String
        let numTrainTimesteps: Int
        let betaStart: Double
        let betaEnd: Double
        let betaSchedule: String
        let clipsSample: Bool
        let clipSampleRange: Double
        let predictionType: String
    }

    /// The class's name without its module.
    let className: String
    /// What is observed, in the order in which the condition has it.
    let observations: [Observation]
    let actionDim: Int
    let horizon: Int
    let nObsSteps: Int
    let nActionSteps: Int
    /// Nil: as many as `scheduler.numTrainTimesteps`.
    let numInferenceSteps: Int?
    let downDims: [Int]
    let kernelSize: Int
    let nGroups: Int
    let diffusionStepEmbedDim: Int
    let predictsScale: Bool
    /// Nil: there are no cameras.
    let vision: Vision?
    let scheduler: Scheduler

    private static let package = "diffusion_policy.policy."
    private static let lowdim = "diffusion_unet_lowdim_policy.DiffusionUnetLowdimPolicy"
    private static let hybrid = "diffusion_unet_hybrid_image_policy.DiffusionUnetHybridImagePolicy"
    private static let sizes = 1...1_000_000

    /// - Parameter policy: `cfg.policy`.
    /// - Throws: `ImportError` for a policy that a LeRobot folder cannot say.
    init(_ policy: ConfigurationKey) throws(ImportError) {
        let target = try policy.required("_target_", expected: "the policy's class")
        switch try target.text() {
        case Self.package + Self.lowdim: try self.init(lowdim: policy)
        case Self.package + Self.hybrid: try self.init(hybrid: policy)
        default: throw target.error(expected: Self.reason(againstClass: try target.text()))
        }
    }

    /// What is expected in the place of another class.
    private static func reason(againstClass name: String) -> String {
        let supported = "DiffusionUnetLowdimPolicy or DiffusionUnetHybridImagePolicy of diffusion_policy"
        if name.contains("Transformer") { return "\(supported): transformers are not run here" }
        if name.hasSuffix("DiffusionUnetImagePolicy") {
            return "\(supported): this one's encoder averages maps, and LeRobot's finds keypoints in them"
        }
        return supported
    }

    // MARK: DiffusionUnetLowdimPolicy

    private static let commonKeys: Set<String> = [
        "_target_", "_recursive_", "_convert_", "noise_scheduler", "horizon", "n_action_steps", "n_obs_steps",
        "num_inference_steps", "obs_as_global_cond", "eta", "predict_epsilon",
    ]

    private init(lowdim policy: ConfigurationKey) throws(ImportError) {
        try policy.checkKeys(
            Self.commonKeys.union([
                "model", "obs_dim", "action_dim", "obs_as_local_cond", "pred_action_steps_only",
                "oa_step_convention",
            ])
        )
        try Self.require(
            policy,
            "obs_as_local_cond",
            false,
            default: false,
            "local conditioning has no form in LeRobot"
        )
        try Self.require(
            policy,
            "obs_as_global_cond",
            true,
            default: false,
            "the condition by inpainting has no form in LeRobot"
        )
        try Self.require(
            policy,
            "pred_action_steps_only",
            false,
            default: false,
            "LeRobot's predictions begin at the oldest observation"
        )
        try Self.require(
            policy,
            "oa_step_convention",
            true,
            default: false,
            "LeRobot's first action is for the newest observation, not for the step after it"
        )
        className = "DiffusionUnetLowdimPolicy"
        let count = try policy.required("obs_dim", expected: "the numbers of an observation")
        observations = [Observation(key: "obs", kind: .numbers(count: try count.integer(in: Self.sizes)))]
        actionDim = try policy.required("action_dim", expected: "the numbers of an action")
            .integer(in: Self.sizes)
        vision = nil
        let model = try policy.required("model", expected: "a ConditionalUnet1D")
        // What the shapes of the weights say as well is not read: the dimensions of input and condition.
        try model.checkKeys([
            "_target_", "input_dim", "local_cond_dim", "global_cond_dim", "diffusion_step_embed_dim",
            "down_dims", "kernel_size", "n_groups", "cond_predict_scale",
        ])
        let target = try model.required("_target_", expected: "ConditionalUnet1D")
        guard
            try target.text() == "diffusion_policy.model.diffusion.conditional_unet1d.ConditionalUnet1D"
        else { throw target.error(expected: "ConditionalUnet1D of diffusion_policy") }
        let network = try Network(model, kernelSize: 3, predictsScale: false)
        (downDims, kernelSize, nGroups) = (network.downDims, network.kernelSize, network.nGroups)
        (diffusionStepEmbedDim, predictsScale) = (network.diffusionStepEmbedDim, network.predictsScale)
        let time = try Time(policy)
        (horizon, nObsSteps, nActionSteps) = (time.horizon, time.nObsSteps, time.nActionSteps)
        (numInferenceSteps, scheduler) = (time.numInferenceSteps, time.scheduler)
    }

    // MARK: DiffusionUnetHybridImagePolicy

    private init(hybrid policy: ConfigurationKey) throws(ImportError) {
        try policy.checkKeys(
            Self.commonKeys.union([
                "shape_meta", "crop_shape", "diffusion_step_embed_dim", "down_dims", "kernel_size",
                "n_groups",
                "cond_predict_scale", "obs_encoder_group_norm", "eval_fixed_crop",
            ])
        )
        try Self.require(
            policy,
            "obs_as_global_cond",
            true,
            default: true,
            "the condition by inpainting has no form in LeRobot"
        )
        className = "DiffusionUnetHybridImagePolicy"
        let meta = try policy.required("shape_meta", expected: "the shapes of observations and actions")
        observations = try Self.observations(meta)
        let action = try meta.required("action", expected: "the action's shape")
        actionDim = try Self.length(of: action)
        vision =
            observations.contains { if case .camera = $0.kind { true } else { false } }
            ? try Self.vision(policy) : nil
        let network = try Network(policy, kernelSize: 5, predictsScale: true)
        (downDims, kernelSize, nGroups) = (network.downDims, network.kernelSize, network.nGroups)
        (diffusionStepEmbedDim, predictsScale) = (network.diffusionStepEmbedDim, network.predictsScale)
        let time = try Time(policy)
        (horizon, nObsSteps, nActionSteps) = (time.horizon, time.nObsSteps, time.nActionSteps)
        (numInferenceSteps, scheduler) = (time.numInferenceSteps, time.scheduler)
    }

    /// The entries of an observation in the order in which the encoder of robomimic concatenates them: the configuration's.
    private static func observations(_ meta: ConfigurationKey) throws(ImportError) -> [Observation] {
        var observations: [Observation] = []
        for (key, entry) in try meta.required("obs", expected: "what is observed").members() {
            try entry.checkKeys(["shape", "type"])
            let type = try entry.optional("type")
            switch try type?.text() ?? "low_dim" {
            case "low_dim":
                observations.append(Observation(key: key, kind: .numbers(count: try length(of: entry))))
            case "rgb":
                let expected = "[3, height, width]"
                let reader = try entry.required("shape", expected: expected)
                let shape = try reader.integers(in: sizes, expected: expected)
                guard shape.count == 3, shape[0] == 3 else { throw reader.error(expected: expected) }
                observations.append(Observation(key: key, kind: .camera(height: shape[1], width: shape[2])))
            default: throw type?.error(expected: "low_dim or rgb") ?? entry.error(expected: "low_dim or rgb")
            }
        }
        return observations
    }

    /// The only dimension of a shape.
    private static func length(of entry: ConfigurationKey) throws(ImportError) -> Int {
        let reader = try entry.required("shape", expected: "a list of one whole number")
        let shape = try reader.integers(in: sizes, expected: "a list of one whole number")
        guard shape.count == 1 else { throw reader.error(expected: "a list of one whole number") }
        return shape[0]
    }

    private static func vision(_ policy: ConfigurationKey) throws(ImportError) -> Vision {
        var crop: [Int]? = [76, 76]
        if let reader = try policy.optional("crop_shape") {
            let expected = "null, or height and width"
            crop = try reader.isNull ? nil : try reader.integers(in: sizes, expected: expected)
            guard crop?.count ?? 2 == 2 else { throw reader.error(expected: expected) }
        }
        if crop != nil {
            try require(
                policy,
                "eval_fixed_crop",
                true,
                default: false,
                "without it frames are cropped at random also when the policy runs"
            )
        }
        return Vision(
            crop: crop,
            hasGroupNorms: try policy.optional("obs_encoder_group_norm")?.bool() ?? false
        )
    }

    // MARK: Both

    /// Throws an error unless a switch has the only value that a LeRobot folder can say.
    private static func require(
        _ policy: ConfigurationKey,
        _ key: String,
        _ wanted: Bool,
        default value: Bool,
        _ reason: String
    ) throws(ImportError) {
        let reader = try policy.optional(key)
        guard try reader?.bool() ?? value != wanted else { return }
        throw ImportError(
            policy.file,
            "\(policy.path).\(key)",
            found: reader == nil ? "missing, which means \(value)" : "\(!wanted)",
            expected: "\(wanted): \(reason)"
        )
    }

    private struct Network {
        let downDims: [Int]
        let kernelSize: Int
        let nGroups: Int
        let diffusionStepEmbedDim: Int
        let predictsScale: Bool

        /// - Parameters:
        ///   - kernelSize, predictsScale: the class's defaults.
        init(_ key: ConfigurationKey, kernelSize: Int, predictsScale: Bool) throws(ImportError) {
            downDims =
                try key.optional("down_dims")?.integers(in: sizes, expected: "a list of channel counts")
                ?? [256, 512, 1024]
            self.kernelSize = try key.optional("kernel_size")?.integer(in: sizes) ?? kernelSize
            nGroups = try key.optional("n_groups")?.integer(in: sizes) ?? 8
            diffusionStepEmbedDim = try key.optional("diffusion_step_embed_dim")?.integer(in: sizes) ?? 256
            self.predictsScale = try key.optional("cond_predict_scale")?.bool() ?? predictsScale
        }
    }

    private struct Time {
        let horizon: Int
        let nObsSteps: Int
        let nActionSteps: Int
        let numInferenceSteps: Int?
        let scheduler: Scheduler

        init(_ policy: ConfigurationKey) throws(ImportError) {
            horizon = try policy.required("horizon", expected: "the actions of a prediction").integer(
                in: sizes
            )
            nObsSteps = try policy.required("n_obs_steps", expected: "the observations of a history")
                .integer(in: sizes)
            nActionSteps = try policy.required("n_action_steps", expected: "the actions to execute")
                .integer(in: sizes)
            scheduler = try Scheduler(
                try policy.required("noise_scheduler", expected: "a scheduler of diffusers")
            )
            if let reader = try policy.optional("num_inference_steps"), try !reader.isNull {
                numInferenceSteps = try reader.integer(in: 1...scheduler.numTrainTimesteps)
            } else {
                numInferenceSteps = nil
            }
            // Arguments of every step of the scheduler.
            if let reader = try policy.optional("eta"), try reader.number() != 0 {
                throw reader.error(expected: "0: LeRobot's DDIM adds no noise")
            }
            if let reader = try policy.optional("predict_epsilon"), try !reader.bool() {
                throw reader.error(expected: "true; prediction_type says what is predicted")
            }
        }
    }
}

extension SourcePolicy.Scheduler {
    /// - Parameter key: `cfg.policy.noise_scheduler`.
    /// - Throws: `ImportError` for a scheduler, or a setting of one, that LeRobot's policy does not have.
    init(_ key: ConfigurationKey) throws(ImportError) {
        try key.checkKeys([
            "_target_", "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "clip_sample",
            "clip_sample_range", "prediction_type", "variance_type", "set_alpha_to_one", "steps_offset",
            "trained_betas", "thresholding", "dynamic_thresholding_ratio", "sample_max_value",
            "timestep_spacing", "rescale_betas_zero_snr",
        ])
        let target = try key.required("_target_", expected: "a scheduler of diffusers")
        let name = try target.text()
        switch (name.hasPrefix("diffusers."), name.split(separator: ".").last) {
        case (true, "DDPMScheduler"): type = "DDPM"
        case (true, "DDIMScheduler"): type = "DDIM"
        default: throw target.error(expected: "DDPMScheduler or DDIMScheduler of diffusers")
        }
        for (setting, wanted) in ["variance_type": "fixed_small", "timestep_spacing": "leading"] {
            guard let reader = try key.optional(setting), try reader.text() != wanted else { continue }
            throw reader.error(expected: "\(wanted.debugDescription): LeRobot's policy has no other")
        }
        for (setting, wanted) in [
            "thresholding": false, "rescale_betas_zero_snr": false, "set_alpha_to_one": true,
        ] {
            guard let reader = try key.optional(setting), try reader.bool() != wanted else { continue }
            throw reader.error(expected: "\(wanted): LeRobot's policy has no other")
        }
        if let reader = try key.optional("steps_offset"), try reader.number() != 0 {
            throw reader.error(expected: "0: LeRobot's policy has no other")
        }
        if let reader = try key.optional("trained_betas"), try !reader.isNull {
            throw reader.error(expected: "null: LeRobot's policy has no other")
        }
        numTrainTimesteps = try key.optional("num_train_timesteps")?.integer(in: 1...10_000) ?? 1000
        betaStart = try key.optional("beta_start")?.number() ?? 0.0001
        betaEnd = try key.optional("beta_end")?.number() ?? 0.02
        betaSchedule = try key.optional("beta_schedule")?.text() ?? "linear"
        clipsSample = try key.optional("clip_sample")?.bool() ?? true
        clipSampleRange = try key.optional("clip_sample_range")?.number() ?? 1
        predictionType = try key.optional("prediction_type")?.text() ?? "epsilon"
    }
}

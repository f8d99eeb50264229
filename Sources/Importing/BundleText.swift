import Policy

/// JSON text laid out as LeRobot writes it, with the members of objects in the order in which they are given.
indirect enum JSONText {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([JSONText])
    case object([(String, JSONText)])

    static func integers(_ values: [Int]) -> JSONText { .list(values.map(JSONText.integer)) }

    /// The text, indented by four spaces a level, with a line end behind it.
    var bytes: [UInt8] { Array((text(indent: "") + "\n").utf8) }

    private func text(indent: String) -> String {
        switch self {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .text(let text): Self.quote(text)
        case .list(let elements):
            Self.enclose("[", elements.map { $0.text(indent: indent + "    ") }, "]", indent: indent)
        case .object(let members):
            Self.enclose(
                "{",
                members.map { "\(Self.quote($0.0)): \($0.1.text(indent: indent + "    "))" },
                "}",
                indent: indent
            )
        }
    }

    private static func enclose(_ start: String, _ lines: [String], _ end: String, indent: String) -> String {
        guard !lines.isEmpty else { return start + end }
        let inside = lines.map { "\n\(indent)    \($0)" }.joined(separator: ",")
        return "\(start)\(inside)\n\(indent)\(end)"
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The files of a policy folder that are JSON.
struct BundleText {
    let policy: SourcePolicy
    let layout: FeatureLayout
    /// Keypoints of each camera's maps; not read without cameras.
    let keypoints: Int

    /// `config.json`.
    var configuration: JSONText {
        let scheduler = policy.scheduler
        var members: [(String, JSONText)] = [
            ("type", .text("diffusion")),
            ("n_obs_steps", .integer(policy.nObsSteps)),
            ("input_features", .object(inputs)),
            ("output_features", .object([action])),
            ("horizon", .integer(policy.horizon)),
            ("n_action_steps", .integer(policy.nActionSteps)),
            ("normalization_mapping", Self.mapping),
        ]
        if let vision = policy.vision {
            members += [
                ("vision_backbone", .text("resnet18")),
                ("resize_shape", .null),
                ("crop_ratio", .number(1)),
                ("crop_shape", vision.crop.map(JSONText.integers) ?? .null),
                ("crop_is_random", .bool(vision.crop != nil)),
                ("pretrained_backbone_weights", .null),
                ("use_group_norm", .bool(vision.hasGroupNorms)),
                ("spatial_softmax_num_keypoints", .integer(keypoints)),
                ("use_separate_rgb_encoder_per_camera", .bool(layout.cameras.count > 1)),
            ]
        }
        members += [
            ("down_dims", .integers(policy.downDims)),
            ("kernel_size", .integer(policy.kernelSize)),
            ("n_groups", .integer(policy.nGroups)),
            ("diffusion_step_embed_dim", .integer(policy.diffusionStepEmbedDim)),
            ("use_film_scale_modulation", .bool(policy.predictsScale)),
            ("noise_scheduler_type", .text(scheduler.type)),
            ("num_train_timesteps", .integer(scheduler.numTrainTimesteps)),
            ("beta_schedule", .text(scheduler.betaSchedule)),
            ("beta_start", .number(scheduler.betaStart)),
            ("beta_end", .number(scheduler.betaEnd)),
            ("prediction_type", .text(scheduler.predictionType)),
            ("clip_sample", .bool(scheduler.clipsSample)),
            ("clip_sample_range", .number(scheduler.clipSampleRange)),
            ("num_inference_steps", policy.numInferenceSteps.map(JSONText.integer) ?? .null),
        ]
        return .object(members)
    }

    /// `policy_preprocessor.json`.
    var preprocessor: JSONText {
        Self.pipeline(
            "policy_preprocessor",
            [
                Self.step("rename_observations_processor", [("rename_map", .object([]))]),
                Self.step("to_batch_processor", []),
                Self.step("device_processor", [("device", .text("cpu")), ("float_dtype", .null)]),
                Self.step(
                    "normalizer_processor",
                    Self.normalization(inputs + [action]),
                    file: Self.preprocessorStatistics
                ),
            ]
        )
    }

    /// `policy_postprocessor.json`.
    var postprocessor: JSONText {
        Self.pipeline(
            "policy_postprocessor",
            [
                Self.step(
                    "unnormalizer_processor",
                    Self.normalization([action]),
                    file: Self.postprocessorStatistics
                ),
                Self.step("device_processor", [("device", .text("cpu")), ("float_dtype", .null)]),
            ]
        )
    }

    static let preprocessorStatistics = "policy_preprocessor_step_3_normalizer_processor.safetensors"
    static let postprocessorStatistics = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"

    private var inputs: [(String, JSONText)] {
        var inputs = [Self.feature("observation.state", .state, [layout.state.count])]
        inputs += layout.cameras.map { Self.feature($0.feature, .visual, [3, $0.height, $0.width]) }
        if !layout.environment.isEmpty {
            inputs.append(
                Self.feature("observation.environment_state", .environment, [layout.environment.count])
            )
        }
        return inputs
    }

    private var action: (String, JSONText) { Self.feature("action", .action, [policy.actionDim]) }

    private static func feature(_ name: String, _ type: FeatureType, _ shape: [Int]) -> (String, JSONText) {
        (name, .object([("type", .text(type.rawValue)), ("shape", .integers(shape))]))
    }

    /// Every type by its range: also cameras, whose normaliser takes 0...1 to [-1, 1].
    private static let mapping = JSONText.object(
        [FeatureType.visual, .state, .environment, .action].map {
            ($0.rawValue, .text(NormalizationMode.minMax.rawValue))
        }
    )

    private static func normalization(_ features: [(String, JSONText)]) -> [(String, JSONText)] {
        [("eps", .number(1e-8)), ("features", .object(features)), ("norm_map", mapping)]
    }

    private static func step(
        _ name: String,
        _ configuration: [(String, JSONText)],
        file: String? = nil
    ) -> JSONText {
        var members: [(String, JSONText)] = [
            ("registry_name", .text(name)), ("config", .object(configuration)),
        ]
        if let file { members.append(("state_file", .text(file))) }
        return .object(members)
    }

    private static func pipeline(_ name: String, _ steps: [JSONText]) -> JSONText {
        .object([("name", .text(name)), ("steps", .list(steps))])
    }
}

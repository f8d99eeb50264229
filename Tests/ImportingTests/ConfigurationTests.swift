import Testing

@testable import Importing

/// What a configuration may say, and what it may not.
@Suite struct ConfigurationTests {
    private static let scheduler = ConfigurationValue.dictionary([
        ("_target_", .text("diffusers.schedulers.scheduling_ddpm.DDPMScheduler")),
        ("num_train_timesteps", .integer(100)), ("beta_schedule", .text("squaredcos_cap_v2")),
        ("variance_type", .text("fixed_small")), ("clip_sample", .bool(true)),
    ])
    private static let lowdim: [(key: String, value: ConfigurationValue)] = [
        ("_target_", .text("diffusion_policy.policy.diffusion_unet_lowdim_policy.DiffusionUnetLowdimPolicy")),
        (
            "model",
            .dictionary([
                (
                    "_target_", .text("diffusion_policy.model.diffusion.conditional_unet1d.ConditionalUnet1D")
                ),
                ("input_dim", .text("${eval: 1 if ${a} else 2}")),
            ])
        ),
        ("noise_scheduler", scheduler), ("horizon", .text("${horizon}")),
        ("obs_dim", .text("${task.obs_dim}")),
        ("action_dim", .integer(2)),
        ("n_action_steps", .text("${eval:'${n_action_steps}+${n_latency_steps}'}")),
        ("n_obs_steps", .integer(2)), ("obs_as_global_cond", .bool(true)),
        ("oa_step_convention", .bool(true)),
    ]
    private static let hybrid: [(key: String, value: ConfigurationValue)] = [
        (
            "_target_",
            .text("diffusion_policy.policy.diffusion_unet_hybrid_image_policy.DiffusionUnetHybridImagePolicy")
        ),
        (
            "shape_meta",
            .dictionary([
                (
                    "obs",
                    .dictionary([
                        (
                            "image",
                            .dictionary([
                                ("shape", .list([.integer(3), .integer(96), .integer(96)])),
                                ("type", .text("rgb")),
                            ])
                        ), ("agent_pos", .dictionary([("shape", .list([.integer(2)]))])),
                    ])
                ), ("action", .dictionary([("shape", .list([.integer(2)]))])),
            ])
        ),
        ("noise_scheduler", scheduler), ("horizon", .integer(16)), ("n_action_steps", .integer(8)),
        ("n_obs_steps", .integer(2)), ("eval_fixed_crop", .bool(true)),
    ]

    private func policy(
        _ members: [(key: String, value: ConfigurationValue)],
        _ changes: [(key: String, value: ConfigurationValue)] = []
    ) throws(ImportError) -> SourcePolicy {
        var members = members
        for change in changes {
            members.removeAll { $0.key == change.key }
            if case .other = change.value { continue }
            members.append(change)
        }
        let root = ConfigurationValue.dictionary([
            ("horizon", .integer(16)), ("n_action_steps", .integer(8)), ("n_latency_steps", .integer(0)),
            ("task", .dictionary([("obs_dim", .integer(20))])), ("loop", .text("${loop}")),
            ("policy", .dictionary(members)),
        ])
        return try SourcePolicy(
            ConfigurationKey(root: root, file: "x.ckpt").required("policy", expected: "a policy")
        )
    }

    private func message(
        _ members: [(key: String, value: ConfigurationValue)],
        _ changes: (key: String, value: ConfigurationValue)...
    ) -> String {
        let error = #expect(throws: ImportError.self) { try policy(members, changes) }
        return error?.description ?? ""
    }

    @Test func `interpolations are followed`() throws {
        let policy = try policy(Self.lowdim)
        #expect(policy.horizon == 16)
        #expect(policy.nActionSteps == 8)
        guard case .numbers(let count) = policy.observations[0].kind else { return #expect(Bool(false)) }
        #expect(count == 20)
    }

    @Test(arguments: [
        ("${eval:'2*(3+${horizon})-1'}", 37), ("${eval: '-${horizon} + 20'}", 4), ("${eval:${horizon}}", 16),
    ])
    func `whole numbers are computed`(text: String, result: Int) throws {
        #expect(try policy(Self.lowdim, [("n_action_steps", .text(text))]).nActionSteps == result)
    }

    @Test(arguments: [
        "${eval:'__import__(\"os\")'}", "${eval:'8 if 1 else 2'}", "${eval:'1/2'}", "${missing}",
        "${.horizon}", "${loop}",
        "x${horizon}", "${eval:'${task}'}", "${oc.env:HOME}", "${eval:'99999999999*9999999999'}",
        "${eval:''}",
        "${eval:'\(String(repeating: "(", count: 500))'}",
    ])
    func `other interpolations are named`(text: String) {
        let message = message(Self.lowdim, ("n_action_steps", .text(text)))
        #expect(message.hasPrefix("x.ckpt: cfg.policy.n_action_steps: the interpolation "))
    }

    @Test func `defaults are those of the classes`() throws {
        let lowdim = try policy(Self.lowdim)
        #expect(lowdim.kernelSize == 3 && !lowdim.predictsScale && lowdim.diffusionStepEmbedDim == 256)
        let hybrid = try policy(Self.hybrid)
        #expect(hybrid.kernelSize == 5 && hybrid.predictsScale && hybrid.downDims == [256, 512, 1024])
        #expect(hybrid.vision?.crop == [76, 76] && hybrid.vision?.hasGroupNorms == false)
        #expect(hybrid.scheduler.betaEnd == 0.02 && hybrid.numInferenceSteps == nil)
        #expect(try policy(Self.hybrid, [("crop_shape", .null)]).vision?.crop == nil)
    }

    @Test func `what a folder cannot say is refused with its reason`() {
        #expect(message(Self.lowdim, ("obs_as_local_cond", .bool(true))).contains("local conditioning"))
        #expect(message(Self.lowdim, ("obs_as_global_cond", .bool(false))).contains("inpainting"))
        #expect(
            message(Self.lowdim, ("obs_as_global_cond", .other(""))).contains("missing, which means false")
        )
        #expect(message(Self.lowdim, ("oa_step_convention", .bool(false))).contains("the newest observation"))
        #expect(
            message(Self.lowdim, ("pred_action_steps_only", .bool(true))).contains("pred_action_steps_only")
        )
        #expect(message(Self.hybrid, ("obs_as_global_cond", .bool(false))).contains("inpainting"))
        #expect(message(Self.hybrid, ("eval_fixed_crop", .bool(false))).contains("at random"))
        #expect(
            message(Self.hybrid, ("rotation", .integer(1))).contains("cfg.policy.rotation: an unknown key, 1")
        )
        #expect(message(Self.lowdim, ("eta", .number(0.5))).contains("cfg.policy.eta: 0.5"))
    }

    @Test(arguments: [
        (
            "diffusion_transformer_lowdim_policy.DiffusionTransformerLowdimPolicy",
            "transformers are not run here"
        ),
        ("diffusion_unet_image_policy.DiffusionUnetImagePolicy", "averages maps"),
        ("bet_lowdim_policy.BETLowdimPolicy", "expected DiffusionUnetLowdimPolicy or"),
    ])
    func `other classes are refused`(name: String, reason: String) {
        let message = message(Self.lowdim, ("_target_", .text("diffusion_policy.policy.\(name)")))
        #expect(message.contains("cfg.policy._target_") && message.contains(reason))
    }

    @Test(arguments: [
        (
            "_target_", ConfigurationValue.text("diffusers.schedulers.DPMSolverMultistepScheduler"),
            "DDPMScheduler or"
        ),
        ("variance_type", .text("learned"), "\"fixed_small\""), ("thresholding", .bool(true), "false"),
        ("timestep_spacing", .text("trailing"), "\"leading\""), ("steps_offset", .integer(1), "expected 0"),
        ("set_alpha_to_one", .bool(false), "true"), ("trained_betas", .list([]), "null"),
        ("rescale_betas_zero_snr", .bool(true), "false"), ("solver_order", .integer(2), "an unknown key"),
    ])
    func `other schedulers are refused`(key: String, value: ConfigurationValue, reason: String) throws {
        guard case .dictionary(var members) = Self.scheduler else { return }
        members.removeAll { $0.key == key }
        members.append((key, value))
        let message = message(Self.lowdim, ("noise_scheduler", .dictionary(members)))
        #expect(
            message.contains("cfg.policy.noise_scheduler.\(key)") && message.contains(reason),
            "\(message)"
        )
    }

    // MARK: Features

    private static let entries = [
        SourcePolicy.Observation(key: "pos", kind: .numbers(count: 2)),
        SourcePolicy.Observation(key: "top", kind: .camera(height: 8, width: 8)),
        SourcePolicy.Observation(key: "grip", kind: .numbers(count: 1)),
    ]

    @Test func `columns are those of LeRobot's order`() throws {
        func layout(_ state: [Int]?) throws(ImportError) -> FeatureLayout {
            try FeatureLayout(Self.entries, state: state, featuresOfFrame: 4, file: "x")
        }
        #expect(try layout(nil).columns(of: Self.entries) == [0, 1, 6, 2, 3, 4, 5])
        #expect(try layout([2, 0]).columns(of: Self.entries) == [6, 0, 2, 3, 4, 5, 1])
        #expect(try layout(nil).cameras.map(\.feature) == ["observation.images.top"])
        #expect(try FeatureLayout.text(of: layout(nil).state) == "pos[0...1], grip[0]")
        for wrong in [[], [3], [0, 0], [-1]] {
            #expect(throws: ImportError.self) { try layout(wrong) }
        }
    }

    @Test func `cameras that LeRobot cannot have are refused`() {
        func layout(_ observations: SourcePolicy.Observation...) throws(ImportError) -> FeatureLayout {
            try FeatureLayout(observations, state: nil, featuresOfFrame: 4, file: "x")
        }
        #expect(throws: ImportError.self) { try layout(Self.entries[1]) }
        let larger = SourcePolicy.Observation(key: "wrist", kind: .camera(height: 8, width: 9))
        #expect(
            #expect(throws: ImportError.self) { try layout(Self.entries[0], Self.entries[1], larger) }?
                .found == "[3, 8, 9]"
        )
    }

    // MARK: Actions

    private func notes(
        _ dataset: [(key: String, value: ConfigurationValue)],
        keepsRotations: Bool = false
    ) throws(ImportError) -> [String] {
        let root = ConfigurationValue.dictionary([("task", .dictionary([("dataset", .dictionary(dataset))]))])
        return try MeaningOfActions(ConfigurationKey(root: root, file: "x")).notes(
            keepsRotations: keepsRotations
        )
    }

    @Test func `rotations need a word of the user`() throws {
        let dataset: [(key: String, value: ConfigurationValue)] = [
            ("abs_action", .bool(true)), ("rotation_rep", .text("rotation_6d")),
        ]
        let error = #expect(throws: ImportError.self) { try notes(dataset) }
        #expect(error?.description.contains("--raw-rotations") == true)
        #expect(try notes(dataset, keepsRotations: true).first?.contains("rotation_6d") == true)
        #expect(try notes([("abs_action", .bool(false)), ("rotation_rep", .text("rotation_6d"))]).isEmpty)
        let robomimic = ConfigurationValue.text("diffusion_policy.dataset.robomimic_replay_image_dataset.X")
        #expect(throws: ImportError.self) {
            try notes([("_target_", robomimic), ("abs_action", .bool(true))])
        }
        // Kitchen's absolute actions are joint positions.
        #expect(
            try notes([("abs_action", .bool(true))]) == [
                "Actions are absolute targets (abs_action), not differences."
            ]
        )
    }
}

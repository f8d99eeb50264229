import Foundation
import PolicyFixtures
import Testing

@testable import Policy

/// Checkpoints as LeRobot's releases write them, from before 2025 to the newest.
@Suite("LeRobot's releases")
struct LeRobotReleaseTests {
    /// The keys of each release's config.json, as Tests/Oracles/lerobot_keys.py reads them from its sources.
    static let releases: [String: [String]] = {
        guard let data = try? Data(contentsOf: fixture("lerobot_keys.json")) else { return [:] }
        return (try? JSONDecoder().decode([String: [String]].self, from: data)) ?? [:]
    }()

    static let names = [
        "0.3.3", "0.4.0", "0.4.1", "0.4.2", "0.4.3", "0.4.4", "0.5.0", "0.5.1", "0.6.0", "0.6.1",
    ]

    @Test(arguments: names)
    func `Every key of a release is known`(release: String) throws {
        let keys = try #require(Self.releases[release])
        #expect(keys.count >= 43)
        let copy = try BundleCopy(of: "processors")
        let before = try PolicyConfiguration(contentsOf: copy.url("config.json"))
        for key in keys where !PolicyConfiguration.keysOfInference.contains(key) {
            try copy.set(key, to: "\"a value\"")
        }
        let after = try PolicyConfiguration(contentsOf: copy.url("config.json"))
        #expect(after == before && after.notes.isEmpty)
        #expect(PolicyConfiguration.keysOfInference.isDisjoint(with: PolicyConfiguration.keysWithoutEffect))
    }

    @Test(arguments: ["null", "false", "\"\"", "[]", "{}"])
    func `A key of a later release that says nothing is noted`(json: String) throws {
        let copy = try BundleCopy(of: "processors")
        try copy.set("use_telepathy", to: json)
        let configuration = try PolicyConfiguration(contentsOf: copy.url("config.json"))
        #expect(
            configuration.notes == ["\"use_telepathy\" is an unknown key; its value is null, false or empty"]
        )
    }

    /// The model slices horizon actions from n_obs_steps - 1 on, so that it gives fewer than it is asked for.
    @Test func `More actions than a prediction has are fewer`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.set("n_action_steps", to: "32")
        let configuration = try PolicyBundle(directory: copy.directory).configuration
        #expect((configuration.horizon, configuration.nObsSteps, configuration.nActionSteps) == (8, 2, 7))
        #expect(configuration.notes.count == 1 && configuration.notes[0].contains("32"))
        #expect(configuration.notes[0].contains("only 7 actions"))
    }

    @Test func `Inputs and outputs that the model does not use are ignored and named`() throws {
        let copy = try BundleCopy(of: "processors")
        let golden = try PolicyBundle(directory: copy.directory)
        try copy.set(
            "input_features",
            to: """
                {"observation.velocity": {"type": "STATE", "shape": [7, 1]}, "task": {"type": "LANGUAGE", "shape": []},
                 "observation.environment_state": {"type": "ENV", "shape": [3]},
                 "observation.state": {"type": "STATE", "shape": [2]}}
                """
        )
        try copy.set(
            "output_features",
            to:
                #"{"action": {"type": "ACTION", "shape": [2]}, "next.reward": {"type": "REWARD", "shape": [1]}}"#
        )
        let bundle = try PolicyBundle(directory: copy.directory)
        #expect(bundle.observationFeatures == golden.observationFeatures)
        #expect(bundle.ignoredFeatures == ["observation.velocity", "task"])
        #expect(bundle.configuration.notes.count == 3)
        for name in ["observation.velocity", "task", "next.reward"] {
            #expect(bundle.configuration.notes.contains { $0.contains("\"\(name)\"") })
        }
    }

    /// LeRobot looks for a feature of type ENV of any name, and then for its numbers under the one name.
    @Test func `Surroundings of another name cannot be what the model reads`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.set(
            "input_features",
            to: """
                {"observation.state": {"type": "STATE", "shape": [2]}, "observation.goal": {"type": "ENV", "shape": [3]}}
                """
        )
        #expect(try copy.error().field == "input_features.observation.goal")
    }

    @Test func `What torch.compile puts into names is taken out`() throws {
        for inserted in [
            "diffusion.unet._orig_mod.", "diffusion._orig_mod.unet.", "_orig_mod.diffusion.unet.",
        ] {
            let copy = try BundleCopy(of: "processors")
            let golden = try PolicyBundle(directory: copy.directory)
            try copy.editTensors { tensors in
                for name in tensors.keys {
                    tensors[name.replacing("diffusion.unet.", with: inserted)] = tensors.removeValue(
                        forKey: name
                    )
                }
            }
            let bundle = try PolicyBundle(directory: copy.directory)
            #expect(bundle.fingerprint == golden.fingerprint && bundle.fingerprint != 0)
        }
    }

    @Test func `A tensor under both names is refused`() throws {
        let copy = try BundleCopy(of: "processors")
        let name = "diffusion.unet.final_conv.1.bias"
        let other = "diffusion.unet._orig_mod.final_conv.1.bias"
        try copy.editTensors { $0[other] = $0[name] }
        let error = try copy.error()
        #expect(error.description.contains("without _orig_mod"), "\(error)")
    }

    /// The layout of before 2025: shapes and modes by feature, types by name.
    private func rewriteAsBefore2025(
        _ copy: BundleCopy,
        modes: (state: String, environment: String, action: String) = ("min_max", "min_max", "min_max"),
        extra: String = ""
    ) throws {
        for key in ["type", "input_features", "output_features", "normalization_mapping"] {
            try copy.set(key, to: nil)
        }
        try copy.set(
            "input_shapes",
            to: #"{"observation.state": [2], "observation.environment_state": [3]\#(extra)}"#
        )
        try copy.set("output_shapes", to: #"{"action": [2]}"#)
        try copy.set(
            "input_normalization_modes",
            to: """
                {"observation.state": "\(modes.state)", "observation.environment_state": "\(modes.environment)"}
                """
        )
        try copy.set("output_normalization_modes", to: #"{"action": "\#(modes.action)"}"#)
    }

    @Test func `The layout of before 2025 is that policy`() throws {
        let golden = try PolicyBundle(directory: fixture("buffers"))
        func mode(_ feature: String) throws -> String {
            try #require(golden.normalizationModes[feature]).rawValue.lowercased()
        }
        let copy = try BundleCopy(of: "buffers")
        try rewriteAsBefore2025(
            copy,
            modes: (
                mode("observation.state"), mode("observation.environment_state"), mode("action")
            ),
            extra: #", "observation.velocity": [9]"#
        )
        try copy.editTensors {
            $0["normalize_inputs.buffer_observation_velocity.max"] = .f32([1], shape: [1])
            $0["normalize_inputs.buffer_observation_velocity.min"] = .f32([0], shape: [1])
        }
        let bundle = try PolicyBundle(directory: copy.directory)
        #expect(bundle.observationFeatures == golden.observationFeatures)
        #expect(bundle.normalizationModes == golden.normalizationModes)
        #expect(bundle.normalizer.inputs == golden.normalizer.inputs)
        #expect(bundle.normalizer.actionUnnormalization == golden.normalizer.actionUnnormalization)
        #expect(bundle.configuration.ignoredInputs == ["observation.velocity"])
    }

    @Test func `Mistakes in the layout of before 2025 are named`() throws {
        for (key, json, field) in [
            ("output_shapes", nil, "output_shapes"),
            ("output_shapes", "{}", "output_features.action"),
            (
                "input_shapes", #"{"observation.image": [1, 96, 96], "observation.state": [2]}"#,
                "input_shapes.observation.image"
            ),
            ("input_shapes", #"{"observation.state": [2, 2]}"#, "input_shapes.observation.state"),
            (
                "input_normalization_modes", #"{"observation.state": "max"}"#,
                "input_normalization_modes.observation.state"
            ),
            ("output_normalization_modes", nil, "output_normalization_modes"),
        ] as [(String, String?, String)] {
            let copy = try BundleCopy(of: "buffers")
            try rewriteAsBefore2025(copy)
            try copy.set(key, to: json)
            #expect(try copy.error().field == field)
        }
    }
}

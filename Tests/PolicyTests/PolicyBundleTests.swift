import Foundation
import PolicyFixtures
import Robotics
import Safetensors
import Testing
import Tuning

@testable import Policy

@Suite("A bundle")
struct PolicyBundleTests {
    @Test func `Its description is that of its files`() throws {
        let bundle = try PolicyBundle(directory: fixture("processors"))
        #expect(
            bundle.observationFeatures.map(\.name) == ["observation.state", "observation.environment_state"]
        )
        #expect(
            bundle.normalizationModes == [
                "observation.state": .minMax, "observation.environment_state": .meanStd, "action": .minMax,
            ]
        )
        #expect(bundle.weightDTypes == [.f32])
        let unmapped = try PolicyBundle(directory: fixture("environment-unmapped"))
        #expect(unmapped.normalizationModes["observation.environment_state"] == .identity)
        #expect(unmapped.weightDTypes == [.bf16])
        #expect(try PolicyBundle(directory: fixture("buffers")).weightDTypes == [.f16])
    }

    @Test(arguments: [
        "config.json", "model.safetensors", "policy_preprocessor.json", "policy_postprocessor.json",
        "policy_preprocessor_step_3_normalizer_processor.safetensors",
        "policy_postprocessor_step_0_unnormalizer_processor.safetensors",
    ])
    func `A missing file is named`(file: String) throws {
        let copy = try BundleCopy(of: "processors")
        try copy.remove(file)
        let error = try copy.error()
        #expect(error.file == file)
        #expect(error.description.contains("No such file"), "\(error)")
    }

    private let weight = "diffusion.unet.mid_modules.0.conv1.block.0.weight"

    @Test func `A missing tensor is named with its shape`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.editTensors { $0[weight] = nil }
        let error = try copy.error()
        #expect(
            error.description == "model.safetensors: tensor \"\(weight)\": missing; "
                + "expected shape [16, 16, 3], as config.json has it"
        )
    }

    @Test func `An extra tensor is named`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.editTensors { $0["diffusion.rgb_encoder.out.weight"] = .f32([1], shape: [1]) }
        let error = try copy.error()
        #expect(error.field == "tensor \"diffusion.rgb_encoder.out.weight\"")
    }

    @Test func `Old statistics beside processor files are extra`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.editTensors {
            $0["normalize_inputs.buffer_observation_state.min"] = .f32([0, 0], shape: [2])
        }
        #expect(try copy.error().description.contains("normalize_inputs"))
    }

    @Test func `A misshapen tensor is named with both shapes`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.editTensors { tensors in
            guard case .f32(let values, _)? = tensors[weight] else { return }
            tensors[weight] = .f32(values, shape: [16, 3, 16])
        }
        let error = try copy.error()
        #expect(error.found == "shape [16, 3, 16]")
        #expect(error.expected.hasPrefix("shape [16, 16, 3]"))
    }

    @Test func `Integer weights are refused`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.editTensors { $0[weight] = .i64([Int64](repeating: 1, count: 768), shape: [16, 16, 3]) }
        #expect(try copy.error().found == "dtype I64")
    }

    @Test func `A weight that is not a number is refused when the policy is made`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.editTensors { tensors in
            guard case .f32(var values, let shape)? = tensors[weight] else { return }
            values[5] = .nan
            tensors[weight] = .f32(values, shape: shape)
        }
        let bundle = try PolicyBundle(directory: copy.directory)
        let error = try #require(throws: PolicyError.self) {
            try DiffusionPolicy(bundle: bundle, settings: bundle.configuration.defaultSettings, threads: 1)
        }
        #expect(error.found == "nan at index 5")
        #expect(error.field == "tensor \"\(weight)\"")
    }

    @Test func `A weight file that lies is one error, not a crash`() throws {
        let copy = try BundleCopy(of: "processors")
        try Data([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x7B]).write(
            to: copy.url("model.safetensors")
        )
        let error = try copy.error()
        #expect(error.file == "model.safetensors")
        #expect(error.description.contains("header's length"))
    }

    // MARK: - Processors

    private static let preprocessor = "policy_preprocessor.json"
    private static let postprocessor = "policy_postprocessor.json"

    /// A change to a processor file, and what the error must name.
    static let mistakes: [(file: String, text: String, other: String, field: String?, mentions: String)] = [
        (
            preprocessor, #""STATE": "MIN_MAX""#, #""STATE": "MEAN_STD""#, "steps[3].config.norm_map.STATE",
            "MIN_MAX, as normalization_mapping in config.json has it"
        ),
        (
            preprocessor, #""ENV": "MEAN_STD","#, "", "steps[3].config.norm_map.ENV",
            "missing, which means IDENTITY"
        ),
        (
            postprocessor, #""ACTION": "MIN_MAX""#, #""ACTION": "IDENTITY""#,
            "steps[0].config.norm_map.ACTION",
            "MIN_MAX"
        ),
        (
            preprocessor, #""STATE": "MIN_MAX""#, #""STATE": "MINMAX""#, "steps[3].config.norm_map.STATE",
            "MINMAX"
        ),
        (preprocessor, "to_batch_processor", "image_crop_resize_processor", "steps[1]", "not supported yet"),
        (postprocessor, "device_processor", "delta_action_processor", "steps[1]", "delta_action_processor"),
        (
            preprocessor, "\"normalizer_processor\"", "\"to_batch_processor\"", "steps",
            "no normalizer_processor"
        ),
        (
            postprocessor, "\"unnormalizer_processor\"", "\"device_processor\"", "steps",
            "no unnormalizer_processor"
        ),
        (
            preprocessor, #""float_dtype": null"#, #""float_dtype": "bfloat16""#,
            "steps[2].config.float_dtype",
            "32 bits"
        ),
        (preprocessor, #""eps": 1e-08"#, #""eps": 0"#, "steps[3].config.eps", "greater than 0"),
        (preprocessor, #""eps": 1e-08"#, #""epsilon": 1e-08"#, "steps[3].config.epsilon", "unknown key"),
        (
            preprocessor, "policy_preprocessor_step_3_normalizer_processor.safetensors",
            "../model.safetensors",
            "steps[3].state_file", "same folder"
        ),
        (
            preprocessor, #""rename_map": {}"#, #""rename_map": {"observation.state": "joints"}"#,
            "rename_map",
            "observation.state is renamed"
        ),
        (
            preprocessor, #""rename_map": {}"#,
            #""rename_map": {"a": "observation.state", "b": "observation.state"}"#, "rename_map",
            "\"a\" and \"b\""
        ),
    ]

    @Test(arguments: mistakes.indices)
    func `Each mistake in a processor file is named`(index: Int) throws {
        let mistake = Self.mistakes[index]
        let copy = try BundleCopy(of: "processors")
        try copy.replace(mistake.text, with: mistake.other, in: mistake.file)
        let error = try copy.error()
        #expect(error.file == mistake.file, "\(error)")
        #expect(error.field == mistake.field, "\(error)")
        #expect(error.description.contains(mistake.mentions), "\(error)")
    }

    @Test func `A feature the normaliser does not list is refused`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.replace("\"observation.state\"", with: "\"observation.joints\"", in: Self.preprocessor)
        let error = try copy.error()
        #expect(error.field == "steps[3].config.features.observation.state")
        #expect(error.description.contains("would not normalise"))
    }

    @Test func `Percentile normalisation is refused by name`() throws {
        let copy = try BundleCopy(of: "processors")
        for file in ["config.json", Self.preprocessor, Self.postprocessor] {
            try copy.replace(#""STATE": "MIN_MAX""#, with: #""STATE": "QUANTILES""#, in: file)
        }
        let error = try copy.error()
        #expect(error.field == "observation.state")
        #expect(error.found == "normalisation by QUANTILES, not supported yet")
    }

    @Test func `Observation keys that are left out are not normalised`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.replace(
            #""eps": 1e-08"#,
            with: #""eps": 1e-08, "normalize_observation_keys": ["observation.environment_state"]"#,
            in: Self.preprocessor
        )
        let modes = try PolicyBundle(directory: copy.directory).normalizationModes
        #expect(modes["observation.state"] == .identity)
        #expect(modes["observation.environment_state"] == .meanStd)
    }

    @Test func `A renamed observation keeps its place under the robot's name`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.replace(
            #""rename_map": {}"#,
            with: #""rename_map": {"joints": "observation.state", "unused": "observation.other"}"#,
            in: Self.preprocessor
        )
        let features = try PolicyBundle(directory: copy.directory).observationFeatures
        #expect(features.map(\.name) == ["joints", "observation.environment_state"])
        #expect(features.map(\.checkpointName) == ["observation.state", "observation.environment_state"])
    }

    private static let statistics = "policy_preprocessor_step_3_normalizer_processor.safetensors"

    /// A change to one statistic, and what the error must say.
    static let wrongStatistics: [(name: String, values: [Float]?, mentions: String)] = [
        ("observation.state.min", nil, "missing; expected the statistics of observation.state, shape [2]"),
        ("observation.state.max", [1], "shape [1]; expected shape [2]"),
        ("observation.state.max", [600, -4], "-4.0 at index 1, less than the minimum -3.0"),
        ("observation.state.min", [-.infinity, 0], "-inf at index 0"),
        ("observation.environment_state.std", [1, -1, 1], "-1.0 at index 1; expected at least 0"),
        ("observation.environment_state.mean", [1, 2, .nan], "nan at index 2"),
    ]

    @Test(arguments: wrongStatistics.indices)
    func `Each wrong statistic is named`(index: Int) throws {
        let mistake = Self.wrongStatistics[index]
        let copy = try BundleCopy(of: "processors")
        try copy.editTensors(in: Self.statistics) {
            $0[mistake.name] = mistake.values.map { .f32($0, shape: [$0.count]) }
        }
        let error = try copy.error()
        #expect(error.file == Self.statistics)
        #expect(error.field == "tensor \"\(mistake.name)\"")
        #expect(error.description.contains(mistake.mentions), "\(error)")
    }

    @Test func `Statistics that were never set are refused in the older layout`() throws {
        let copy = try BundleCopy(of: "buffers")
        let tensor = "unnormalize_outputs.buffer_action.max"
        try copy.editTensors { $0[tensor] = .f32([.infinity, .infinity], shape: [2]) }
        let error = try copy.error()
        #expect(error.field == "tensor \"\(tensor)\"")
        #expect(error.description.contains("never set"))
        let other = try BundleCopy(of: "buffers")
        try other.editTensors { $0[tensor] = nil }
        #expect(
            try other.error().description.contains("missing; expected the statistics of action, shape [2]")
        )
    }
}

extension BundleCopy {
    /// Splits the weights into two files and an index.
    func shard() throws {
        let file = try SafetensorsFile(contentsOf: url("model.safetensors"))
        var shards: [[String: SafetensorsWriter.Tensor]] = [[:], [:]]
        var members: [String] = []
        for (index, name) in file.names.enumerated() {
            shards[index % 2][name] = .f32(try file.floats(name), shape: try file.shape(of: name))
            members.append("\"\(name)\": \"model-0000\(index % 2 + 1)-of-00002.safetensors\"")
        }
        try remove("model.safetensors")
        for (index, tensors) in shards.enumerated() {
            try SafetensorsWriter.write(tensors, to: url("model-0000\(index + 1)-of-00002.safetensors"))
        }
        try Data("{\"weight_map\": {\(members.joined(separator: ", "))}}".utf8)
            .write(to: url("model.safetensors.index.json"))
    }
}

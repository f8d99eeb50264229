import Foundation
import PolicyFixtures
import Testing

@testable import Policy

@Suite("config.json")
struct PolicyConfigurationTests {
    @Test func `What LeRobot wrote is read`() throws {
        let configuration = try PolicyConfiguration(contentsOf: fixture("environment-unmapped/config.json"))
        #expect(configuration.inputs.map(\.name) == ["observation.state", "observation.environment_state"])
        #expect(configuration.inputs.map(\.count) == [2, 3])
        #expect(configuration.inputs.map(\.type) == [.state, .environment])
        #expect(configuration.actionDim == 2)
        #expect(configuration.nObsSteps == 3)
        #expect(configuration.horizon == 8)
        #expect(configuration.nActionSteps == 2)
        #expect(configuration.architecture.downDims == [8, 16])
        #expect(configuration.architecture.kernelSize == 3)
        #expect(configuration.architecture.nGroups == 4)
        #expect(configuration.architecture.diffusionStepEmbedDim == 8)
        #expect(!configuration.architecture.useFiLMScaleModulation)
        #expect(configuration.architecture.conditionDim == 15)
        #expect(configuration.solver == .ddim)
        #expect(configuration.noiseSchedule.numTrainTimesteps == 20)
        #expect(configuration.noiseSchedule.betaSchedule == .linear)
        #expect(configuration.predictionType == .sample)
        #expect(configuration.clipSampleRange == 1.5)
        #expect(configuration.numInferenceSteps == 4)
        #expect(configuration.normalizationMode(of: .state) == .meanStd)
        #expect(configuration.normalizationMode(of: .environment) == .identity)
    }

    @Test func `Absent keys have LeRobot's defaults`() throws {
        let copy = try BundleCopy(of: "processors")
        let features = #""input_features": {"observation.state": {"type": "STATE", "shape": [4]}}"#
        let action = #""output_features": {"action": {"type": "ACTION", "shape": [3]}}"#
        try Data("{\"type\": \"diffusion\", \(features), \(action)}".utf8).write(to: copy.url("config.json"))
        let configuration = try PolicyConfiguration(contentsOf: copy.url("config.json"))
        #expect(configuration.nObsSteps == 2)
        #expect(configuration.horizon == 16)
        #expect(configuration.nActionSteps == 8)
        #expect(configuration.normalizationMapping == [.visual: .meanStd, .state: .minMax, .action: .minMax])
        #expect(configuration.architecture.downDims == [512, 1024, 2048])
        #expect(configuration.architecture.kernelSize == 5)
        #expect(configuration.architecture.nGroups == 8)
        #expect(configuration.architecture.diffusionStepEmbedDim == 128)
        #expect(configuration.architecture.useFiLMScaleModulation)
        #expect(configuration.solver == .ddpm)
        #expect(configuration.noiseSchedule.numTrainTimesteps == 100)
        #expect(configuration.noiseSchedule.betaSchedule == .squaredcosCapV2)
        #expect(configuration.noiseSchedule.betaStart == 0.0001)
        #expect(configuration.noiseSchedule.betaEnd == 0.02)
        #expect(configuration.predictionType == .epsilon)
        #expect(configuration.clipSampleRange == 1)
        #expect(configuration.numInferenceSteps == 100)
    }

    @Test func `A null number of steps is the number of training timesteps, and false stops clipping`() throws
    {
        let configuration = try PolicyConfiguration(contentsOf: fixture("buffers/config.json"))
        #expect(configuration.numInferenceSteps == 20)
        #expect(configuration.clipSampleRange == nil)
    }

    @Test(arguments: ["v_prediction", "sample", "epsilon"])
    func `Every prediction type is accepted`(type: String) throws {
        let copy = try BundleCopy(of: "processors")
        try copy.set("prediction_type", to: "\"\(type)\"")
        #expect(try PolicyConfiguration(contentsOf: copy.url("config.json")).predictionType.rawValue == type)
    }

    @Test func absentTypeIsThatOfAPolicyWithANoiseScheduler() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.set("type", to: nil)
        let configuration = try PolicyConfiguration(contentsOf: copy.url("config.json"))
        #expect(configuration.horizon == 8)
        try copy.set("noise_scheduler_type", to: nil)
        let error = #expect(throws: PolicyError.self) {
            try PolicyConfiguration(contentsOf: copy.url("config.json"))
        }
        #expect(error?.field == "type")
    }

    /// A key, a value that is wrong for it, and what the error must name.
    static let mistakes: [(key: String, json: String?, field: String, mentions: String)] = [
        ("type", "\"act\"", "type", "\"diffusion\""),
        ("type", "7", "type", "a string"),
        ("horizon", "7", "horizon", "multiple of 2"),
        ("horizon", "0", "horizon", "1 to 4096"),
        ("horizon", "8.5", "horizon", "8.5"),
        ("horizon", "\"8\"", "horizon", "\"8\""),
        ("horizon", "null", "horizon", "null"),
        ("horizon", "1000000000000", "horizon", "1000000000000"),
        ("n_obs_steps", "0", "n_obs_steps", "1 to 256"),
        ("n_obs_steps", "9", "n_obs_steps", "which is 8"),
        ("n_action_steps", "-1", "n_action_steps", "-1"),
        ("down_dims", "[]", "down_dims", "1 to 12"),
        ("down_dims", "[8, 18]", "down_dims", "multiple of n_groups"),
        ("down_dims", "[12, 16]", "down_dims", "multiple of 8"),
        ("down_dims", "[8, 1000000]", "down_dims[1]", "1000000"),
        ("down_dims", "16", "down_dims", "a list"),
        ("down_dims", "[8, -16]", "down_dims[1]", "-16"),
        ("kernel_size", "4", "kernel_size", "odd"),
        ("kernel_size", "true", "kernel_size", "true"),
        ("n_groups", "0", "n_groups", "0"),
        ("n_groups", "3", "down_dims", "(3)"),
        ("diffusion_step_embed_dim", "7", "diffusion_step_embed_dim", "even"),
        ("diffusion_step_embed_dim", "2", "diffusion_step_embed_dim", "2"),
        ("use_film_scale_modulation", "1", "use_film_scale_modulation", "true or false"),
        ("noise_scheduler_type", "\"PNDM\"", "noise_scheduler_type", "one of DDPM, DDIM"),
        ("num_train_timesteps", "0", "num_train_timesteps", "1 to"),
        ("num_train_timesteps", "1000000000", "num_train_timesteps", "1000000000"),
        ("num_inference_steps", "21", "num_inference_steps", "which is 20"),
        ("num_inference_steps", "0", "num_inference_steps", "0"),
        ("beta_schedule", "\"cosine\"", "beta_schedule", "squaredcos_cap_v2"),
        ("beta_start", "0", "beta_start", "between 0 and 1"),
        ("beta_end", "1.5", "beta_end", "1.5"),
        ("prediction_type", "\"noise\"", "prediction_type", "v_prediction"),
        ("clip_sample", "\"yes\"", "clip_sample", "true or false"),
        ("clip_sample_range", "0", "clip_sample_range", "greater than 0"),
        ("clip_sample_range", "-1", "clip_sample_range", "-1"),
        ("normalization_mapping", "{\"STATE\": \"MINMAX\"}", "normalization_mapping.STATE", "MIN_MAX"),
        ("normalization_mapping", "{\"JOINTS\": \"MIN_MAX\"}", "normalization_mapping.JOINTS", "ENV"),
        ("normalization_mapping", "null", "normalization_mapping", "an object"),
        ("input_features", nil, "input_features", "missing"),
        ("input_features", "null", "input_features", "an object"),
        ("input_features", "{}", "input_features.observation.state", "missing"),
        (
            "input_features", #"{"observation.state": {"type": "STATE", "shape": [2, 3]}}"#,
            "input_features.observation.state.shape", "one whole number"
        ),
        (
            "input_features", #"{"observation.state": {"type": "STATE", "shape": [0]}}"#,
            "input_features.observation.state.shape[0]", "0"
        ),
        (
            "input_features", #"{"observation.state": {"type": "JOINTS", "shape": [2]}}"#,
            "input_features.observation.state.type", "JOINTS"
        ),
        (
            "input_features", #"{"observation.state": {"type": "ENV", "shape": [2]}}"#,
            "input_features.observation.state", "ENV"
        ),
        (
            "input_features", #"{"observation.effort": {"type": "STATE", "shape": [2]}}"#,
            "input_features.observation.state", "missing"
        ),
        (
            "input_features",
            #"{"observation.images.front": {"type": "VISUAL", "shape": [1, 96, 96]}}"#,
            "input_features.observation.images.front.shape", "[3, height, width]"
        ),
        ("output_features", "{}", "output_features.action", "missing"),
        (
            "output_features", #"{"action": {"type": "STATE", "shape": [2]}}"#, "output_features.action.type",
            "ACTION"
        ),
        ("use_peft", "true", "use_peft", "adapters"),
        ("n_action_step", "4", "n_action_step", "unknown key"),
        ("n_action_step", "true", "n_action_step", "true"),
        ("n_action_step", "0", "n_action_step", "null, false or empty"),
        ("n_action_step", "[1]", "n_action_step", "unknown key"),
        ("input_shapes", "{}", "input_features", "beside input_shapes"),
    ]

    @Test(arguments: mistakes.indices)
    func `Each mistake is named with key, value and expectation`(index: Int) throws {
        let mistake = Self.mistakes[index]
        let copy = try BundleCopy(of: "processors")
        try copy.set(mistake.key, to: mistake.json)
        let error = try copy.error()
        #expect(error.file == "config.json", "\(error)")
        #expect(error.field == mistake.field, "\(error)")
        #expect(error.description.contains(mistake.mentions), "\(error)")
    }

    @Test func `A duplicate key and a number that is not JSON are refused`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.replace("\"horizon\": 8", with: "\"horizon\": 8, \"horizon\": 16", in: "config.json")
        #expect(try copy.error().description.contains("\"horizon\" occurs twice"))
        let other = try BundleCopy(of: "processors")
        try other.replace("\"clip_sample_range\": 1.0", with: "\"clip_sample_range\": NaN", in: "config.json")
        #expect(try other.error().description.contains("config.json"))
    }
}

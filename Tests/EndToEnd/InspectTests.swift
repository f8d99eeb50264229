import Foundation
import Testing

extension EndToEnd {
    @Suite struct InspectTests {
        /// What `--window auto` measured is shown, under the key that it was kept by.
        @Test func autoWindowsAreThoseThatWereMeasured() async throws {
            // A policy that no other test calibrates with its own solver.
            let policy = try PolicyCopy(of: "buffers")
            let workplace = try PredictTests.Workplace("buffers", nObsSteps: 1)
            try workplace.writeInput(arrived: 1, noise: false)
            func autoWindows() async throws -> [[String: Any]] {
                let report = try await succeed(["inspect", policy.path, "--json"]).json()
                return try #require(report["auto_windows"] as? [[String: Any]])
            }
            #expect(try await autoWindows().isEmpty)
            let prediction = try await succeed([
                "predict", "--policy", policy.path, "--input", workplace.folder.path("in.safetensors"),
                "--output", workplace.folder.path("out.safetensors"), "--json", "--window", "auto",
            ]).json()
            let windows = try await autoWindows()
            let window = try #require(windows.first)
            #expect(windows.count == 1)
            #expect(window["window"] as? Int == prediction["window"] as? Int)
            #expect(window["kernel"] as? String == prediction["kernel"] as? String)
            #expect(try #require(window["ms"] as? Double) > 0)
        }

        @Test func jsonSaysWhatThePolicyIs() async throws {
            let report = try await succeed(["inspect", SourceTree.tinyPolicy("processors"), "--json"]).json()
            #expect(
                Set(report.keys) == [
                    "name", "folder", "input_features", "output_features", "horizon", "n_obs_steps",
                    "n_action_steps", "network", "schedule", "auto_windows", "notes",
                ]
            )
            #expect(report["name"] as? String == "processors")
            #expect(report["horizon"] as? Int == 8)
            #expect(report["n_obs_steps"] as? Int == 2)
            #expect(report["n_action_steps"] as? Int == 4)

            let inputs = try #require(report["input_features"] as? [[String: Any]])
            #expect(
                inputs.map { $0["name"] as? String } == [
                    "observation.state", "observation.environment_state",
                ]
            )
            #expect(inputs.map { $0["shape"] as? [Int] } == [[2], [3]])
            #expect(inputs.map { $0["type"] as? String } == ["STATE", "ENV"])
            #expect(inputs.map { $0["normalization"] as? String } == ["MIN_MAX", "MEAN_STD"])
            let outputs = try #require(report["output_features"] as? [[String: Any]])
            #expect(outputs.map { $0["name"] as? String } == ["action"])
            #expect(outputs.map { $0["normalization"] as? String } == ["MIN_MAX"])

            let network = try #require(report["network"] as? [String: Any])
            #expect(network["down_dims"] as? [Int] == [8, 16])
            #expect(network["kernel_size"] as? Int == 3)
            #expect(network["n_groups"] as? Int == 4)
            #expect(network["diffusion_step_embed_dim"] as? Int == 8)
            #expect(network["use_film_scale_modulation"] as? Bool == true)
            #expect(network["condition_dim"] as? Int == 2 * (2 + 3))
            #expect(network["weight_dtypes"] as? [String] == ["F32"])
            let filtering = try #require(network["filtering"] as? [[String: Any]])
            #expect(filtering.map { $0["batch"] as? Int } == [1, 4, 8, 20])
            // Eight channels gain nothing.
            #expect(filtering.allSatisfy { $0["mib"] as? Double == 0 })
            // Every number of model.safetensors.
            #expect(network["parameters"] as? Int == 13634)

            let schedule = try #require(report["schedule"] as? [String: Any])
            #expect(schedule["noise_scheduler_type"] as? String == "DDPM")
            #expect(schedule["num_train_timesteps"] as? Int == 20)
            #expect(schedule["num_inference_steps"] as? Int == 5)
            #expect(schedule["beta_schedule"] as? String == "squaredcos_cap_v2")
            #expect(schedule["beta_start"] as? Double == 1e-4)
            #expect(schedule["beta_end"] as? Double == 0.02)
            #expect(schedule["prediction_type"] as? String == "epsilon")
            #expect(schedule["clip_sample_range"] as? Double == 1)
        }

        @Test func aFeatureThatTheMappingDoesNotNameIsShownAsNotNormalised() async throws {
            let report = try await succeed([
                "inspect", SourceTree.tinyPolicy("environment-unmapped"), "--json",
            ]).json()
            let inputs = try #require(report["input_features"] as? [[String: Any]])
            #expect(inputs.map { $0["normalization"] as? String } == ["MEAN_STD", "IDENTITY"])
            let network = try #require(report["network"] as? [String: Any])
            #expect(network["weight_dtypes"] as? [String] == ["BF16"])
        }

        @Test func textNamesTheSameThings() async throws {
            let text = try await succeed(["inspect", SourceTree.tinyPolicy("processors")]).output
            for part in [
                "processors\n", "observation.environment_state", "[3]", "MEAN_STD",
                "horizon 8, 2 observation steps in, 4 action steps out", "UNet 8-16", "kernel 3",
                "stored as F32",
                "DDPM, 5 of 20 timesteps, squaredcos_cap_v2, predicts epsilon, clipped to +-1.0",
            ] {
                #expect(text.contains(part), "no \"\(part)\" in\n\(text)")
            }
        }
    }
}

import Foundation
import Policy
import PolicyFixtures
import Robotics
import Safetensors
import Testing

@testable import denoised

extension EndToEnd {
    @Suite struct CameraPolicyTests {
        /// The observations of a case as `predict` reads them.
        private func tensors(_ fixture: ImageFixture) throws -> [String: SafetensorsWriter.Tensor] {
            let bundle = try PolicyBundle(directory: fixture.copy.directory)
            let observations = fixture.observations(of: bundle)
            let count = observations.count
            var tensors: [String: SafetensorsWriter.Tensor] = [:]
            for feature in bundle.observationFeatures {
                let values = observations.flatMap { $0.values[feature.name] ?? [] }
                tensors[feature.name] = .f32(values, shape: [count, feature.count])
            }
            for camera in bundle.cameras {
                let pixels = observations.flatMap { observation in
                    guard case .pixels(let pixels, _, _) = observation.frames[camera.name]?.content else {
                        return [UInt8]()
                    }
                    return pixels
                }
                tensors[camera.name] = .u8(pixels, shape: [count, camera.size.height, camera.size.width, 3])
            }
            let configuration = fixture.configuration
            tensors["noise"] = .f32(
                fixture.noise,
                shape: [configuration.numInferenceSteps + 1, configuration.horizon, configuration.actionDim]
            )
            return tensors
        }

        @Test func predictSeesWhatLeRobotSees() async throws {
            let fixture = try ImageFixture("two-cameras-two-encoders")
            let folder = try TemporaryFolder()
            let policy = fixture.copy.directory.path(percentEncoded: false)
            var input = try tensors(fixture)
            try SafetensorsWriter.write(input, to: folder.file("in.safetensors"))
            let command = [
                "predict", "--policy", policy, "--input", folder.path("in.safetensors"), "--output",
                folder.path("out.safetensors"),
            ]
            _ = try await succeed(command)
            let output = try SafetensorsFile(contentsOf: folder.file("out.safetensors"))
            #expect(try output.shape(of: "condition") == [2, 130])
            #expect(try deviation(output.floats("condition"), fixture.golden.condition) < 1e-4)
            #expect(try deviation(output.floats("action_pred"), fixture.golden.prediction) < 1e-4)

            let name = "observation.images.front"
            input[name] = .u8([UInt8](repeating: 0, count: 2 * 52 * 40 * 3), shape: [2, 52, 40, 3])
            try SafetensorsWriter.write(input, to: folder.file("in.safetensors"))
            let refused = try await RunningProgram(command).end()
            #expect(refused.exitCode == 2)
            #expect(
                refused.error.contains(
                    "shape [2, 52, 40, 3], expected [2, 40, 52, 3]: frames are not resized"
                )
            )
        }

        @Test func inspectShowsCamerasAndTheirEncoder() async throws {
            let fixture = try ImageFixture("resize-and-crop-ratio")
            let policy = fixture.copy.directory.path(percentEncoded: false)
            let report = try await succeed(["inspect", policy, "--json"]).json()
            let vision = try #require(report["vision"] as? [String: Any])
            #expect(vision["backbone"] as? String == "resnet18")
            #expect(vision["norm"] as? String == "group")
            #expect(vision["frame"] as? [Int] == [75, 100])
            #expect(vision["resize"] as? [Int] == [48, 52])
            #expect(vision["crop"] as? [Int] == [42, 45])
            #expect(vision["encoders"] as? Int == 1)
            let features = try #require(report["input_features"] as? [[String: Any]])
            #expect(
                features.contains {
                    $0["type"] as? String == "VISUAL" && $0["shape"] as? [Int] == [75, 100, 3]
                }
            )
        }

        /// Grey frames, because no simulator gives this policy its own.
        @Test func chunksOfAnyPolicyWithCamerasAreMeasured() async throws {
            let fixture = try ImageFixture("two-cameras-two-encoders")
            let policy = fixture.copy.directory.path(percentEncoded: false)
            let options = ["--window", "1", "--runs", "2", "--warm-up", "1", "--json"]
            let report = try await succeed(["bench", "chunk", "--policy", policy] + options).json()
            let result = try #require((report["results"] as? [[String: Any]])?.first)
            #expect(try #require(result["vision_ms_p50"] as? Double) > 0.05)
            #expect(try #require(result["newest_vision_ms_p50"] as? Double) > 0.05)
        }
    }
}

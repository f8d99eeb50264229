import Foundation
import Testing

extension EndToEndOfCommands {
    @Suite struct ImportTests {
        /// A checkpoint of the Diffusion Policy code base.
        private static let checkpoint = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "ImportingTests/Resources/lowdim.ckpt").path

        @Test func `a checkpoint becomes a policy that commands take`() async throws {
            let folder = try TemporaryFolder()
            let policy = folder.path("policy")
            let report = try await succeed([
                "import", Self.checkpoint, "-o", policy, "--state", "3-4,0", "--json",
            ]).json()
            #expect(report["policy_class"] as? String == "DiffusionUnetLowdimPolicy")
            #expect(report["weights"] as? String == "ema_model")
            #expect(report["epoch"] as? Int == 250)
            #expect(report["left_out"] as? [String] == ["model", "optimizer"])
            let inspected = try await succeed(["inspect", policy, "--json"]).json()
            let inputs = try #require(inspected["input_features"] as? [[String: Any]])
            #expect(inputs.map { $0["shape"] as? [Int] } == [[3], [2]])
            #expect(inspected["horizon"] as? Int == 8)
        }

        @Test func `people are told what becomes of what, and what to know`() async throws {
            let folder = try TemporaryFolder()
            let policy = folder.path("policy")
            let ended = try await succeed(["import", Self.checkpoint, "--output", policy])
            #expect(ended.output.contains("DiffusionUnetLowdimPolicy, averaged weights, epoch 250"))
            #expect(ended.output.contains("obs[0...4]"))
            #expect(
                ended.error.contains("denoised: warning: LeRobot itself loads only policies with a camera")
            )
            // A second time it is there.
            let again = try await RunningProgram(["import", Self.checkpoint, "--output", policy]).end()
            #expect(again.exitCode == 2)
            #expect(
                again.error == "denoised: \(policy): there already; expected a folder that is not there yet\n"
            )
        }

        @Test func `what cannot be imported is an error of the input`() async throws {
            let folder = try TemporaryFolder()
            let file = folder.path("x.ckpt")
            try Data("hello".utf8).write(to: URL(filePath: file))
            let other = try await RunningProgram(["import", file, "-o", folder.path("policy")]).end()
            #expect(other.exitCode == 2)
            #expect(
                other.error
                    == "denoised: \(file): no zip archive; expected a checkpoint that torch.save wrote as a zip archive\n"
            )
            for wrong in ["", "a", "5-3", "1-", "+1", "99999"] {
                let ended = try await RunningProgram([
                    "import", Self.checkpoint, "-o", folder.path("policy"), "--state", wrong,
                ]).end()
                #expect(ended.exitCode == 2, "\(wrong)")
            }
            let unwritable = try await RunningProgram([
                "import", Self.checkpoint, "-o", folder.path("none/policy"),
            ]).end()
            #expect(unwritable.exitCode == 1)
        }
    }
}

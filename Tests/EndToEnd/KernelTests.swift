import Compute
import Foundation
import Testing

extension EndToEnd {
    /// `DENOISED_KERNELS` in the environment names the kernels that compute.
    @Suite struct KernelTests {
        private static let policy = SourceTree.tinyPolicy("processors")
        private static let names = Backend.available.map(\.name)

        private func run(_ arguments: [String], kernels: String) async throws -> RunningProgram.Ended {
            try await RunningProgram(arguments, environment: ["DENOISED_KERNELS": kernels]).end()
        }

        private func runsOn(_ kernels: String) async throws -> [String] {
            let ended = try await run(["inspect", Self.policy, "--json"], kernels: kernels)
            #expect(ended.exitCode == 0, "\(ended)")
            let network = try #require(try ended.json()["network"] as? [String: Any])
            return try #require(network["kernels"] as? [String])
        }

        private func refusal(_ arguments: [String], kernels: String) async throws -> String {
            let ended = try await run(arguments, kernels: kernels)
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.output.isEmpty)
            return ended.error
        }

        @Test(arguments: names)
        func theKernelsThatAreNamedCompute(name: String) async throws {
            let backend = try Backend(named: name)
            let expected = backend.precisions.compactMap { Kernel(backend, precision: $0)?.description }
            #expect(try await runsOn(name) == expected)

            let precision = try #require(backend.precisions.last)
            let ended = try await run(
                [
                    "bench", "network", "--architecture", Self.policy, "--batch", "1", "--threads", "1",
                    "--precision", precision.rawValue, "--runs", "2", "--json",
                ],
                kernels: name
            )
            #expect(ended.exitCode == 0, "\(ended)")
            let results = try #require(try ended.json()["results"] as? [[String: Any]])
            #expect(results.map { $0["kernel"] as? String } == [expected.last])
        }

        @Test func anEmptyNameIsNone() async throws {
            let best = Precision.allCases.compactMap { Kernel(best: $0)?.description }
            #expect(try await runsOn("") == best)
        }

        @Test func anUnknownNameIsRefusedWithThoseThatThereAre() async throws {
            for arguments in [
                ["inspect", Self.policy], ["bench", "network"], ["serve", "--policy", Self.policy],
            ] {
                let error = try await refusal(arguments, kernels: "avx9")
                #expect(
                    error.contains(
                        "DENOISED_KERNELS: \"avx9\" is no set of kernels, expected one of \(Self.names.joined(separator: ", "))"
                    ),
                    "\(arguments): \(error)"
                )
            }
        }

        @Test(arguments: InstructionSet.all.filter { !$0.isSupported }.map(\.name))
        func kernelsThatThisProcessorLacksAreRefused(name: String) async throws {
            let error = try await refusal(["inspect", Self.policy], kernels: name)
            #expect(error.contains("\"\(name)\" needs what this processor lacks"), "\(error)")
        }

        @Test func aPrecisionThatTheKernelsLackIsRefused() async throws {
            let error = try await refusal(
                ["bench", "network", "--architecture", Self.policy, "--precision", "bf16"],
                kernels: "openblas"
            )
            #expect(
                error.contains(
                    "--precision is bf16, expected f32 or auto: DENOISED_KERNELS names openblas, which computes in no other"
                ),
                "\(error)"
            )
        }
    }
}

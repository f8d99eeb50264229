import Foundation
import Safetensors
import Testing

extension EndToEnd {
    @Suite struct PredictTests {
        /// What LeRobot computed; see Tests/Oracles/policy.py.
        struct Golden: Decodable {
            struct Case: Decodable {
                /// Observations that had arrived; those before the first are the first.
                let arrived: Int
                let condition: [Float]
                let firstModelOutput: [Float]
                let actionPred: [Float]
                let action: [Float]
            }
            let state: [[Float]]
            let environment: [[Float]]
            let noise: [Float]
            let cases: [Case]

            enum CodingKeys: String, CodingKey {
                case state = "observation.state"
                case environment = "observation.environmentState"
                case noise, cases
            }
        }

        /// Predicts in a folder of its own.
        struct Workplace {
            let folder: TemporaryFolder
            let policy: String
            let nObsSteps: Int
            let horizon = 8
            let golden: Golden

            init(_ policy: String, nObsSteps: Int) throws {
                folder = try TemporaryFolder()
                self.policy = SourceTree.tinyPolicy(policy)
                self.nObsSteps = nObsSteps
                golden = try SourceTree.json(Golden.self, "Tests/PolicyTests/Fixtures/\(policy)/golden.json")
            }

            /// Writes the last observations of those that had arrived, and the noise where it is wanted.
            func writeInput(arrived: Int, noise: Bool) throws {
                let steps = (arrived - nObsSteps..<arrived).map { max($0, 0) }
                var tensors: [String: SafetensorsWriter.Tensor] = [
                    "observation.state": .f32(steps.flatMap { golden.state[$0] }, shape: [nObsSteps, 2]),
                    "observation.environment_state": .f32(
                        steps.flatMap { golden.environment[$0] },
                        shape: [nObsSteps, 3]
                    ),
                ]
                let rows = golden.noise.count / (horizon * 2)
                if noise { tensors["noise"] = .f32(golden.noise, shape: [rows, horizon, 2]) }
                try SafetensorsWriter.write(tensors, to: folder.file("in.safetensors"))
            }

            func predict(_ options: [String] = []) async throws -> (
                report: [String: Any], chunk: SafetensorsFile
            ) {
                let ended = try await succeed(
                    [
                        "predict", "--policy", policy, "--input", folder.path("in.safetensors"), "--output",
                        folder.path("out.safetensors"), "--json",
                    ] + options
                )
                return (try ended.json(), try SafetensorsFile(contentsOf: folder.file("out.safetensors")))
            }
        }

        @Test(arguments: [("processors", 2, 4), ("environment-unmapped", 3, 2), ("buffers", 1, 4)])
        func chunkIsLeRobots(policy: String, nObsSteps: Int, nActionSteps: Int) async throws {
            let workplace = try Workplace(policy, nObsSteps: nObsSteps)
            try #require(workplace.golden.cases.count == 2)
            for golden in workplace.golden.cases {
                try workplace.writeInput(arrived: golden.arrived, noise: true)
                let (report, chunk) = try await workplace.predict()
                #expect(Set(chunk.names) == ["action", "action_pred", "first_model_output", "condition"])
                #expect(try chunk.shape(of: "condition") == [nObsSteps, 5])
                #expect(try deviation(chunk.floats("condition"), golden.condition) < 1e-6)
                #expect(try chunk.shape(of: "action") == [nActionSteps, 2])
                #expect(try chunk.shape(of: "action_pred") == [8, 2])
                #expect(try chunk.shape(of: "first_model_output") == [8, 2])
                #expect(try deviation(chunk.floats("action"), golden.action) < 1e-4)
                #expect(try deviation(chunk.floats("action_pred"), golden.actionPred) < 1e-4)
                #expect(try deviation(chunk.floats("first_model_output"), golden.firstModelOutput) < 1e-4)
                let steps = workplace.golden.noise.count / 16 - 1
                #expect(report["steps"] as? Int == steps)
                #expect(report["evaluations"] as? Int == steps)
                #expect(report["window"] as? Int == 1)
            }
        }

        @Test func seedDecidesTheChunk() async throws {
            let workplace = try Workplace("processors", nObsSteps: 2)
            try workplace.writeInput(arrived: 3, noise: false)
            func actions(_ seed: String) async throws -> [Float] {
                try await workplace.predict(["--seed", seed]).chunk.floats("action_pred")
            }
            let first = try await actions("7")
            #expect(try await actions("7") == first)
            #expect(try await actions("8") != first)
            #expect(try await actions("18446744073709551615") != first)
        }

        @Test(arguments: ["ddpm", "ddim", "dpmsolver++"], ["1", "3", "20", "100"])
        func parallelWithoutToleranceIsSequential(solver: String, window: String) async throws {
            let workplace = try Workplace("processors", nObsSteps: 2)
            try workplace.writeInput(arrived: 3, noise: false)
            let options = ["--solver", solver, "--steps", "20", "--seed", "3"]
            let sequential = try await workplace.predict(options)
            let expected = try sequential.chunk.floats("action_pred")
            #expect(sequential.report["iterations"] as? Int == 20)
            for method in ["quasi-newton", "paradigms"] {
                let parallel = try await workplace.predict(
                    options + ["--window", window, "--method", method, "--tolerance", "0"]
                )
                #expect(try deviation(parallel.chunk.floats("action_pred"), expected) < 1e-4)
                #expect(parallel.report["solver"] as? String == solver)
                #expect(parallel.report["window"] as? Int == min(Int(window) ?? 0, 20))
                #expect(parallel.report["tolerance"] as? Double == 0)
                #expect((1...20).contains(try #require(parallel.report["iterations"] as? Int)))
                #expect(try #require(parallel.report["evaluations"] as? Int) >= 20)
            }
        }

        @Test(arguments: [("quasi-newton", "0.05"), ("paradigms", "0.3")])
        func toleranceTakesFewerIterations(method: String, tolerance: String) async throws {
            let workplace = try Workplace("processors", nObsSteps: 2)
            try workplace.writeInput(arrived: 3, noise: false)
            let report = try await workplace.predict([
                "--steps", "20", "--window", "10", "--method", method, "--tolerance", tolerance,
            ]).report
            #expect(try #require(report["iterations"] as? Int) < 20)
            let residual = try #require(report["residual"] as? Double)
            #expect(residual >= 0 && residual <= Double(tolerance) ?? 0)
        }

        @Test func autoChoosesAWindowOnceForAll() async throws {
            let workplace = try Workplace("processors", nObsSteps: 2)
            try workplace.writeInput(arrived: 3, noise: false)
            let options = ["--steps", "20", "--window", "auto", "--seed", "5", "--threads", "1"]
            let first = try await workplace.predict(options)
            let window = try #require(first.report["window"] as? Int)
            #expect([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20].contains(window))
            #expect(first.report["tolerance"] as? Double == 0.005)
            // The measurement is kept, so the window is, and with it the bits of the chunk.
            let second = try await workplace.predict(options)
            #expect(second.report["window"] as? Int == window)
            #expect(try second.chunk.floats("action_pred") == first.chunk.floats("action_pred"))
        }
    }
}

import Foundation
import Safetensors
import Testing

extension EndToEnd {
    /// `sim` without a policy: the physics against gym-pusht. See Tests/Oracles/pusht.py.
    @Suite struct SimulatorTests {
        struct Recording: Decodable {
            struct Reset: Decodable {
                let seed: String
                let state: [Double]
            }
            struct Episode: Decodable {
                let name: String
                let initialState: [Double]?
                let hold: Int
                let targets: [[Double]]
                let steps: [Int]
                let states: [[Double]]
                let coverage: [Double]
            }
            let resets: [Reset]
            let episodes: [Episode]
        }

        static func recording() throws -> Recording {
            try SourceTree.json(Recording.self, "Tests/PushTTests/Resources/gym_pusht.json")
        }

        @Test func resetIsGyms() async throws {
            let resets = try Self.recording().resets
            try #require(resets.count == 11)
            for reset in resets {
                let text = try await succeed(["sim", "--print-reset", reset.seed]).output
                let numbers = text.split(whereSeparator: \.isWhitespace).map { Double($0) ?? .nan }
                #expect(deviation(numbers, reset.state) < 1e-9, "seed \(reset.seed): \(text)")
                #expect(text.filter { $0 == "\n" }.count == 1)
                let json = try await succeed(["sim", "--print-reset", reset.seed, "--json"]).json()
                #expect(Set(json.keys) == ["seed", "observation"])
                #expect(try deviation(#require(json["observation"] as? [Double]), numbers) < 1e-12)
            }
        }

        @Test func replayIsGyms() async throws {
            let episodes = try Self.recording().episodes.filter { $0.initialState != nil }
            try #require(episodes.count == 2)
            for episode in episodes {
                let folder = try TemporaryFolder()
                let actions = (0..<300).flatMap { episode.targets[$0 / episode.hold] }
                try SafetensorsWriter.write(
                    [
                        "initial_state": .f64(try #require(episode.initialState), shape: [5]),
                        "actions": .f64(actions, shape: [300, 2]),
                    ],
                    to: folder.file("in.safetensors")
                )
                let ended = try await succeed([
                    "sim", "--replay", folder.path("in.safetensors"), "--output",
                    folder.path("out.safetensors"),
                    "--json",
                ])
                let report = try ended.json()
                #expect(report["steps"] as? Int == 300)

                let output = try SafetensorsFile(contentsOf: folder.file("out.safetensors"))
                #expect(Set(output.names) == ["states", "coverage"])
                #expect(try output.shape(of: "states") == [300, 5])
                #expect(try output.shape(of: "coverage") == [300])
                #expect(try output.dtype(of: "states") == .f64)
                #expect(try output.dtype(of: "coverage") == .f64)
                let (states, coverage) = (try output.doubles("states"), try output.doubles("coverage"))
                #expect(
                    try abs(#require(report["max_coverage"] as? Double) - (coverage.max() ?? .nan)) < 1e-12
                )
                var difference = 0.0
                for (index, step) in episode.steps.enumerated() {
                    for number in 0..<5 {
                        difference = max(
                            difference,
                            abs(states[(step - 1) * 5 + number] - episode.states[index][number])
                        )
                    }
                    difference = max(difference, abs(coverage[step - 1] - episode.coverage[index]))
                }
                #expect(difference < 1e-9, "\(episode.name)")
            }
        }
    }
}

import Foundation
import PushT
import Testing

@Suite struct ScenarioTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../sim")

    static func text() throws -> String {
        try String(contentsOf: folder.appending(path: "pusht.json"), encoding: .utf8)
    }

    @Test func builtInScenarioIsTheFile() throws {
        #expect(try Scenario(contentsOf: Self.folder.appending(path: "pusht.json")) == .pushT)
    }

    @Test func builtInSuitesAreTheFiles() throws {
        let folder = Self.folder.appending(path: "suites")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let suites = try files.map { try SeedSuite(contentsOf: $0) }.sorted { $0.name < $1.name }
        #expect(suites == SeedSuite.all.sorted { $0.name < $1.name })
        #expect(SeedSuite.evaluation.seeds == 100_000..<100_050)
    }

    @Test func scenarioIsThePublishedTask() {
        let scenario = Scenario.pushT
        #expect(scenario.control.physicsSteps == 10)
        #expect(scenario.goal.angle == .pi / 4)
        #expect(scenario.reset.blockAngle == SIMD2(-.pi, .pi))
        #expect(scenario.episode.maxSteps == 300)
    }

    /// One edit of the file, and the one error it must give.
    @Test(
        arguments: [
            (#""damping": 0"#, #""damping": 1.5"#, "world.damping is 1.5, expected a number in 0.0...1.0"),
            (#""damping": 0"#, #""damping": "none""#, "world.damping: "),
            (#""damping": 0,"#, "", "world.damping: missing"),
            (#""damping": 0"#, #""damping": 0, "dampng": 0"#, "world.dampng: unknown field"),
            (
                #""to": [5, 5], "radius""#, #""to": [5, 506], "radius""#,
                "world.walls[0].to is [5.0, 506.0], expected"
            ),
            (#""to": [5, 5], "radius": 2"#, #""to": [5, 5], "radius": -1"#, "world.walls[0].radius is -1.0"),
            (#""from": [5, 5]"#, #""from": [5]"#, "world.walls[1].from"),
            (#""solver_iterations": 10"#, #""solver_iterations": 0"#, "world.solver_iterations is 0"),
            (#""size": [512, 512]"#, #""size": [512, 0]"#, "world.size is [512.0, 0.0]"),
            (
                #""start": [256, 400]"#, #""start": [256, 700]"#,
                "agent.start is [256.0, 700.0], expected a point"
            ),
            (
                "[-15, 120], [15, 120], [15, 30]]", "[15, 120]]",
                "block.parts[1] is [[-15.0, 30.0], [15.0, 120.0]], expected"
            ),
            ("[-15, 120], [15, 120]", "[15, 120], [-15, 120]", "block.parts[1]"),
            ("[-15, 30], [-15, 120]", "[-15, 29], [-15, 120]", "does not overlap part 0"),
            (
                #""velocity_gain": 20"#, #""velocity_gain": 201"#,
                "agent.velocity_gain is 201.0, expected at most 200.0"
            ),
            (
                #""position_gain": 100"#, #""position_gain": 36000"#,
                "agent.position_gain is 36000.0, expected less than"
            ),
            (#""mass": 1"#, #""mass": 0"#, "block.mass is 0.0"),
            ("[0, 0],\n    \"start\"", "[0, 2],\n    \"start\"", "block.inertia_parts is [0, 2], expected"),
            (#""rate": 10"#, #""rate": 7"#, "control.physics_time_step is 0.01, expected a whole fraction"),
            (
                #""rate": 10"#, #""rate": 1000"#,
                "control.physics_time_step is 0.01, expected a whole fraction"
            ),
            (#""success_coverage": 0.95"#, #""success_coverage": 1.2"#, "episode.success_coverage is 1.2"),
            (#""max_steps": 300"#, #""max_steps": 2.5"#, "a count is not a whole number"),
            (
                #""block_x": [100, 400]"#, #""block_x": [400, 100]"#,
                "reset.block_x is [400, 100], expected [low, high]"
            ),
            ("}", "", "not JSON: "),
        ]
    )
    func faultyFileIsRefused(old: String, new: String, expected: String) throws {
        let text = try Self.text()
        let range = try #require(text.range(of: old), "the edit no longer applies")
        let edited = text.replacingCharacters(in: range, with: new)
        let error = #expect(throws: DataFileError.self) {
            try Scenario(json: Data(edited.utf8), source: "table.json")
        }
        let message = try #require(error).description
        #expect(message.hasPrefix("table.json: "))
        #expect(message.contains(expected), "\(message)")
    }

    @Test func missingFileIsNamed() {
        let error = #expect(throws: DataFileError.self) {
            try Scenario(contentsOf: Self.folder.appending(path: "no-such.json"))
        }
        #expect(error?.description.hasPrefix("no-such.json: cannot be read") == true)
    }

    @Test(
        arguments: [
            (#"{"name": "", "description": "", "first_seed": 1, "count": 1}"#, "name"),
            (#"{"name": "a", "description": "", "first_seed": 1, "count": 0}"#, "count is 0"),
            (#"{"name": "a", "description": "", "first_seed": -1, "count": 1}"#, "a seed is negative"),
            (
                #"{"name": "a", "description": "", "first_seed": 18446744073709551615, "count": 9}"#,
                "first_seed"
            ),
            (
                #"{"name": "a", "description": "", "first_seed": 1, "count": 1, "seeds": 2}"#,
                "seeds: unknown field"
            ),
        ]
    )
    func faultySuiteIsRefused(json: String, expected: String) {
        let error = #expect(throws: DataFileError.self) {
            try SeedSuite(json: Data(json.utf8), source: "s.json")
        }
        #expect(error?.description.contains(expected) == true)
    }
}

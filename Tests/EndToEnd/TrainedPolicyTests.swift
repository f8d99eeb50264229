import Testing

extension EndToEnd {
    /// The policies that come with the project, with few steps. Their scores proper are on their cards.
    @Suite struct TrainedPolicyTests {
        static let policy = SourceTree.path("policies/pusht")
        static let imagePolicy = SourceTree.path("policies/pusht-image")

        @Test func inspectSaysWhatWasTrained() async throws {
            let report = try await succeed(["inspect", Self.policy, "--json"]).json()
            #expect((report["horizon"] as? Int, report["n_action_steps"] as? Int) == (16, 8))
            let inputs = try #require(report["input_features"] as? [[String: Any]])
            #expect(inputs.map { $0["shape"] as? [Int] } == [[2], [16]])
            #expect(inputs.map { $0["normalization"] as? String } == ["MIN_MAX", "MIN_MAX"])
            let schedule = try #require(report["schedule"] as? [String: Any])
            #expect(schedule["num_inference_steps"] as? Int == 100)
        }

        /// Chance pushes the T nowhere near: a policy of made-up weights scores about 0.1.
        @Test func pushesTheTIntoItsGoal() async throws {
            let report = try await succeed([
                "sim", "--policy", Self.policy, "--episodes", "2", "--seed", "100000", "--solver", "ddim",
                "--steps", "10", "--window", "1", "--json",
            ]).json()
            try EpisodeTests.check(report, seeds: 100_000...100_001, evaluations: 10)
            #expect(try #require(report["mean_score"] as? Double) > 0.8, "\(report)")
        }

        @Test func inspectSaysWhatThePolicyWithACameraSees() async throws {
            let report = try await succeed(["inspect", Self.imagePolicy, "--json"]).json()
            let inputs = try #require(report["input_features"] as? [[String: Any]])
            #expect(inputs.map { $0["shape"] as? [Int] } == [[2], [96, 96, 3]])
            #expect(inputs.map { $0["normalization"] as? String } == ["MIN_MAX", "MEAN_STD"])
        }

        /// With frames as the simulator draws them, and as JPEG makes them.
        @Test(arguments: [[], ["--jpeg"]])
        func pushesTheTIntoItsGoalByACamera(options: [String]) async throws {
            let report = try await succeed(
                [
                    "sim", "--policy", Self.imagePolicy, "--episodes", "2", "--seed", "100000", "--solver",
                    "ddim", "--steps", "10", "--json",
                ] + options
            ).json()
            let episodes = try #require(report["per_episode"] as? [[String: Any]])
            #expect(episodes.map { $0["seed"] as? Int } == [100_000, 100_001])
            let latency = try #require(report["stage_latency_ms"] as? [String: Any])
            #expect(latency["vision"] != nil, "\(report)")
            #expect(try #require(report["mean_score"] as? Double) > 0.8, "\(report)")
        }
    }
}

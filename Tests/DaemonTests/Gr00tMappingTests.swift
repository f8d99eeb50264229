import Gr00t
import Testing

@testable import Daemon

/// Mappings that do not go with the policy, and the daemon that does not start with them.
@Suite struct Gr00tMappingTests {
    static let observations = [
        "observation.state": ["arm"], "observation.environment_state": ["world"],
    ]
    static let actions = [Gr00tActions.ArrayLayout(key: "action", dimensions: [0, 1])]

    static let wrong: [(mapping: Gr00tMapping, field: String)] = [
        (
            .init(observations: ["observation.state": ["arm"]], actions: actions),
            "observations.observation.environment_state"
        ),
        (
            .init(observations: observations.merging(["observation.state": []]) { $1 }, actions: actions),
            "observations.observation.state"
        ),
        (
            .init(observations: observations.merging(["observation.image": ["x"]]) { $1 }, actions: actions),
            "observations.observation.image"
        ),
        (.init(observations: observations, actions: []), "actions"),
        (.init(observations: observations, actions: [.init(key: "a", dimensions: [0])]), "actions"),
        (.init(observations: observations, actions: [.init(key: "a", dimensions: [0, 1, 2])]), "actions.a"),
        (.init(observations: observations, actions: [.init(key: "a", dimensions: [-1, 0, 1])]), "actions.a"),
        (.init(observations: observations, actions: [.init(key: "a", dimensions: [0, 1, 1])]), "actions.a"),
        (
            .init(observations: observations, actions: actions + [.init(key: "b", dimensions: [])]),
            "actions.b"
        ),
        (
            .init(
                observations: observations,
                actions: [.init(key: "a", dimensions: [0]), .init(key: "a", dimensions: [1])]
            ), "actions.a"
        ),
        (
            .init(
                observations: observations,
                actions: [.init(key: "a", dimensions: [0]), .init(key: "action.a", dimensions: [1])]
            ), "actions.action.a"
        ),
    ]

    @Test func goodIsAccepted() throws {
        let policy = ToyPlanner().policy
        try Gr00tMapping(standardFor: policy).check(policy)
        try Gr00tMapping(observations: Self.observations, actions: Self.actions).check(policy)
    }

    @Test(arguments: wrong)
    func wrongIsNamed(mapping: Gr00tMapping, field: String) {
        let error = #expect(throws: Gr00tMappingError.self) { try mapping.check(ToyPlanner().policy) }
        #expect(error?.field == field)
    }

    @Test func daemonDoesNotStartWithIt() {
        #expect(throws: Gr00tMappingError.self) {
            try ToyDaemon { configuration in
                var gr00t = Gr00tConfiguration(endpoint: "inproc://gr00t")
                gr00t.mapping = Gr00tMapping(observations: [:], actions: Self.actions)
                configuration.gr00t = gr00t
            }
        }
    }
}

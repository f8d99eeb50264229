import Robotics
import Testing

@testable import Policy

@Suite("Observations and their history")
struct ObservationTests {
    static let features = [
        ObservationFeature(name: "joints", checkpointName: "observation.state", type: .state, count: 2),
        ObservationFeature(
            name: "observation.environment_state",
            checkpointName: "observation.environment_state",
            type: .environment,
            count: 1
        ),
    ]

    private func observation(_ number: Float) -> Observation {
        Observation(values: ["observation.environment_state": [number + 2], "joints": [number, number + 1]])
    }

    private func condition(_ history: ObservationHistory) -> [Float] {
        (0..<history.nObsSteps).flatMap { step in (0..<3).map { history.number($0, step: step) } }
    }

    @Test func `The first observation stands in for those before it`() throws {
        var history = ObservationHistory(features: Self.features, nObsSteps: 3)
        #expect(history.isEmpty)
        try history.append(observation(10))
        #expect(!history.isEmpty)
        #expect(condition(history) == [10, 11, 12, 10, 11, 12, 10, 11, 12])
        try history.append(observation(20))
        #expect(condition(history) == [10, 11, 12, 10, 11, 12, 20, 21, 22])
    }

    @Test func `The newest observations stay, oldest first`() throws {
        var history = ObservationHistory(features: Self.features, nObsSteps: 2)
        for number in [10, 20, 30, 40, 50] as [Float] { try history.append(observation(number)) }
        #expect(condition(history) == [40, 41, 42, 50, 51, 52])
        #expect(history.observations == [observation(40), observation(50)])
        history.reset()
        #expect(history.isEmpty)
        #expect(history.observations.isEmpty)
        try history.append(observation(60))
        #expect(condition(history) == [60, 61, 62, 60, 61, 62])
    }

    @Test func `An observation that was checked is appended as it is`() throws {
        var history = ObservationHistory(features: Self.features, nObsSteps: 2)
        let checked = try CheckedObservation(observation(10), features: Self.features)
        history.append(checked)
        history.append(try CheckedObservation(observation(20), features: Self.features))
        #expect(history.observations == [observation(10), observation(20)])
    }

    @Test(
        arguments: [
            (["joints": [1, 2]], "observation.environment_state: missing; expected 1 numbers"),
            (
                ["joints": [1], "observation.environment_state": [3]],
                "joints: 1 numbers; expected 2"
            ),
            (
                ["joints": [1, .nan], "observation.environment_state": [3]],
                "joints: nan at index 1; expected finite numbers"
            ),
            (
                ["joints": [1, 2], "observation.environment_state": [-.infinity]],
                "observation.environment_state: -inf at index 0; expected finite numbers"
            ),
            (
                ["joints": [1, 2], "observation.environment_state": [3], "gripper": [0]],
                "\"gripper\": a feature the policy does not observe; "
                    + "expected only joints and observation.environment_state"
            ),
        ] as [([String: [Float]], String)]
    )
    func `An observation the policy cannot use changes nothing`(values: [String: [Float]], text: String)
        throws
    {
        var history = ObservationHistory(features: Self.features, nObsSteps: 2)
        try history.append(observation(10))
        let error = try #require(throws: ObservationError.self) {
            try history.append(Observation(values: values))
        }
        #expect(error.description == text)
        #expect(condition(history) == [10, 11, 12, 10, 11, 12])
    }
}

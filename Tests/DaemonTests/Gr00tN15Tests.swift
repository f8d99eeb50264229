import Gr00t
import Testing

@testable import Daemon
@testable import Planning
@testable import Wire

/// Clients of GR00T N1.5 through the socket of the GR00T endpoint.
@Suite(.timeLimit(.minutes(10))) struct Gr00tN15Tests {
    private static func getAction(
        _ client: Gr00tClient,
        _ firsts: Float...,
        isBatched: Bool = false,
        options: MessagePackMap? = nil
    ) throws -> Gr00tAnswerOfN15 {
        try Gr00tAnswerOfN15(
            client.ask(
                "get_action",
                Gr00tClient.dataOfN15(firsts, isBatched: isBatched, options: options)
            )
        )
    }

    @Test(arguments: [false, true])
    func actionsAnswerAnObservation(isBatched: Bool) throws {
        let toy = try Gr00tEndpointTests.toy()
        let client = try Gr00tClient(toy)
        let options = MessagePackMap(["robot": .string("arm1"), "noise_seed": .unsigned(5)])
        let answer = try Self.getAction(client, 3, 4, isBatched: isBatched, options: options)
        #expect(
            answer.actions == [
                "action.action": Gr00tArray(
                    elements: [7, 5, 8, 5, 9, 5],
                    shape: isBatched ? [1, 3, 2] : [3, 2]
                )
            ]
        )
        let statistics = toy.daemon.statistics
        #expect(statistics.predictions == 1)
        #expect(statistics.requests == ["gr00t.get_action": 1])
        #expect(statistics.rejectedMessages.isEmpty)
        // The robot of the options is one for both versions.
        let later = try client.getAction(3, 4, options: options)
        #expect(later.actions["action"]?.elements == [7, 5, 8, 5, 9, 5])
        #expect(later.info["sequence"] == .unsigned(1))
    }

    @Test func newestTimeStepsAreUsed() throws {
        let client = try Gr00tClient(Gr00tEndpointTests.toy())
        #expect(try Self.getAction(client, 100, 200, 3, 4).first == 7)
    }

    @Test func tooFewTimeStepsAreRefused() throws {
        let client = try Gr00tClient(Gr00tEndpointTests.toy())
        let error = try #require(try client.error("get_action", Gr00tClient.dataOfN15([3])))
        #expect(error.hasPrefix("bad_array: data.state.observation.state: time steps: 1"), "\(error)")
        #expect(error.contains("gr00t.lookback"))
    }

    @Test func firstTimeStepIsRepeatedIfToldSo() throws {
        let client = try Gr00tClient(Gr00tEndpointTests.toy(lookback: .repeated))
        #expect(try Self.getAction(client, 3).first == 6)
        #expect(try Self.getAction(client, 4).first == 8)
    }

    @Test func requestsBeforeAreTheHistoryIfToldSo() throws {
        let client = try Gr00tClient(Gr00tEndpointTests.toy(lookback: .calls))
        #expect(try Self.getAction(client, 3).first == 6)
        #expect(try Self.getAction(client, 4).first == 7)
        #expect(try Self.getAction(client, 5, isBatched: true).first == 9)
        // call_endpoint("reset", {}): N1.5 has no method for it.
        #expect(try client.ask("reset", MessagePackMap()) == .map(MessagePackMap()))
        #expect(try Self.getAction(client, 5).first == 10)
    }

    @Test func modalitiesAreThoseOfN15IfToldSo() throws {
        let mapping = Gr00tMapping(
            observations: [
                "observation.state": ["state.gripper", "lift"],
                "observation.environment_state": ["world"],
            ],
            actions: [.init(key: "action.grip", dimensions: [1]), .init(key: "lift", dimensions: [0])],
            lookback: .repeated,
            version: .n15
        )
        let client = try Gr00tClient(Gr00tEndpointTests.toy(mapping: mapping))
        func modality(_ json: String) -> MessagePackValue {
            .map(MessagePackMap(["__ModalityConfig_class__": .bool(true), "as_json": .string(json)]))
        }
        #expect(
            try client.ask("get_modality_config")
                == .map(
                    MessagePackMap([
                        "state": modality(
                            #"{"delta_indices":[0],"modality_keys":["state.gripper","state.lift","state.world"]}"#
                        ),
                        "action": modality(
                            #"{"delta_indices":[0,1,2],"modality_keys":["action.grip","action.lift"]}"#
                        ),
                    ])
                )
        )
        let data = MessagePackMap([
            "state.gripper": Gr00tClient.array([2], [1, 1]),
            "state.lift": Gr00tClient.array([9], [1, 1]),
            "state.world": Gr00tClient.array([1, 2, 3], [1, 3]),
        ])
        let actions = try Gr00tAnswerOfN15(client.ask("get_action", data)).actions
        #expect(actions.keys.sorted() == ["action.grip", "action.lift"])
        #expect(actions["action.lift"] == Gr00tArray(elements: [4, 5, 6], shape: [3, 1]))
        #expect(actions["action.grip"]?.shape == [3, 1], "a dimension of 1 stays")
    }

    static let badObservations: [(state: MessagePackValue?, environment: MessagePackValue?, says: String)] = [
        (nil, nil, "missing_feature: data.observation.state: missing; the observation has video.front"),
        (
            Gr00tClient.array([1, 2], [2]), nil,
            "data.state.observation.state: shape [2], expected [time steps, numbers] or [1, time steps, numbers]"
        ),
        (Gr00tClient.array([], [0, 2]), nil, "data.state.observation.state: shape [0, 2]"),
        (
            Gr00tClient.array([1, 2, 3, 4], [2, 1, 2]), nil,
            "data.state.observation.state: a batch of 2, expected 1"
        ),
        (
            Gr00tClient.array([1, 2], [1, 1, 2]), Gr00tClient.array([1, 2, 3], [1, 3]),
            "data.state.observation.environment_state: shape [1, 3], but [1, 1, 2] in observation.state: expected a batch"
        ),
        (
            Gr00tClient.array([1, 2], [1, 2]), Gr00tClient.array([1, 2, 3], [1, 1, 3]),
            "data.state.observation.environment_state: shape [1, 1, 3], but [1, 2] in observation.state"
        ),
        (
            Gr00tClient.array([1, 2, 3, 4], [2, 2]), Gr00tClient.array([1, 2, 3], [1, 3]),
            "data.state.observation.environment_state: time steps: 1, but 2 in observation.state"
        ),
        (
            Gr00tClient.array([1, 2, 3], [1, 3]), nil,
            "bad_array: data: observation.state: 3 numbers in the last dimension, expected 2"
        ),
        (
            Gr00tClient.array([.nan, 2], [1, 2]), nil,
            "not_finite: data.state.observation.state"
        ),
        (.array([.unsigned(1), .unsigned(2)]), nil, "wrong_type: data.state.observation.state"),
        (.string("x"), nil, "wrong_type: data.state.observation.state"),
    ]

    @Test(arguments: badObservations)
    func badObservationIsExplained(
        state: MessagePackValue?,
        environment: MessagePackValue?,
        says: String
    ) throws {
        let toy = try Gr00tEndpointTests.toy(lookback: .calls)
        let client = try Gr00tClient(toy)
        #expect(try Self.getAction(client, 1).first == 2)
        var data = MessagePackMap(["video.front": Gr00tClient.array([0], [1, 1, 1, 1])])
        if let state { _ = data.append("state.observation.state", state) }
        if let environment { _ = data.append("state.observation.environment_state", environment) }
        try client.expectRefusal(of: data, says)
        #expect(try Self.getAction(client, 10).first == 11, "the history is as it was")
    }

    /// What N1.6 and later must send stays so for them.
    @Test func batchIsAskedForSinceN16() throws {
        let client = try Gr00tClient(Gr00tEndpointTests.toy(lookback: .calls))
        let observation = MessagePackMap(["observation.state": Gr00tClient.array([1, 2], [1, 2])])
        let error = try client.error("get_action", MessagePackMap(["observation": .map(observation)]))
        #expect(error?.contains("shape [1, 2], expected [1, time steps, numbers]") == true)
    }

    @Test func observationsOfBothVersionsInOneRequestAreRefused() throws {
        let toy = try Gr00tEndpointTests.toy()
        let client = try Gr00tClient(toy)
        var data = Gr00tClient.data([1, 2])
        _ = data.append("state.arm", Gr00tClient.array([1, 2], [1, 2]))
        let error = try client.error("get_action", data)
        #expect(error?.hasPrefix("bad_array: data.state.arm: an array beside data.observation") == true)
        #expect(toy.daemon.statistics.rejectedMessages == ["bad_array": 1])
    }

    @Test func torchFileIsRefused() throws {
        let toy = try Gr00tEndpointTests.toy()
        let client = try Gr00tClient(toy)
        try client.send(Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 100))
        let error = try client.answer().errorText
        #expect(error?.hasPrefix("not_messagepack: a torch file") == true, "\(error ?? "no error")")
        #expect(toy.daemon.statistics.rejectedMessages == ["not_messagepack": 1])
        #expect(try Gr00tAnswerOfN15(client.ask("get_action", Gr00tClient.dataOfN15([1, 2]))).first == 3)
    }

    /// Two cameras of 1280 x 720 pixels.
    @Test func imagesDoNotGetInTheWay() throws {
        let client = try Gr00tClient(Gr00tEndpointTests.toy())
        var data = Gr00tClient.dataOfN15([1, 2])
        let image = MessagePackValue.map(
            MessagePackMap([
                "__ndarray_class__": .bool(true), "as_npy": .binary([UInt8](repeating: 7, count: 2_764_928)),
            ])
        )
        _ = data.append("video.left", image)
        _ = data.append("video.right", image)
        #expect(try Gr00tAnswerOfN15(client.ask("get_action", data)).first == 3)
    }
}

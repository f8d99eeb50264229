import ForeignClients
import Foundation
import Gr00t
import Robotics
import RobotDescription
import Testing
import Transport

@testable import Daemon
@testable import MCAP
@testable import Planning
@testable import Wire

/// The GR00T endpoint through its socket.
@Suite(.timeLimit(.minutes(10))) struct Gr00tEndpointTests {
    static func toy(
        gate: Gate? = nil,
        token: String? = nil,
        mapping: Gr00tMapping? = nil,
        lookback: Gr00tMapping.Lookback? = nil
    ) throws -> ToyDaemon {
        try ToyDaemon(gate: gate) { configuration in
            var gr00t = Gr00tConfiguration(endpoint: "inproc://gr00t")
            gr00t.token = token
            gr00t.mapping = mapping
            if let lookback {
                var standard = Gr00tMapping(standardFor: ToyPlanner().policy)
                standard.lookback = lookback
                gr00t.mapping = standard
            }
            configuration.gr00t = gr00t
        }
    }

    @Test(arguments: [Gr00tArray.Form.npy, .messagePackNumPy])
    func actionsAnswerAnObservation(form: Gr00tArray.Form) throws {
        let toy = try Self.toy()
        let client = try Gr00tClient(toy)
        let options = MessagePackMap(["robot": .string("arm1"), "noise_seed": .unsigned(5)])
        let answer = try Gr00tAnswer(
            client.ask("get_action", Gr00tClient.data([3, 4], form: form, options: options))
        )
        #expect(
            answer.actions == [
                "action": Gr00tArray(elements: [7, 5, 8, 5, 9, 5], shape: [1, 3, 2], form: form)
            ]
        )
        #expect(answer.info["robot"] == .string("arm1"))
        #expect(answer.info["sequence"] == .unsigned(0))
        #expect(answer.info["noise_seed"] == .unsigned(5))
        #expect(answer.info["quality"] == .string("exact"))
        let statistics = toy.daemon.statistics
        #expect(statistics.predictions == 1)
        #expect(statistics.observations == 1)
        #expect(statistics.requests == ["gr00t.get_action": 1])
        #expect(statistics.latencyNs["total"]?.count == 1)
        #expect(statistics.rejectedMessages.isEmpty)
    }

    @Test func newestTimeStepsAreUsed() throws {
        let client = try Gr00tClient(Self.toy())
        #expect(try client.getAction(100, 200, 3, 4).first == 7)
        #expect(try client.getAction(5, 6).first == 11, "a request that holds the history needs no other")
    }

    @Test func tooFewTimeStepsAreRefused() throws {
        let client = try Gr00tClient(Self.toy())
        let error = try #require(try client.error("get_action", Gr00tClient.data([3])))
        #expect(error.hasPrefix("bad_array: data.observation."))
        #expect(error.contains("time steps: 1, expected at least 2"))
        #expect(error.contains("gr00t.lookback") && error.contains("repeated or calls"))
    }

    @Test func firstTimeStepIsRepeatedWhereToldSo() throws {
        let client = try Gr00tClient(Self.toy(lookback: .repeated))
        #expect(try client.getAction(3).first == 6)
        #expect(try client.getAction(4).first == 8, "and not 7")
    }

    @Test func requestsBeforeAreTheHistoryWhereToldSo() throws {
        let client = try Gr00tClient(Self.toy(lookback: .calls))
        #expect(try client.getAction(3).first == 6)
        #expect(try client.getAction(4).first == 7)
        #expect(try client.getAction(10, 20).first == 30)
        #expect(try client.ask("reset", MessagePackMap(["options": .null])) == .map(MessagePackMap()))
        let afresh = try client.getAction(5)
        #expect(afresh.first == 10)
        #expect(afresh.info["sequence"] == .unsigned(0))
    }

    @Test func episodesAndRequestsAreCounted() throws {
        let toy = try Self.toy()
        let (one, other) = try (Gr00tClient(toy), Gr00tClient(toy))
        let (first, second, third) = try (one.getAction(1, 2), one.getAction(1, 2), other.getAction(1, 2))
        #expect(first.info["robot"] == second.info["robot"])
        #expect(first.info["episode"] == second.info["episode"])
        #expect(second.info["sequence"] == .unsigned(1))
        #expect(third.info["robot"] != first.info["robot"], "each connection is a robot")
        #expect(third.info["sequence"] == .unsigned(0))
        #expect(toy.daemon.statistics.robots == 2)
        _ = try one.ask("reset")
        #expect(toy.daemon.statistics.robots == 1)
        let afterReset = try one.getAction(1, 2)
        #expect(afterReset.info["episode"] != first.info["episode"])
        #expect(afterReset.info["sequence"] == .unsigned(0))

        let options = MessagePackMap(["robot": .string("arm1")])
        #expect(try one.getAction(1, 2, options: options).info["sequence"] == .unsigned(0))
        let shared = try other.getAction(1, 2, options: options)
        #expect(shared.info["sequence"] == .unsigned(1), "a robot that is named is one for all connections")
    }

    @Test func modalitiesAreThePolicys() throws {
        let client = try Gr00tClient(Self.toy())
        func modality(_ indices: [MessagePackValue], _ keys: [String]) -> MessagePackValue {
            let json = MessagePackMap([
                "delta_indices": .array(indices), "modality_keys": .array(keys.map { .string($0) }),
            ])
            return .map(
                MessagePackMap([
                    "__ModalityConfig_class__": .bool(true), "__ModalityConfig__": .bool(true),
                    "as_json": .map(json),
                ])
            )
        }
        #expect(
            try client.ask("get_modality_config")
                == .map(
                    MessagePackMap([
                        "state": modality(
                            [.negative(-1), .unsigned(0)],
                            ["observation.state", "observation.environment_state"]
                        ),
                        "action": modality([.unsigned(0), .unsigned(1), .unsigned(2)], ["action"]),
                    ])
                )
        )
    }

    @Test func namesAreMapped() throws {
        let mapping = Gr00tMapping(
            observations: [
                "observation.state": ["state.gripper", "lift"],
                "observation.environment_state": ["state.world"],
            ],
            actions: [
                .init(key: "action.grip", dimensions: [1]), .init(key: "action.lift", dimensions: [0]),
            ]
        )
        let client = try Gr00tClient(Self.toy(mapping: mapping))
        let state = MessagePackMap([
            "gripper": Gr00tClient.array([1, 2], [1, 2, 1]),
            "lift": Gr00tClient.array([8, 9], [1, 2, 1]),
            "world": Gr00tClient.array([1, 2, 3, 1, 2, 3], [1, 2, 3]),
            "unused": .string("is ignored"),
        ])
        let data = MessagePackMap([
            "observation": .map(MessagePackMap(["state": .map(state), "task": .array([.string("push")])])),
            "options": .map(MessagePackMap(["noise_seed": .unsigned(7)])),
        ])
        let answer = try Gr00tAnswer(client.ask("get_action", data))
        #expect(
            answer.actions == [
                "action.grip": Gr00tArray(elements: [7, 7, 7], shape: [1, 3, 1]),
                "action.lift": Gr00tArray(elements: [3, 4, 5], shape: [1, 3, 1]),
            ]
        )
        guard case .map(let modalities) = try client.ask("get_modality_config"),
            case .map(let action)? = modalities["action"], case .map(let json)? = action["as_json"]
        else {
            Issue.record("expected modalities")
            return
        }
        #expect(json["modality_keys"] == .array([.string("grip"), .string("lift")]))
    }

    static let badObservations: [(state: MessagePackValue?, environment: MessagePackValue?, says: String)] = [
        (
            nil, Gr00tClient.array([1, 2, 3, 1, 2, 3], [1, 2, 3]),
            "missing_feature: data.observation.observation.state"
        ),
        (Gr00tClient.array([1, 2], [1, 2]), nil, "shape [1, 2], expected [1, time steps, numbers]"),
        (Gr00tClient.array([], [1, 0, 2]), nil, "shape [1, 0, 2]"),
        (Gr00tClient.array([1, 2, 3, 4], [2, 1, 2]), nil, "a batch of 2, expected 1"),
        (Gr00tClient.array([1, 2, 3], [1, 1, 3]), nil, "3 numbers in the last dimension, expected 2"),
        (
            Gr00tClient.array([1, 2, 3, 4], [1, 2, 2]), Gr00tClient.array([1, 2, 3], [1, 1, 3]),
            "time steps: 1, but 2 in observation.state"
        ),
        (Gr00tClient.array([.nan, 2, 3, 4], [1, 2, 2]), nil, "not_finite"),
        (.array([.unsigned(1), .unsigned(2)]), nil, "wrong_type"),
    ]

    @Test(arguments: badObservations)
    func badObservationIsExplained(
        state: MessagePackValue?,
        environment: MessagePackValue?,
        says: String
    ) throws {
        let toy = try Self.toy(lookback: .calls)
        let client = try Gr00tClient(toy)
        #expect(try client.getAction(1).first == 2)
        var observation = MessagePackMap()
        if let state { _ = observation.append("observation.state", state) }
        if let environment { _ = observation.append("observation.environment_state", environment) }
        try client.expectRefusal(of: MessagePackMap(["observation": .map(observation)]), says)
        #expect(try client.getAction(10).first == 11, "the history is as it was")
    }

    @Test func whatIsNotDoneIsAnError() throws {
        let toy = try Self.toy()
        let client = try Gr00tClient(toy)
        #expect(try client.error("kill")?.hasPrefix("forbidden: endpoint: kill is refused") == true)
        #expect(try client.error("get_weather")?.hasPrefix("unknown_type: endpoint") == true)
        try client.send([0xc1])
        #expect(try client.answer().errorText?.hasPrefix("not_messagepack") == true)
        #expect(try client.error("get_action", Gr00tClient.data([1, -1]))?.hasPrefix("planner") == true)
        #expect(try client.error("get_action", Gr00tClient.data([1, -2]))?.hasPrefix("planner") == true)
        let pong = try client.ask("ping")
        #expect(
            pong
                == .map(
                    MessagePackMap(["status": .string("ok"), "message": .string("Server is running")])
                )
        )
        let statistics = toy.daemon.statistics
        #expect(statistics.rejectedMessages == ["forbidden": 1, "unknown_type": 1, "not_messagepack": 1])
        #expect(statistics.plannerErrors == 2)
        #expect(statistics.predictions == 0)
    }

    @Test(
        arguments: [[[1], [2], [3]], [[]], Array(repeating: [1], count: 50), [[], [1], [2]]] as [[[UInt8]]]
    )
    func wrongFramesAreAnswered(frames: [[UInt8]]) throws {
        let toy = try Self.toy()
        let socket = try ZeroMQSocket(.dealer, context: toy.daemon.context)
        _ = try socket.connect("inproc://gr00t")
        try socket.send(frames)
        try #require(ZeroMQSocket.wait(for: [socket], timeout: .seconds(10))[0], "no answer")
        let answer = try #require(try socket.receive(maximumFrames: 2)?.last)
        #expect(String(decoding: answer, as: UTF8.self).contains("bad_frames"))
        #expect(toy.daemon.statistics.rejectedMessages == ["bad_frames": 1])
    }

    /// A request longer than the limit, but no longer than libzmq takes, is told so.
    @Test func tooLongARequestIsAnswered() throws {
        let toy = try Self.toy()
        let client = try Gr00tClient(toy)
        try client.send([UInt8](repeating: 0, count: Gr00tRequest.limits.messageBytes + 1))
        let answer = try client.answer()
        #expect(answer.errorText?.hasPrefix("too_large") == true)
        #expect(toy.daemon.statistics.rejectedMessages == ["too_large": 1])
        #expect(try client.ask("ping").errorText == nil)
    }

    @Test func tokenIsAskedFor() throws {
        let toy = try Self.toy(token: "secret")
        let client = try Gr00tClient(toy)
        for token in [nil, "", "secre", "Secret"] {
            try client.send("get_action", Gr00tClient.data([1, 2]), token: token)
            #expect(try client.answer().errorText == "Unauthorized: Invalid API token")
        }
        #expect(toy.daemon.statistics.rejectedMessages == ["unauthorized": 4])
        #expect(toy.daemon.statistics.observations == 0)
        try client.send("get_action", Gr00tClient.data([1, 2]), token: "secret")
        #expect(try Gr00tAnswer(client.answer()).first == 3)
        #expect(toy.log.lines.allSatisfy { !$0.contains("secret") })
    }

    @Test func tooManyWaitingAreBusyAndOthersAreAnswered() throws {
        let gate = Gate()
        let toy = try Self.toy(gate: gate)
        let (client, other) = try (Gr00tClient(toy), Gr00tClient(toy))
        try client.send("get_action", Gr00tClient.data([1, 2]))
        gate.waitForEntry()
        for _ in 0..<17 { try client.send("get_action", Gr00tClient.data([1, 2])) }
        #expect(try client.answer().errorText?.hasPrefix("busy") == true)
        #expect(
            try other.ask("ping").errorText == nil,
            "nobody waits for the planner to be told that it is there"
        )
        _ = try client.ask("reset")
        gate.pass(100)
    }

    @Test func resetTellsThoseWhoWait() throws {
        let gate = Gate()
        let toy = try Self.toy(gate: gate)
        let (client, other) = try (Gr00tClient(toy), Gr00tClient(toy))
        let options = MessagePackMap(["robot": .string("arm1")])
        try client.send("get_action", Gr00tClient.data([1, 2], options: options))
        gate.waitForEntry()
        #expect(
            try other.ask("reset", MessagePackMap(["options": .map(options)])) == .map(MessagePackMap())
        )
        #expect(try client.answer().errorText?.hasPrefix("reset: robot arm1") == true)
        gate.pass(100)
        #expect(try client.getAction(3, 4, options: options).first == 7)
    }

    @Test func endOfTheDaemonIsTold() throws {
        let gate = Gate()
        let toy = try Self.toy(gate: gate)
        let client = try Gr00tClient(toy)
        try client.send("get_action", Gr00tClient.data([1, 2]))
        gate.waitForEntry()
        toy.daemon.requestStop()
        #expect(try client.answer().errorText?.hasPrefix("stopping") == true)
        gate.pass(100)
    }

    /// Whatever clock the robot's own observations are stamped with.
    @Test(arguments: RobotFile.RobotClock.allCases)
    func robotFileHoldsForItsClients(clock: RobotFile.RobotClock) throws {
        let file = try RobotFile(
            """
            control_hz: 10
            clock: \(clock.rawValue)
            actions:
              - {name: x, position: [0, 8]}
              - {name: y}
            """
        )
        let toy = try ToyDaemon {
            $0.gr00t = Gr00tConfiguration(endpoint: "inproc://gr00t")
            $0.robots = [file]
        }
        let client = try Gr00tClient(toy)
        let options = MessagePackMap(["robot": .string("arm1"), "noise_seed": .unsigned(5)])
        for _ in 0..<2 {
            let answer = try client.getAction(3, 4, options: options)
            #expect(answer.actions["action"]?.elements == [7, 5, 8, 5, 8, 5], "9 is beyond the limit")
        }
        _ = try toy.client().stop(id("arm1"))
        let refused = try client.error("get_action", Gr00tClient.data([3, 4], options: options))
        #expect(refused?.hasPrefix("stopped: ") == true, "\(refused ?? "no error")")
    }

    @Test func sessionsAreBounded() throws {
        var sessions = ClientSessions(maximumRobots: 2, prefix: "gr00t")
        let first = try sessions.next(id("a")).episode
        #expect(try sessions.next(id("b")).sequence == 0)
        #expect(try sessions.next(id("a")).sequence == 1)
        #expect(try sessions.next(id("c")).sequence == 0)
        #expect(try sessions.next(id("a")).sequence == 2)
        #expect(try sessions.next(id("b")).sequence == 0, "b was heard least recently when c came")
        #expect(try sessions.end(id("c")) == nil, "c made room for b")
        #expect(try sessions.end(id("a")) == first)
        #expect(try sessions.next(id("a")).episode != first)
    }

    @Test func connectionsAreNamed() throws {
        #expect(try Gr00tRobot.robot(ofConnection: [0, 0x01, 0xab, 0, 0xff]).text == "gr00t.01ab00ff")
        #expect(try Gr00tRobot.robot(ofConnection: Array("arm".utf8)).text == "gr00t.61726d")
        #expect(try Gr00tRobot.robot(ofConnection: [UInt8](repeating: 1, count: 29)).text.count == 64)
        #expect(throws: MessageError.self) {
            try Gr00tRobot.robot(ofConnection: [UInt8](repeating: 1, count: 30))
        }
    }
}

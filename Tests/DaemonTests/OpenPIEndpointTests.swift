import ForeignClients
import HTTP
import OpenPI
import Robotics
import RobotDescription
import TestSupport
import Testing

@testable import Daemon
@testable import Planning
@testable import Wire

/// The openpi endpoint through its socket.
@Suite(.timeLimit(.minutes(10))) struct OpenPIEndpointTests {
    static func configuration(
        key: String? = nil,
        mapping: OpenPIMapping? = nil
    ) throws -> OpenPIConfiguration {
        var configuration = OpenPIConfiguration(address: try #require(HTTPAddress("127.0.0.1:0")))
        configuration.key = key
        configuration.mapping = mapping
        return configuration
    }

    static func toy(
        gate: Gate? = nil,
        key: String? = nil,
        lookback: Lookback = .calls,
        robot: String? = nil,
        _ change: (inout DaemonConfiguration) throws -> Void = { _ in }
    ) throws -> ToyDaemon {
        var mapping = OpenPIMapping(standardFor: ToyPlanner().policy)
        mapping.lookback = lookback
        mapping.robot = robot.flatMap { RobotID($0) }
        var asked = DaemonConfiguration()
        try change(&asked)
        let openPI = try configuration(key: key, mapping: mapping)
        return try ToyDaemon(gate: gate) {
            $0.openPI = openPI
            $0.robots = asked.robots
            $0.maximumWaitingPredictions = asked.maximumWaitingPredictions
        }
    }

    static let file: Result<RobotFile, RobotFileError> = Result { () throws(RobotFileError) in
        try RobotFile("control_hz: 10\nactions: [{name: x, position: [-8, 8]}, {name: y}]")
    }

    // MARK: Answers

    @Test func actionsAnswerAnObservation() throws {
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        let options = MessagePackMap(["robot": .string("arm1"), "noise_seed": .unsigned(5)])
        let answer = try client.infer(3, 4, options: options)
        let actions = try answer.array()
        #expect(actions.elements == [7, 5, 8, 5, 9, 5])
        #expect(actions.shape == [3, 2])
        #expect(answer.robot == .string("arm1"))
        #expect(answer.sequence == .unsigned(0))
        #expect(answer["chunk", "noise_seed"] == .unsigned(5))
        let infer = try #require(answer.time("infer_ms"))
        let total = try #require(answer.time("total_ms"))
        #expect(infer > 0 && total >= infer)
        #expect(answer.time("infer_ms", of: "policy_timing") == 3e-6)
        #expect(answer.time("prev_total_ms") == nil && answer.time("vision_ms") == nil)
        let second = try client.infer(5, 6, options: options)
        #expect(try #require(second.time("prev_total_ms")) > 0)
        let statistics = toy.daemon.statistics
        #expect(statistics.predictions == 2)
        #expect(statistics.requests == ["openpi.connect": 1, "openpi.infer": 2])
        #expect(statistics.latencyNs["total"]?.count == 2)
        #expect(statistics.rejectedMessages.isEmpty)
    }

    @Test func metadataSaysWhatToSend() throws {
        let metadata = try OpenPIClient(Self.toy()).metadata
        #expect(metadata["policy"] == .string("toy"))
        #expect(metadata["n_obs_steps"] == .unsigned(2))
        #expect(metadata["n_action_steps"] == .unsigned(3))
        #expect(
            metadata["actions"] == .map(MessagePackMap(["actions": .array([.unsigned(3), .unsigned(2)])]))
        )
        guard case .map(let features)? = metadata["observations"] else {
            Issue.record("expected observations")
            return
        }
        #expect(
            features["observation.state"]
                == .map(
                    MessagePackMap(["keys": .array([.string("observation.state")]), "count": .unsigned(2)])
                )
        )
    }

    @Test func endpointIsTold() throws {
        let toy = try Self.toy()
        let endpoint = try #require(toy.endpoints.openpi)
        #expect(endpoint.hasPrefix("ws://127.0.0.1:"))
        #expect(try toy.client().info().endpoints.openpi == endpoint)
        #expect(toy.log.lines.contains { $0.contains("openpi \(endpoint)") })
    }

    @Test func whatIsIgnoredIsSaidOnce() throws {
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        for first in 0..<3 { _ = try client.infer(Float(first)) }
        let lines = toy.log.lines.filter { $0.contains("prompt") }
        #expect(lines.count == 1, "\(toy.log.lines)")
        #expect(lines.first?.contains("openpi.1: what comes as prompt is ignored") == true)
    }

    // MARK: Episodes

    @Test func requestsBeforeAreTheHistory() throws {
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        #expect(try client.infer(3).first == 6)
        let second = try client.infer(4)
        #expect(second.first == 7)
        #expect(second.sequence == .unsigned(1))
        #expect(try client.infer(10, 20).first == 30, "a request that holds the history needs no other")
        let afresh = try client.infer(5, options: MessagePackMap(["reset": .bool(true)]))
        #expect(afresh.first == 10)
        #expect(afresh.sequence == .unsigned(0))
        #expect(afresh.episode != second.episode)
    }

    @Test func firstTimeStepIsRepeatedWhereToldSo() throws {
        let client = try OpenPIClient(Self.toy(lookback: .repeated))
        #expect(try client.infer(3).first == 6)
        #expect(try client.infer(4).first == 8)
    }

    @Test func tooFewTimeStepsAreRefusedWhereToldSo() throws {
        let toy = try Self.toy(lookback: .request)
        let client = try OpenPIClient(toy)
        client.send(OpenPIClient.observation([3]))
        let error = client.error()
        #expect(error.text.hasPrefix("bad_array: observation.state: time steps: 1, expected at least 2"))
        #expect(error.code == 1011)
        #expect(try OpenPIClient(toy).infer(3, 4).first == 7)
    }

    @Test func connectionIsARobotAndAnEpisode() throws {
        let toy = try Self.toy()
        let (one, other) = try (OpenPIClient(toy), OpenPIClient(toy))
        let (first, second) = try (one.infer(1), other.infer(100))
        #expect(first.robot == .string("openpi.1"))
        #expect(second.robot == .string("openpi.2"))
        #expect(try one.infer(2).first == 3)
        #expect(toy.daemon.statistics.robots == 2)
        one.disconnect()
        eventually { toy.daemon.statistics.robots == 1 }
        let again = try OpenPIClient(toy)
        let afresh = try again.infer(5)
        #expect(afresh.robot == .string("openpi.1"), "the place is free again")
        #expect(afresh.first == 10, "a new connection is a new episode")
        #expect(afresh.episode != first.episode)
        #expect(try other.infer(1).first == 101)
    }

    @Test func robotThatIsNamedIsOneForAllConnections() throws {
        let toy = try Self.toy(robot: "arm1")
        let one = try OpenPIClient(toy)
        #expect(try one.infer(1).robot == .string("arm1"))
        #expect(try one.infer(2).first == 3)
        let other = try OpenPIClient(toy)
        #expect(try other.infer(5).first == 10, "it begins an episode")
        #expect(try one.infer(6).first == 11, "which is that of both")
        other.disconnect()
        eventually { toy.log.lines.contains { $0.contains("has gone") } }
        #expect(try one.infer(7).first == 13, "the episode lasts while it is another's")
    }

    @Test func connectionSpeaksForOneRobot() throws {
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        _ = try client.infer(1, options: MessagePackMap(["robot": .string("arm1")]))
        client.send(OpenPIClient.observation([2], options: MessagePackMap(["robot": .string("arm2")])))
        let error = client.error()
        #expect(error.text.hasPrefix("forbidden: options.robot: found arm2, expected arm1"), "\(error.text)")
        #expect(error.code == 1011)
        #expect(toy.daemon.statistics.rejectedMessages == ["forbidden": 1])
    }

    // MARK: Limits and stops

    @Test func robotFileHoldsForActions() throws {
        let file = try Self.file.get()
        let toy = try Self.toy { $0.robots = [file] }
        let client = try OpenPIClient(toy)
        let options = MessagePackMap(["noise_seed": .unsigned(5)])
        for _ in 0..<2 {
            let actions = try client.infer(3, 4, options: options).array().elements
            #expect(actions == [7, 5, 8, 5, 8, 5], "9 is beyond the limit")
        }
    }

    @Test func stoppedRobotGetsNoActions() throws {
        let toy = try Self.toy()
        let native = try toy.client()
        let client = try OpenPIClient(toy)
        _ = try client.infer(1)
        _ = try native.stop(id("openpi.1"))
        client.send(OpenPIClient.observation([2]))
        let error = client.error()
        #expect(error.text.hasPrefix("stopped: "), "\(error.text)")
        #expect(error.code == 1011)
        let again = try OpenPIClient(toy)
        again.send(OpenPIClient.observation([2]))
        #expect(again.error().text.hasPrefix("stopped: "), "who connects anew is the same robot")
    }

    // MARK: What is wrong

    static let wrong: [(opcode: RawWebSocket.Opcode, payload: [UInt8], says: String, code: Int)] = [
        (.text, Array("{}".utf8), "wrong_type: a text of 2 bytes, expected MessagePack", 1003),
        (.binary, [], "not_messagepack: ", 1011),
        (.binary, [0x90], "wrong_type: the message is an array", 1011),
        (.binary, [0x80], "missing_feature: observation.state: missing; the observation has nothing", 1011),
        (.binary, [0x80, 0x04, 0x95], "not_messagepack: ", 1011),
        (.binary, [0xc1], "not_messagepack: ", 1011),
    ]

    @Test(arguments: wrong.indices)
    func messageIsRefused(index: Int) throws {
        let wrong = Self.wrong[index]
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        client.send(wrong.opcode, wrong.payload)
        let error = client.error()
        #expect(error.text.hasPrefix(wrong.says), "\(error.text)")
        #expect(error.code == wrong.code)
        #expect(toy.daemon.statistics.rejectedMessages.values.reduce(0, +) == 1)
        #expect(toy.log.lines.contains { $0.hasPrefix("warning: openpi: rejected a message") })
        #expect(try OpenPIClient(toy).infer(3).first == 6, "the daemon goes on")
    }

    @Test func tooLongMessageIsRefused() throws {
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        client.write(RawWebSocket.frame(2, [], announced: 32 << 20 | 1))
        let error = client.error()
        #expect(error.text.hasPrefix("too_large: the message is longer than 33554432 bytes"))
        #expect(error.code == 1009)
        #expect(toy.daemon.statistics.rejectedMessages == ["too_large": 1])
    }

    @Test func policyThatFailsIsTold() throws {
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        client.send(OpenPIClient.observation([-1]))
        let error = client.error()
        #expect(error.text.hasPrefix("planner: "), "\(error.text)")
        #expect(error.code == 1011)
        #expect(toy.daemon.statistics.plannerErrors == 1)
    }

    @Test func tooManyAreTold() throws {
        let gate = Gate()
        let toy = try Self.toy(gate: gate) { $0.maximumWaitingPredictions = 1 }
        let clients = try (0..<3).map { _ in try OpenPIClient(toy) }
        clients[0].send(OpenPIClient.observation([1]))
        gate.waitForEntry()
        clients[1].send(OpenPIClient.observation([2]))
        eventually { toy.daemon.statistics.observations == 2 }
        clients[2].send(OpenPIClient.observation([3]))
        #expect(clients[2].error().text.hasPrefix("busy: "))
        gate.pass(2)
        #expect(try clients[0].answer().first == 2)
        #expect(try clients[1].answer().first == 4)
    }

    @Test func requestsOfAConnectionAreAnsweredInOrder() throws {
        let toy = try Self.toy()
        let client = try OpenPIClient(toy)
        for first in 1...20 { client.send(OpenPIClient.observation([Float(first)])) }
        for first in 1...20 {
            let answer = try client.answer()
            #expect(answer.first == (first == 1 ? 2 : Float(2 * first - 1)))
            #expect(answer.sequence == .unsigned(UInt64(first - 1)))
        }
    }

    @Test func clientThatGoesWhileItsChunkIsPlannedDoesNoHarm() throws {
        let gate = Gate()
        let toy = try Self.toy(gate: gate)
        let client = try OpenPIClient(toy)
        client.send(OpenPIClient.observation([1]))
        gate.waitForEntry()
        client.disconnect()
        eventually { toy.daemon.statistics.robots == 0 }
        let next = try OpenPIClient(toy)
        next.send(OpenPIClient.observation([5]))
        gate.pass(2)
        #expect(try next.answer().first == 10)
        #expect(toy.daemon.statistics.predictions == 1)
    }

    @Test func endOfTheDaemonIsTold() throws {
        let gate = Gate()
        let toy = try Self.toy(gate: gate)
        let (busy, idle) = try (OpenPIClient(toy), OpenPIClient(toy))
        busy.send(OpenPIClient.observation([1]))
        gate.waitForEntry()
        toy.daemon.requestStop()
        let error = busy.error()
        #expect(error.text.hasPrefix("stopping: "), "\(error.text)")
        #expect(error.code == 1011)
        gate.pass()
        #expect(throws: (any Error).self) { try idle.infer(1) }
    }

    // MARK: Key

    @Test(arguments: [
        [], ["Authorization: Api-Key wrong"], ["Authorization: Bearer a-key"], ["Authorization: a-key"],
        ["Authorization: Api-Key a-key2"], ["Authorization: Api-Key a-key", "Authorization: Api-Key b"],
    ])
    func keyIsAskedFor(headers: [String]) throws {
        let toy = try Self.toy(key: "a-key")
        let port = try OpenPIClient.port(toy.endpoints.openpi)
        let stranger = try RawWebSocket(port: port, headers: RawWebSocket.handshake + headers)
        #expect(stranger.status == 401)
        #expect(stranger.answer.lowercased().contains("www-authenticate: api-key"))
        #expect(toy.daemon.statistics.rejectedMessages == ["unauthorized": 1])
        #expect(toy.log.lines.contains { $0.contains("unauthorized") && !$0.contains("a-key") })
        let client = try OpenPIClient(toy, headers: ["Authorization: Api-Key a-key"])
        #expect(try client.infer(3).first == 6)
    }

    @Test func healthNeedsNoKey() throws {
        let toy = try Self.toy(key: "a-key")
        let port = try OpenPIClient.port(toy.endpoints.openpi)
        eventually { toy.daemon.health.isWorking }
        let health = try RawWebSocket(
            port: port,
            request: "GET /healthz HTTP/1.1",
            headers: ["Host: localhost"]
        )
        #expect(health.status == 200)
        #expect(String(decoding: health.rest(), as: UTF8.self) == "OK\n")
        let page = try RawWebSocket(port: port, request: "GET / HTTP/1.1", headers: ["Host: localhost"])
        #expect(page.status == 426)
    }

    // MARK: Cameras

    @Test func framesAreSeen() throws {
        let cameras = [CameraDescription(name: "observation.images.front", height: 1, width: 2)]
        let configuration = try Self.configuration()
        let seeing = try SeeingDaemon(cameras: cameras) { $0.openPI = configuration }
        let client = try OpenPIClient(seeing.endpoints.openpi)
        func observation(_ first: Float, _ pixels: [UInt8], _ shape: [Int]) -> MessagePackMap {
            MessagePackMap([
                "observation.state": OpenPIClient.array([first, 0], [2]),
                "observation.images.front": OpenPIClient.array(pixels, shape),
                "observation.images.wrist": OpenPIClient.array([1, 2, 3], [1, 1, 3]),
            ])
        }
        let (dark, light) = ([UInt8](1...6), [UInt8](101...106))
        #expect(try client.infer(observation(1, dark, [1, 2, 3])).first == 2)
        #expect(seeing.seen.pixels("observation.images.front") == [dark, dark])
        let answer = try client.infer(observation(2, light, [1, 2, 3]))
        // Unless told otherwise, what a client sends stands in for what it does not.
        #expect(answer.first == 4)
        #expect(seeing.seen.pixels("observation.images.front") == [light, light])
        client.send(observation(3, dark, [2, 1, 3]))
        let error = client.error()
        #expect(
            error.text.hasPrefix(
                "bad_array: observation.images.front: shape [2, 1, 3], expected [1, 2, 3] or [time steps, 1, 2, 3]: frames are not resized"
            ),
            "\(error.text)"
        )
    }

    @Test func messagesHaveRoomForTheFramesOfAHistory() throws {
        var configuration = DaemonConfiguration()
        configuration.openPI = try Self.configuration()
        let policy = PolicyDescription(
            name: "seeing",
            features: [],
            cameras: [.init(name: "front", height: 480, width: 640)],
            horizon: 8,
            nObsSteps: 2,
            nActionSteps: 3,
            actionDim: 2
        )
        let room = configuration.withRoomForFrames(of: [policy]).openPI?.limits.messageBytes
        #expect(room == 32 << 20 + 2 * 480 * 640 * 3)
    }

    // MARK: Start

    @Test func mappingThatDoesNotFitIsRefused() throws {
        var mapping = OpenPIMapping(standardFor: ToyPlanner().policy)
        mapping.names.observations["observation.image"] = ["x"]
        let configuration = try Self.configuration(mapping: mapping)
        let error = #expect(throws: ClientNamesError.self) {
            try ToyDaemon { $0.openPI = configuration }
        }
        #expect(error?.description.hasPrefix("openpi: observations.observation.image: ") == true)
    }

    @Test func addressThatIsTakenIsTold() throws {
        let toy = try Self.toy()
        let port = try OpenPIClient.port(toy.endpoints.openpi)
        let configuration = OpenPIConfiguration(address: try #require(HTTPAddress("\(port)")))
        let error = #expect(throws: OpenPIListenError.self) {
            try ToyDaemon { $0.openPI = configuration }
        }
        #expect(error?.description.contains("Address already in use") == true)
    }
}

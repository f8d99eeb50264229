import Clocks
import Foundation
import Robotics
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon
@testable import MCAP
@testable import Planning

/// The daemon through its sockets.
@Suite(.timeLimit(.minutes(10))) struct DaemonTests {
    static let tcp: @Sendable (inout DaemonConfiguration) -> Void = { configuration in
        configuration.observations = .bind("tcp://127.0.0.1:*")
        configuration.chunks = .bind("tcp://127.0.0.1:*")
        configuration.requests = "tcp://127.0.0.1:*"
    }

    @Test(arguments: [false, true])
    func episodeRuns(overTCP: Bool) throws {
        let toy = try ToyDaemon { if overTCP { Self.tcp(&$0) } }
        let client = try toy.client()
        let first = try client.chunk(for: observation(0, first: 10))
        #expect(first.actions == [20, 0, 21, 0, 22, 0])
        #expect(first.beyond == [23, 0, 24, 0])
        #expect((first.actionSteps, first.actionDim, first.beyondSteps) == (3, 2, 2))
        #expect((first.sequence, first.firstStep, first.timeNs) == (0, 0, 1000))
        for sequence in 1...2 {
            try client.publish(observation(UInt64(sequence), first: Float(10 + sequence), replan: false))
        }
        let second = try client.chunk(for: observation(3, first: 13, noiseSeed: 5))
        #expect(second.actions == [25, 5, 26, 5, 27, 5], "the history is observations 2 and 3")
        #expect((second.sequence, second.firstStep, second.noiseSeed) == (3, 3, 5))

        let stages = second.timing.stages
        #expect(stages.condition == 1 && stages.sample == 2)
        #expect(
            stages.decode + stages.queue + stages.condition + stages.sample + stages.encode == stages.total
        )
        #expect(second.timing.publishedNs - second.timing.receivedNs == stages.total)
        let statistics = toy.daemon.statistics
        #expect(statistics.observations == 4)
        #expect(statistics.chunks >= 2)
        #expect(statistics.rejectedMessages.isEmpty)
        #expect(statistics.latencyNs["total"]?.count == statistics.chunks)
        #expect(toy.log.lines.count == 1, "a good episode is not worth a line: \(toy.log.lines)")
    }

    /// The planner is made for as long as it takes; who asks the daemon to end does not wait for that.
    @Test(arguments: [false, true])
    func aDaemonEndsWhileItsPlannerIsMade(beforeItStarts: Bool) throws {
        let making = OneShot<Void>()
        let letThrough = OneShot<Void>()
        let daemon = try Daemon(configuration: .embedded(name: "ends-\(beforeItStarts)")) { _ in
            making.set(())
            letThrough.wait()
            return ToyPlanner()
        }
        let asking = Thread {
            if !beforeItStarts { making.wait() }
            daemon.requestStop()
        }
        if beforeItStarts { daemon.requestStop() } else { asking.start() }
        #expect(throws: DaemonStopped.self) { try daemon.start() }
        #expect(daemon.isAtRest)
        // Who drops the daemon waits for its planner.
        letThrough.set(())
    }

    @Test func committedActionsReachThePlannerAndComeBackAsFrozen() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        let committed = ActionRows([1, 2, 3, 4], actionDim: 2)
        let chunk = try client.chunk(for: observation(0, first: 10, committed: committed))
        #expect(chunk.frozen == [1, 2, 3, 4])
        #expect(chunk.frozenSteps == 2)
        #expect(try client.chunk(for: observation(1, first: 10)).frozen.isEmpty)
    }

    /// The toy's actions have 2 numbers, and it predicts 5.
    @Test(arguments: [(3, 3), (1, 1), (12, 2)])
    func committedActionsOfAnotherSizeAreRejected(count: Int, actionDim: Int) throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        let committed = ActionRows([Float](repeating: 0, count: count), actionDim: actionDim)
        let error = #expect(throws: RobotClientError.self) {
            try client.predict(observation(0, first: 10, committed: committed))
        }
        #expect("\(try #require(error))".contains("committed.shape"))
        #expect(toy.daemon.statistics.rejectedMessages == ["bad_array": 1])
        #expect(toy.daemon.statistics.observations == 0)
    }

    @Test func daemonConnectsWhereTheRobotBinds() throws {
        let context = try ZeroMQContext()
        let observations = try ZeroMQSocket(.publish, context: context)
        let chunks = try ZeroMQSocket(.subscribe, context: context)
        try chunks.subscribe(to: id("arm1").chunkTopic)
        let (observationsEndpoint, chunksEndpoint) = try (
            observations.bind("tcp://127.0.0.1:*"), chunks.bind("tcp://127.0.0.1:*")
        )
        let toy = try ToyDaemon {
            $0.observations = .connect(observationsEndpoint)
            $0.chunks = .connect(chunksEndpoint)
        }
        #expect(toy.endpoints.observations == observationsEndpoint)
        var received: [[UInt8]]?
        let message = try observation(0, first: 1)
        for _ in 0..<100 where received == nil {
            try observations.send([message.robot.observationTopic, message.encoded()])
            _ = try ZeroMQSocket.wait(for: [chunks], timeout: .milliseconds(100))
            received = try chunks.receive(maximumFrames: 2)
        }
        let frames = try #require(received)
        #expect(frames[0] == Array("chunk.arm1".utf8))
        #expect(try RobotChunk(decoding: frames[1]).actions.first == 2)
    }

    @Test func requestsAreAnsweredWhileAChunkIsSampled() throws {
        let gate = Gate()
        let toy = try ToyDaemon(gate: gate)
        let client = try toy.client()
        try toy.publish(observation(0, first: 1), from: client)
        gate.waitForEntry()
        let info = try client.info()
        #expect(info.daemonVersion == daemonVersion)
        #expect(info.policy == ToyPlanner().policy)
        #expect(info.sampler == ToyPlanner().sampler)
        #expect(info.endpoints == toy.endpoints)
        #expect(info.statistics.observations == 1)
        #expect(info.statistics.robots == 1)
        #expect(info.statistics.requests == ["info": 1])
        let before = MonotonicTime.now().unsignedNs
        let pong = try client.ping()
        #expect((before...MonotonicTime.now().unsignedNs).contains(pong.monotonicNs))
        #expect(try client.reset())
        #expect(try !client.reset())
        gate.pass()
        // The chunk that was in flight was reset, so the next one to arrive is that of the new history.
        gate.pass(100)
        let chunk = try client.chunk(for: observation(0, first: 5))
        #expect(chunk.actions.first == 10)
        #expect(toy.daemon.statistics.robots == 1)
    }

    @Test func `a backlog is never worked off`() throws {
        let gate = Gate()
        let toy = try ToyDaemon(gate: gate)
        let client = try toy.client()
        try toy.publish(observation(0, first: 0), from: client)
        gate.waitForEntry()
        for sequence in 1...50 { try client.publish(observation(UInt64(sequence), first: Float(sequence))) }
        eventually {
            toy.daemon.statistics.observations
        } is: {
            $0 >= 51
        }
        gate.pass(2)
        gate.waitForEntry()
        eventually {
            toy.daemon.statistics.chunks
        } is: {
            $0 >= 2
        }
        #expect(gate.histories == [[0, 0], [49, 50]])
        #expect(toy.daemon.statistics.supersededObservations == 49)
    }

    @Test func predictAnswersItsClientAndPublishesNothing() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        #expect(try client.predict(observation(0, first: 10, replan: false)).actions.first == 20)
        #expect(try client.predict(observation(1, first: 11)).actions.first == 21)
        let stale = #expect(throws: RobotClientError.self) { try client.predict(observation(0, first: 10)) }
        guard case .refused(let error) = stale else {
            Issue.record("expected a refusal, got \(String(describing: stale))")
            return
        }
        #expect(error.code == "stale")
        #expect(error.field == "sequence")
        let statistics = toy.daemon.statistics
        #expect((statistics.predictions, statistics.chunks, statistics.staleObservations) == (2, 0, 1))
    }

    /// A REQ client puts an empty frame before its message and needs one before the answer.
    @Test func delimiterComesBack() throws {
        let toy = try ToyDaemon()
        let socket = try ZeroMQSocket(.dealer, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.requests)
        try socket.send([[], Request.ping(timeNs: 4).encoded(number: 6)])
        _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(10))
        let frames = try #require(try socket.receive(maximumFrames: 3))
        #expect(frames.count == 2 && frames[0].isEmpty)
        let (number, reply) = try Reply.decode(frames[1])
        guard case .pong(let timeNs, _, _) = reply else {
            Issue.record("expected a pong, got \(reply)")
            return
        }
        #expect((number, timeNs) == (6, 4))
    }

    static let rejected:
        [(name: String, code: MessageError.Code, topic: String, message: @Sendable () throws -> [UInt8])] = [
            ("garbage", .notMessagePack, "observation.arm1", { [0xc1, 0x00] }),
            ("nothing", .notMessagePack, "observation.arm1", { [] }),
            ("other topic", .badFrames, "observation.arm2", { try observation(0, first: 1).encoded() }),
            ("a request", .unknownType, "observation.arm1", { Request.info.encoded() }),
            (
                "missing feature", .missingFeature, "observation.arm1",
                {
                    var message = try observation(0, first: 1)
                    message.values["observation.state"] = nil
                    return message.encoded()
                }
            ),
            (
                "unknown feature", .unknownFeature, "observation.arm1",
                {
                    var message = try observation(0, first: 1)
                    message.values["observation.images\n.front"] = [1]
                    return message.encoded()
                }
            ),
            (
                "wrong size", .badArray, "observation.arm1",
                {
                    var message = try observation(0, first: 1)
                    message.values["observation.state"] = [1, 2, 3]
                    return message.encoded()
                }
            ),
            ("NaN", .notFinite, "observation.arm1", { try observation(0, first: .nan).encoded() }),
        ]

    @Test(arguments: rejected.indices)
    func `a bad observation is counted, logged and dropped`(index: Int) throws {
        let (name, code, topic, message) = Self.rejected[index]
        let toy = try ToyDaemon()
        let client = try toy.client()
        // A chunk first: so that the publishing socket is known to have joined.
        _ = try client.chunk(for: observation(0, first: 1, robot: "arm1", episode: .name("before")))
        let socket = try ZeroMQSocket(.publish, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.observations)
        try SilenceTests.send(
            [Array(topic.utf8), message()],
            on: socket,
            until: { !toy.daemon.statistics.rejectedMessages.isEmpty }
        )
        #expect(Array(toy.daemon.statistics.rejectedMessages.keys) == [code.rawValue], "\(name)")
        let warnings = toy.log.lines.filter { $0.hasPrefix("warning") }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains(code.rawValue) == true)
        #expect(
            warnings.first?.contains("\n") == false,
            "a message must not write lines of its own into the log"
        )
        // The daemon goes on, with the history as it was.
        #expect(try client.chunk(for: observation(1, first: 3)).actions.first == 6)
    }

    @Test func plannerFailureIsToldAndTheNextChunkComes() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        for (sequence, first) in [Float(-1), -2, -3, -4, -5].enumerated() {
            let failure = #expect(throws: RobotClientError.self) {
                try client.predict(observation(UInt64(sequence), first: first))
            }
            guard case .refused(let error) = failure else {
                Issue.record("expected a refusal, got \(String(describing: failure))")
                return
            }
            #expect(error.code == "planner")
        }
        #expect(toy.daemon.statistics.plannerErrors == 5)
        #expect(try client.chunk(for: observation(0, first: 3, episode: .number(2))).actions.first == 6)
    }

    @Test func badRequestIsAnsweredWithItsNumber() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        let failure = #expect(throws: RobotClientError.self) {
            try client.predict(observation(0, first: .infinity))
        }
        guard case .refused(let error) = failure else {
            Issue.record("expected a refusal, got \(String(describing: failure))")
            return
        }
        #expect(error.code == "not_finite")
        #expect(error.field == "observation.observation.state")
        #expect(toy.daemon.statistics.rejectedMessages == ["not_finite": 1])
    }

    @Test func predictBeyondTheBoundIsBusyAndTheEndIsTold() throws {
        let gate = Gate()
        let toy = try ToyDaemon(gate: gate) { $0.maximumWaitingPredictions = 1 }
        let socket = try ZeroMQSocket(.dealer, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.requests)
        func receive() throws -> (UInt64?, Reply) {
            _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(10))
            return try Reply.decode(try #require(try socket.receive(maximumFrames: 2)?.last))
        }
        func code(_ reply: Reply) -> String? { if case .error(let error) = reply { error.code } else { nil } }
        try socket.send([Request.predict(observation(0, first: 0)).encoded(number: 0)])
        gate.waitForEntry()
        for number in 1...2 {
            try socket.send([
                Request.predict(observation(UInt64(number), first: 0)).encoded(number: UInt64(number))
            ])
        }
        let (busyNumber, busy) = try receive()
        #expect((busyNumber, code(busy)) == (2, "busy"))

        toy.daemon.requestStop()
        let (stopping, other) = try (receive(), receive())
        #expect(Set([stopping.0, other.0]) == [0, 1])
        #expect(code(stopping.1) == "stopping" && code(other.1) == "stopping")
        gate.pass(10)
        try toy.daemon.waitUntilStopped()
    }

    @Test func startFailsWithTheEndpointNamed() throws {
        let toy = try ToyDaemon(DaemonTests.tcp)
        let endpoint = toy.endpoints.requests
        var configuration = DaemonConfiguration.embedded()
        configuration.requests = endpoint
        let second = try Daemon(configuration: configuration) { _ in ToyPlanner() }
        let error = #expect(throws: ZeroMQError.self) { try second.start() }
        #expect(error?.endpoint == endpoint)
        second.stop()
    }

    @Test func startFailsWithThePlannersError() throws {
        let daemon = try Daemon(configuration: .embedded()) { _ throws -> ToyPlanner in
            throw ToyPlanner.Failure()
        }
        #expect(throws: ToyPlanner.Failure.self) { try daemon.start() }
        daemon.stop()
        try daemon.waitUntilStopped()
    }

    @Test func `an endpoint is free after a stop`() throws {
        let toy = try ToyDaemon(DaemonTests.tcp)
        toy.daemon.stop()
        toy.daemon.stop()
        let endpoints = toy.endpoints
        // libzmq closes its listeners in the background.
        let context = try ZeroMQContext()
        let socket = try ZeroMQSocket(.router, context: context)
        eventually(every: .milliseconds(2)) {
            Result { () throws(ZeroMQError) in try socket.bind(endpoints.requests) }
        } is: {
            (try? $0.get()) == endpoints.requests
        }
    }

    @Test func nobodyThereIsATimeout() throws {
        let context = try ZeroMQContext()
        let endpoints = InfoMessage.Endpoints(
            observations: "inproc://a",
            chunks: "inproc://b",
            requests: "inproc://c"
        )
        let client = try RobotClient(robot: id("arm1"), endpoints: endpoints, context: context)
        let noAnswer = #expect(throws: RobotClientError.self) { try client.ping(timeout: .milliseconds(20)) }
        #expect(noAnswer?.description == "no answer to ping from inproc://c within 0.02 seconds")
        let noChunk = #expect(throws: RobotClientError.self) {
            try client.chunk(for: observation(4, first: 1), timeout: .milliseconds(20))
        }
        #expect(
            noChunk?.description
                == "no chunk for observation 4 of episode 1 from inproc://b within 0.02 seconds"
        )
    }

    @Test func statisticsAreJSON() throws {
        let toy = try ToyDaemon()
        _ = try toy.client().chunk(for: observation(0, first: 1))
        let data = try JSONEncoder().encode(toy.daemon.statistics)
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(json["observations"] as? Int == 1)
        let latency = try #require(json["latency_ns"] as? [String: [String: Int]])
        #expect(Set(latency.keys) == Set(DaemonStatistics.stagesWithoutCameras))
        #expect(latency["total"]?["p50"] ?? 0 > 0)
    }

    @Test func daemonIsFoundThroughItsRequestEndpoint() throws {
        let toy = try ToyDaemon(DaemonTests.tcp)
        let client = try RobotClient.connecting(
            robot: id("arm1"),
            requests: toy.endpoints.requests,
            context: ZeroMQContext()
        )
        #expect(client.endpoints == toy.endpoints)
        #expect(try client.chunk(for: observation(0, first: 1)).actions.first == 2)
    }
}

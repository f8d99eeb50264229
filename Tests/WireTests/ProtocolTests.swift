import Robotics
import Testing

@testable import Wire

/// The messages of docs/PROTOCOL.md, byte for byte, both ways.
@Suite struct ProtocolTests {
    let arm1: RobotID
    let observation: RobotObservation
    let chunk: RobotChunk

    init() throws {
        arm1 = try #require(RobotID("arm1"))
        observation = RobotObservation(
            robot: arm1,
            episode: .number(7),
            sequence: 8,
            timeNs: 1_000_000_000,
            values: ["observation.state": [0.5, -2]]
        )
        chunk = RobotChunk(
            robot: arm1,
            episode: .number(7),
            sequence: 8,
            timeNs: 1_000_000_000,
            firstStep: 8,
            actions: [1, 2, 3, 4],
            actionSteps: 2,
            actionDim: 2,
            beyond: [5, 6],
            frozen: [1, 2],
            noiseSeed: 42,
            sampling: .init(
                solver: "ddpm",
                steps: 100,
                method: .paradigms,
                window: 20,
                tolerance: 0.1,
                iterations: 25,
                evaluations: 390,
                residual: 0.0625,
                quality: .converged
            ),
            timing: .init(
                stages: .init(
                    decode: 20_000,
                    queue: 30_000,
                    condition: 40_000,
                    sample: 50_000_000,
                    encode: 60_000,
                    total: 50_150_000
                ),
                receivedNs: 5_000_000_000,
                publishedNs: 5_050_150_000,
                wallNs: 1_700_000_000_000_000_000
            )
        )
    }

    @Test func observationIsAsOnThePage() throws {
        let bytes = try ProtocolPage.bytes("observation")
        #expect(observation.encoded() == bytes)
        #expect(try RobotObservation(decoding: bytes) == observation)
    }

    @Test func framesAreAsOnThePage() throws {
        var observation = observation
        observation.values = [:]
        observation.frames = [
            "observation.images.front": CameraFrame(height: 2, width: 2, pixels: Array(0..<12)),
            "observation.images.wrist": CameraFrame(.picture([0xff, 0xd8, 0xff], format: .jpeg)),
        ]
        let bytes = try ProtocolPage.bytes("frames")
        #expect(observation.encoded() == bytes)
        #expect(try RobotObservation(decoding: bytes) == observation)
    }

    @Test func chunkIsAsOnThePage() throws {
        let bytes = try ProtocolPage.bytes("chunk")
        var chunk = chunk
        #expect(chunk.encode() == bytes)
        #expect(try RobotChunk(decoding: bytes) == chunk)
        #expect(Array(chunk.action(1)) == [3, 4])
        #expect(chunk.beyondSteps == 1)
        #expect(chunk.frozenSteps == 1)
    }

    @Test(arguments: [\RobotChunk.beyond, \.frozen])
    func actionsBeyondAndFrozenMayBeLeftOut(field: WritableKeyPath<RobotChunk, [Float]> & Sendable) throws {
        var chunk = chunk
        chunk[keyPath: field] = []
        #expect(try RobotChunk(decoding: chunk.encode()) == chunk)
        #expect(chunk.beyondSteps + chunk.frozenSteps == 1)
    }

    @Test func passesSurvive() throws {
        var chunk = chunk
        chunk.sampling.passes = [
            SamplingPass(firstStep: 0, endStep: 20, evaluations: 9, durationNs: 3_000_000),
            SamplingPass(firstStep: 99, endStep: 100, evaluations: 1, durationNs: 0),
        ]
        #expect(try RobotChunk(decoding: chunk.encode()) == chunk)
    }

    /// A chunk's last step is before its first, or a number is none of a pass.
    @Test(arguments: [(4, 4, 1), (5, 4, 1), (-1, 4, 1), (0, 4, -1)])
    func badPassesAreRefused(firstStep: Int, endStep: Int, evaluations: Int) throws {
        var chunk = chunk
        let good = SamplingPass(firstStep: 0, endStep: 1, evaluations: 1, durationNs: 0)
        let bad = SamplingPass(
            firstStep: firstStep,
            endStep: endStep,
            evaluations: evaluations,
            durationNs: 0
        )
        chunk.sampling.passes = [good, bad]
        let error = #expect(throws: MessageError.self) { try RobotChunk(decoding: chunk.encode()) }
        #expect(error?.code == .badArray)
        #expect(error?.field == "passes[1]")
    }

    @Test(arguments: [0, 1, 3])
    func committedActionsSurvive(steps: Int) throws {
        var observation = observation
        observation.committed = ActionRows((0..<2 * steps).map { Float($0) }, actionDim: 2)
        #expect(observation.committed?.steps == steps)
        #expect(try RobotObservation(decoding: observation.encoded()) == observation)
        let request = Request.decode(Request.predict(observation).encoded(number: 3))
        #expect(try request.request.get() == .predict(observation))
    }

    @Test func actionsBeyondHaveTheSizeOfTheOthers() throws {
        var chunk = chunk
        chunk.beyond = [5, 6, 7, 8]
        var bytes = chunk.encode()
        // The shape's bytes, [2, 2], follow its key; the second shape is that of `beyond`.
        let shapes = bytes.indices.dropLast(8).filter {
            bytes[$0..<$0 + 8].elementsEqual([0xc4, 5] + Array("shape".utf8) + [0x92])
        }
        try #require(shapes.count == 3)
        (bytes[shapes[1] + 8], bytes[shapes[1] + 9]) = (4, 1)
        let error = #expect(throws: MessageError.self) { try RobotChunk(decoding: bytes) }
        #expect(error?.code == .badArray)
        #expect(error?.field == "beyond.shape")
    }

    /// An array without numbers may have any shape with a 0 in it; a robot must not walk 2^60 steps.
    @Test(arguments: [[1 << 60, 0], [0, 1 << 60], [0, 0]])
    func aChunkWithoutActionsIsRefused(shape: [Int]) {
        var chunk = chunk
        (chunk.actions, chunk.actionSteps, chunk.actionDim) = ([], shape[0], shape[1])
        (chunk.beyond, chunk.frozen) = ([], [])
        let error = #expect(throws: MessageError.self) { try RobotChunk(decoding: chunk.encode()) }
        #expect(error?.code == .badArray)
        #expect(error?.field == "action.shape")
    }

    @Test func chunkTimingIsCompletedAfterTheRestIsPacked() throws {
        var chunk = chunk
        let bytes = chunk.encode(request: 5) { $0.publishedNs = 6_000_000_000 }
        #expect(chunk.timing.publishedNs == 6_000_000_000)
        let (number, reply) = try Reply.decode(bytes)
        #expect(number == 5)
        #expect(reply == .chunk(chunk))
    }

    @Test func requestsAreAsOnThePage() throws {
        let requests: [(String, UInt64, Request)] = [
            ("predict", 3, .predict(observation)),
            ("ping", 1, .ping(timeNs: 1_000_000_000)),
            ("reset", 2, .reset(robot: arm1, episode: .number(7))),
            ("stop", 4, .stop(robot: arm1)),
            ("resume", 5, .resume(robot: arm1, seen: 1_700_000_000_000_000_000)),
        ]
        for (name, number, request) in requests {
            let bytes = try ProtocolPage.bytes(name)
            #expect(request.encoded(number: number) == bytes)
            let decoded = Request.decode(bytes)
            #expect(decoded.number == number)
            #expect(try decoded.request.get() == request)
        }
    }

    @Test func repliesAreAsOnThePage() throws {
        let error = ErrorMessage(
            code: "stale",
            field: "sequence",
            message: "found 7, expected at least 8 in episode 7"
        )
        let pong = Reply.pong(
            timeNs: 1_000_000_000,
            monotonicNs: 5_000_000_000,
            wallNs: 1_700_000_000_000_000_000
        )
        let replies: [(String, UInt64, Reply)] = [
            ("pong", 1, pong), ("error", 3, .error(error)),
            (
                "stopped", 4,
                .stop(StopReply(robots: 1, known: 1, number: 1_700_000_000_000_000_000, keeping: .kept))
            ),
        ]
        for (name, number, reply) in replies {
            let bytes = try ProtocolPage.bytes(name)
            #expect(reply.encoded(number: number) == bytes)
            let decoded = try Reply.decode(bytes)
            #expect(decoded.number == number)
            #expect(decoded.reply == reply)
        }
    }

    @Test func commandIsAsOnThePage() throws {
        let command = RobotCommand(
            robot: arm1,
            episode: .number(7),
            tick: 85,
            step: 8.5,
            timeNs: 1_050_000_000,
            action: [1.5, 2.5],
            sequence: 8,
            state: .running,
            isLimited: false,
            publishedNs: 5_050_200_000,
            wallNs: 1_700_000_000_000_000_000
        )
        let bytes = try ProtocolPage.bytes("command")
        #expect(command.encoded() == bytes)
        #expect(try RobotCommand(decoding: bytes) == command)
    }

    @Test(
        arguments: [
            ("v", .unsupportedVersion, "v"), ("type", .unknownType, "type"),
            ("action", .badArray, "action.shape"),
            ("state", .wrongType, "state"), ("limited", .wrongType, "limited"),
        ] as [(String, MessageError.Code, String)]
    )
    func wrongCommandIsTurnedAway(field: String, code: MessageError.Code, named: String) throws {
        let array = MessagePackMap([
            "__ndarray__": .bool(true), "data": .binary([0, 0, 0, 0]), "dtype": .string("<f4"),
            "shape": .array([.unsigned(1), .unsigned(1)]),
        ])
        let values: [String: MessagePackValue] = [
            "v": .unsigned(2), "type": .string("x"), "state": .bool(true), "limited": .unsigned(1),
            "action": .map(array),
        ]
        let good: KeyValuePairs<String, MessagePackValue> = [
            "v": .unsigned(1), "type": .string("command"), "robot": .string("arm1"), "episode": .unsigned(7),
            "tick": .unsigned(1), "step": .float(1), "time_ns": .unsigned(1), "action": .array([.float(1)]),
            "sequence": .unsigned(1), "state": .string("running"), "limited": .bool(false),
            "published_ns": .unsigned(1), "wall_ns": .unsigned(1),
        ]
        var map = MessagePackMap()
        for (key, value) in good { _ = map.append(key, key == field ? values[key] ?? value : value) }
        let encoder = MessagePackEncoder()
        encoder.value(.map(map))
        let bytes = encoder.bytes
        let error = #expect(throws: MessageError.self) { try RobotCommand(decoding: bytes) }
        #expect(error?.code == code)
        #expect(error?.field == named)
    }

    @Test(
        arguments: [[:], ["arm1": .running], ["a": .stopped, "b.2": .faulted, "c": .holding]]
            as [[String: RobotState]]
    )
    func statusSurvives(states: [String: RobotState]) throws {
        var statistics = DaemonStatistics()
        statistics.commands = 5
        statistics.limitViolations = 6
        statistics.droppedObservations = 7
        statistics.latencyNs = ["total": .init(count: 5, p50: 1, p90: 2, p99: 3, max: 4)]
        let robots = states.mapValues { state in
            RobotStatus(
                state: state,
                reason: "held for 5000 ms: no fresh observation",
                forNs: 1,
                episode: state == .running ? .number(.max) : .name("e"),
                sequence: 2,
                silentNs: .max,
                chunks: 3,
                commands: 4,
                limitViolations: 5
            )
        }
        for warnings in [[], ["no room", ""]] {
            let status = StatusMessage(
                monotonicNs: 8,
                wallNs: 9,
                robots: robots,
                statistics: statistics,
                warnings: warnings
            )
            #expect(try StatusMessage(decoding: status.encoded()) == status)
        }
    }

    @Test(arguments: [nil, 0, UInt64.max])
    func sessionSurvives(session: UInt64?) throws {
        var observation = observation
        observation.session = session
        #expect(try RobotObservation(decoding: observation.encoded()) == observation)
        let request = Request.predict(observation)
        #expect(try Request.decode(request.encoded(number: 1)).request.get() == request)
    }

    @Test(arguments: [0, 1, Int.max])
    func stopAndResumeRepliesSurvive(robots: Int) throws {
        for reply in [
            Reply.stop(StopReply(robots: robots, known: robots, number: 0)), .resume(robots: robots),
            .stop(StopReply(robots: robots, known: 3, number: .max, keeping: .kept)),
            .stop(StopReply(robots: 1, known: 0, number: 7, knownNames: ["arm1", "b"])),
            .resume(robots: robots, keeping: .failed("no room")),
        ] {
            let decoded = try Reply.decode(reply.encoded(number: 9))
            #expect(decoded.number == 9)
            #expect(decoded.reply == reply)
        }
    }

    @Test(arguments: ["stop", "resume"])
    func wrongRobotStopsNobody(type: String) throws {
        for robot in [MessagePackValue.string("arm 1"), .unsigned(1), .string(""), .array([])] {
            let encoder = MessagePackEncoder()
            encoder.message(type, MessagePackMap(["robot": robot]))
            let error = #expect(throws: MessageError.self) { try Request.decode(encoder.bytes).request.get() }
            #expect(error?.field == "robot")
        }
    }

    @Test(arguments: [true, false, nil], [nil, UInt64.max])
    func observationOptionsSurvive(replan: Bool?, noiseSeed: UInt64?) throws {
        var observation = observation
        observation.episode = .name("2026-01-02T03:04:05")
        observation.replan = replan
        observation.noiseSeed = noiseSeed
        #expect(try RobotObservation(decoding: observation.encoded()) == observation)
    }

    @Test func infoSurvives() throws {
        var statistics = DaemonStatistics()
        statistics.observations = 12
        statistics.lostLogLines = 13
        statistics.rejectedMessages = ["bad_array": 2, "not_finite": 1]
        statistics.requests = ["info": 1]
        statistics.latencyNs = ["total": .init(count: 5, p50: 1, p90: 2, p99: 3, max: 4)]
        let info = InfoMessage(
            daemonVersion: "0.2.0",
            policy: .init(
                name: "pusht",
                features: [.init(name: "observation.state", count: 2)],
                cameras: [.init(name: "observation.image", height: 96, width: 128)],
                horizon: 16,
                nObsSteps: 2,
                nActionSteps: 8,
                actionDim: 2
            ),
            sampler: .init(solver: "ddim", steps: 10, method: .sequential, kernel: "f32 on avx2"),
            endpoints: .init(observations: "inproc://a", chunks: "inproc://b", requests: "inproc://c"),
            limits: .init(messageBytes: 1_085_440, messagesPerSecond: 1000, countedBytes: 4608),
            statistics: statistics
        )
        let (number, reply) = try Reply.decode(Reply.info(info).encoded(number: nil))
        #expect(number == nil)
        #expect(reply == .info(info))
    }

    @Test(arguments: [
        Request.info, .ping(timeNs: nil), .stop(robot: nil), .stop(robot: RobotID("b")!), .resume(robot: nil),
        .resume(robot: RobotID("b")!), .resume(robot: nil, seen: 0),
        .resume(robot: RobotID("b")!, seen: .max),
        .reset(robot: RobotID("b:2.c_d-E")!, episode: nil), .reset(robot: RobotID("b")!, episode: .name("x")),
    ])
    func requestSurvives(request: Request) throws {
        let decoded = Request.decode(request.encoded())
        #expect(decoded.number == nil)
        #expect(try decoded.request.get() == request)
    }
}

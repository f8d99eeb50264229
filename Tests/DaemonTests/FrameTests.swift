import CameraServers
import Clocks
import Foundation
import Pictures
import Policy
import Robotics
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon
@testable import Planning

/// A planner without a network that sees through a camera of 2 x 3 pixels.
///
/// Row k of a chunk is [first byte of the oldest frame, first byte of the newest frame + k]. A picture's first byte is that of its
/// pixels. One that cannot be decoded fails the chunk, as a policy's planner does for the newest frame.
private struct OneEyedPlanner: ChunkPlanner {
    static let camera = CameraFeature(
        name: "observation.image",
        checkpointName: "observation.image",
        size: FrameSize(height: 2, width: 3)
    )

    let policy = PolicyDescription(
        name: "seeing",
        features: [.init(name: "observation.state", count: 2)],
        cameras: [.init(name: "observation.image", height: 2, width: 3)],
        horizon: 6,
        nObsSteps: 2,
        nActionSteps: 3,
        actionDim: 2
    )
    let sampler = SamplerDescription(solver: "ddim", steps: 5, method: .sequential, kernel: "toy")
    var gate: Gate?
    let prepared: Prepared

    /// What was prepared while nothing was planned.
    final class Prepared: Sendable {
        private let bytes = Mutex<[UInt8]>([])

        var firstBytes: [UInt8] { bytes.withLock { $0 } }
        func note(_ byte: UInt8) { bytes.withLock { $0.append(byte) } }
    }

    func makeHistory() -> ObservationHistory {
        ObservationHistory(
            features: [
                ObservationFeature(
                    name: "observation.state",
                    checkpointName: "observation.state",
                    type: .state,
                    count: 2
                )
            ],
            cameras: [Self.camera],
            nObsSteps: 2
        )
    }

    func plan(_ request: PlanningRequest) throws -> PlannedChunk {
        gate?.enter(history: [])
        let bytes = try request.history.observations.map { try firstByte($0) }
        var chunk = PlannedChunk(
            actions: (0..<3).flatMap { [Float(bytes[0]), Float(bytes[1]) + Float($0)] },
            sampling: .init(solver: "ddim", steps: 5, method: .sequential, iterations: 5, evaluations: 5),
            conditionNs: 1,
            sampleNs: 2
        )
        chunk.visionNs = 7
        return chunk
    }

    mutating func prepare(_ history: ObservationHistory, camera: Int) -> BadFrame? {
        do {
            prepared.note(try firstByte(history.observations[1]))
            return nil
        } catch {
            return BadFrame(camera: "observation.image", reason: "\(error)")
        }
    }

    private func firstByte(_ observation: Observation) throws -> UInt8 {
        guard let frame = observation.frames["observation.image"] else { return 0 }
        switch frame.content {
        case .pixels(let pixels, _, _): return pixels[0]
        case .picture(let bytes, let format):
            do throws(PictureError) {
                let format = format == .jpeg ? PictureFormat.jpeg : .png
                let header = try PictureHeader(reading: bytes.span, as: format)
                var decoder = try PictureDecoder()
                var pixels = [UInt8](repeating: 0, count: header.pixelByteCount)
                var span = pixels.mutableSpan
                try decoder.decode(bytes.span, header, into: &span)
                return pixels[0]
            } catch {
                throw ActionChunkError.badPicture(
                    camera: "observation.image",
                    frame: frame.number,
                    reason: error.description
                )
            }
        }
    }
}

/// Frames of cameras on their way through the daemon.
@Suite(.timeLimit(.minutes(10))) struct FrameTests {
    private final class SeeingDaemon {
        let daemon: Daemon
        let client: RobotClient
        let endpoint: String
        let prepared = OneEyedPlanner.Prepared()

        init(gate: Gate? = nil, _ change: (inout DaemonConfiguration) -> Void = { _ in }) throws {
            var configuration = DaemonConfiguration.embedded()
            configuration.logger = LogLines().logger
            change(&configuration)
            daemon = try Daemon(configuration: configuration) { [prepared] _ in
                OneEyedPlanner(gate: gate, prepared: prepared)
            }
            let endpoints = try daemon.start()
            endpoint = endpoints.requests
            client = try RobotClient(robot: id("arm1"), endpoints: endpoints, context: daemon.context)
        }

        deinit { daemon.stop() }

        /// What the daemon says against an observation.
        func refusal(
            of observation: RobotObservation,
            sourceLocation: SourceLocation = #_sourceLocation
        ) -> String {
            let request = Request.predict(observation)
            do throws(RobotClientError) {
                let reply = try RobotClient.answer(to: request, from: endpoint, context: daemon.context)
                Issue.record("\(reply)", sourceLocation: sourceLocation)
                return ""
            } catch {
                return "\(error)"
            }
        }

        /// Sends observations that want no chunk until the daemon has had one.
        func publish(_ observation: RobotObservation) throws {
            let before = daemon.statistics.observations
            try eventually(every: .milliseconds(2)) {
                if daemon.statistics.observations != before { return true }
                try client.publish(observation)
                return false
            }
        }
    }

    private static func pixels(_ first: UInt8) -> CameraFrame {
        CameraFrame(height: 2, width: 3, pixels: [first] + [UInt8](repeating: 9, count: 17))
    }

    private static func png(_ first: UInt8, height: Int = 2) throws -> [UInt8] {
        var encoder = try PictureEncoder()
        let pixels = [first] + [UInt8](repeating: 9, count: height * 9 - 1)
        return try encoder.png(pixels.span, height: height, width: 3)
    }

    private static func seen(
        _ sequence: UInt64,
        _ frame: CameraFrame?,
        replan: Bool = true
    ) throws -> RobotObservation {
        RobotObservation(
            robot: try id("arm1"),
            episode: .number(1),
            sequence: sequence,
            timeNs: 1000 + sequence,
            values: ["observation.state": [1, 2]],
            frames: frame.map { ["observation.image": $0] } ?? [:],
            replan: replan,
            noiseSeed: 0
        )
    }

    @Test func `Pixels and pictures reach the planner, and chunks tell what frames took`() throws {
        let seeing = try SeeingDaemon()
        let first = try seeing.client.chunk(for: Self.seen(0, Self.pixels(5)))
        #expect(first.actions == [5, 5, 5, 6, 5, 7])
        #expect(first.timing.stages.vision == 7)
        let stages = first.timing.stages
        #expect(
            stages.decode + stages.queue + 7 + stages.condition + stages.sample + stages.encode
                == stages.total
        )
        let second = try seeing.client.chunk(
            for: Self.seen(1, CameraFrame(.picture(Self.png(6), format: .png)))
        )
        #expect(second.actions == [5, 6, 5, 7, 5, 8])
        #expect(seeing.daemon.statistics.latencyNs["vision"]?.count == 2)
    }

    @Test func `A frame that does not fit is refused, and the history is as before`() throws {
        let seeing = try SeeingDaemon()
        _ = try seeing.client.chunk(for: Self.seen(0, Self.pixels(5)))
        let wrongSize = CameraFrame(height: 3, width: 2, pixels: [UInt8](repeating: 0, count: 18))
        let cases: [(CameraFrame, MessageError.Code, String)] = [
            (wrongSize, .badArray, "a frame of 3 x 2 pixels, expected 2 x 3"),
            (
                CameraFrame(.picture(try Self.png(1, height: 4), format: .png)), .badArray,
                "4 x 3 pixels, expected 2 x 3"
            ),
            (CameraFrame(.picture(try Self.png(1), format: .jpeg)), .badImage, "JPEG"),
            (CameraFrame(.picture([1, 2, 3], format: .png)), .badImage, "PNG"),
        ]
        for (frame, code, text) in cases {
            let error = try seeing.refusal(of: Self.seen(1, frame))
            #expect(error.contains(code.rawValue) && error.contains(text), "\(error)")
        }
        var strange = try Self.seen(1, Self.pixels(1))
        strange.frames["observation.images.other"] = Self.pixels(1)
        #expect(seeing.refusal(of: strange).contains("unknown_feature"))
        #expect(seeing.daemon.statistics.rejectedMessages["bad_image"] == 2)
        #expect(seeing.daemon.statistics.rejectedMessages["bad_array"] == 2)
        let next = try seeing.client.chunk(for: Self.seen(1, Self.pixels(6)))
        #expect(next.actions == [5, 6, 5, 7, 5, 8])
    }

    /// The header is whole, the rest is not: the planner finds out.
    @Test func `A damaged picture is the observation's fault`() throws {
        let seeing = try SeeingDaemon()
        _ = try seeing.client.chunk(for: Self.seen(0, Self.pixels(5)))
        let damaged = CameraFrame(.picture(Array(try Self.png(6).dropLast(20)), format: .png))
        let error = try seeing.refusal(of: Self.seen(1, damaged))
        #expect(error.contains("bad_image") && error.contains("observation.image"), "\(error)")
        let statistics = seeing.daemon.statistics
        #expect(statistics.rejectedMessages["bad_image"] == 1)
        #expect(statistics.plannerErrors == 0)
    }

    @Test func `A slower camera's newest frame stands in, for a while`() throws {
        let seeing = try SeeingDaemon { $0.frameAge = .seconds(600) }
        let first = try seeing.refusal(of: Self.seen(0, nil))
        #expect(first.contains("missing_feature") && first.contains("[2, 3, 3]"), "\(first)")
        _ = try seeing.client.chunk(for: Self.seen(0, Self.pixels(5)))
        _ = try seeing.client.chunk(for: Self.seen(1, Self.pixels(6)))
        #expect(try seeing.client.chunk(for: Self.seen(2, nil)).actions == [6, 6, 6, 7, 6, 8])
        #expect(try seeing.client.chunk(for: Self.seen(3, Self.pixels(7))).actions == [6, 7, 6, 8, 6, 9])

        let strict = try SeeingDaemon { $0.frameAge = .zero }
        _ = try strict.client.chunk(for: Self.seen(0, Self.pixels(5)))
        let stale = try strict.refusal(of: Self.seen(1, nil))
        #expect(stale.contains("stale") && stale.contains("expected at most 0 ms"), "\(stale)")
        #expect(strict.daemon.statistics.staleObservations == 1)
        // An episode begins with frames of its own.
        var next = try Self.seen(0, nil)
        next.episode = .number(2)
        let missing = seeing.refusal(of: next)
        #expect(missing.contains("missing_feature"), "\(missing)")
    }

    @Test func `Frames are encoded ahead while nothing is planned`() throws {
        let gate = Gate()
        let seeing = try SeeingDaemon(gate: gate)
        try seeing.publish(Self.seen(0, Self.pixels(1), replan: false))
        eventually {
            seeing.prepared.firstBytes
        } is: {
            $0 == [1]
        }
        try seeing.client.publish(Self.seen(1, Self.pixels(2)))
        gate.waitForEntry()
        try seeing.publish(Self.seen(2, Self.pixels(3), replan: false))
        _ = try seeing.client.ping()
        #expect(seeing.prepared.firstBytes == [1], "a chunk is planned")
        gate.pass()
        let chunk = try #require(try seeing.client.nextChunk(until: .now() + .seconds(30)))
        #expect(chunk.sequence == 1)
        eventually {
            seeing.prepared.firstBytes
        } is: {
            $0 == [1, 3]
        }
        let damaged = CameraFrame(.picture(Array(try Self.png(6).dropLast(20)), format: .png))
        try seeing.publish(Self.seen(3, damaged, replan: false))
        eventually {
            seeing.daemon.statistics.rejectedMessages
        } is: {
            $0["bad_image"] == 1
        }
    }

    @Test func `Frames are left alone if they are not to be encoded ahead`() throws {
        let seeing = try SeeingDaemon { $0.encodesAhead = false }
        try seeing.publish(Self.seen(0, Self.pixels(1), replan: false))
        let chunk = try seeing.client.chunk(for: Self.seen(1, Self.pixels(2)))
        #expect(chunk.actions == [1, 2, 1, 3, 1, 4])
        #expect(seeing.prepared.firstBytes.isEmpty)
    }

    @Test func `Clients are told of cameras and of the limits`() throws {
        let seeing = try SeeingDaemon()
        let info = try RobotClient.info(from: seeing.endpoint, context: seeing.daemon.context)
        #expect(info.policy.cameras == [.init(name: "observation.image", height: 2, width: 3)])
        #expect(info.limits?.messageBytes == 1_048_594)
        #expect(info.limits?.countedBytes == 4096)
        let toy = try ToyDaemon()
        let blind = try RobotClient.info(from: toy.endpoints.requests, context: toy.daemon.context)
        #expect(blind.policy.cameras.isEmpty)
        #expect(blind.limits?.messageBytes == 1_048_576)
    }

    @Test func `Frames of a camera server join observations that lack them while they are fresh`() throws {
        let context = try ZeroMQContext()
        let server = try ZeroMQSocket(.publish, context: context)
        let endpoint = try server.bind("tcp://127.0.0.1:*")
        let seeing = try SeeingDaemon {
            $0.cameraSources = [CameraSource(camera: "observation.image", endpoint: endpoint)]
            $0.frameAge = .milliseconds(300)
        }
        func told() throws -> CameraServerStatus {
            let info = try RobotClient.info(from: seeing.endpoint, context: seeing.daemon.context)
            return try #require(info.cameraServers.first)
        }
        #expect(
            try told() == CameraServerStatus(camera: "observation.image", endpoint: endpoint, name: "image")
        )
        #expect(
            seeing.refusal(of: try Self.seen(0, nil)).contains(
                "observation.observation.image: left out, and no frame of it has come from \(endpoint)"
            )
        )

        var encoder = try PictureEncoder()
        // The file's blue is the frame's red, which the planner tells.
        let pixels: [UInt8] = (0..<6).flatMap { _ -> [UInt8] in [0, 0, 100] }
        let jpeg = Data(try encoder.jpeg(pixels.span, height: 2, width: 3)).base64EncodedString()
        var clock = 0
        try eventually(every: .milliseconds(10)) {
            clock += 1
            let text = #"{"timestamps": {"image": \#(clock)}, "images": {"image": "\#(jpeg)"}}"#
            try server.send([Array(text.utf8)])
            return try told().frames > 0
        }
        let chunk = try seeing.client.chunk(for: Self.seen(0, nil))
        #expect(abs(chunk.actions[0] - 100) <= 2, "\(chunk.actions)")
        // The robot's own frame comes before the server's.
        let own = try seeing.client.chunk(for: Self.seen(1, Self.pixels(7)))
        #expect(own.actions[1] == 7)

        eventually { (seeing.daemon.status?.cameraServers.first?.ageNs ?? 0) > 400_000_000 }
        #expect(
            seeing.daemon.status?.warnings
                == ["the newest frame of observation.image from \(endpoint) is 0 s old"]
        )
        let refusal = seeing.refusal(of: try Self.seen(2, nil))
        #expect(refusal.contains("stale"), "\(refusal)")
        #expect(refusal.contains("ms old, expected at most 300 ms"), "\(refusal)")
        #expect(seeing.daemon.statistics.staleObservations == 1)
    }

    @Test func `A camera of which nothing comes is logged once`() throws {
        let context = try ZeroMQContext()
        let server = try ZeroMQSocket(.publish, context: context)
        let endpoint = try server.bind("tcp://127.0.0.1:*")
        let log = LogLines()
        let seeing = try SeeingDaemon {
            $0.cameraSources = [CameraSource(camera: "observation.image", endpoint: endpoint)]
            $0.logger = log.logger
        }
        let silence = "no frame of observation.image from \(endpoint) has come for 5 s or more"
        func lines() -> Int { log.lines.count { $0.contains(silence) } }
        eventually { lines() > 0 }
        let heartbeat = seeing.daemon.status?.monotonicNs ?? 0
        eventually { (seeing.daemon.status?.monotonicNs ?? 0) > heartbeat + 300_000_000 }
        #expect(lines() == 1, "\(log.lines)")
    }

    @Test func `An endpoint of a camera server that is none ends the start`() throws {
        var configuration = DaemonConfiguration.embedded()
        configuration.logger = LogLines().logger
        configuration.cameraSources = [CameraSource(camera: "observation.image", endpoint: "tcp://nowhere")]
        let daemon = try Daemon(configuration: configuration) { _ in OneEyedPlanner(prepared: .init()) }
        #expect(throws: ZeroMQError.self) { try daemon.start() }
        daemon.stop()
    }

    @Test func `Limits and rates leave room for the frames of every camera`() {
        var policy = OneEyedPlanner(prepared: .init()).policy
        policy.cameras = (0..<4).map { .init(name: "camera\($0)", height: 480, width: 640) }
        var configuration = DaemonConfiguration()
        configuration.gr00t = nil
        let roomy = configuration.withRoomForFrames(of: [policy])
        let frameBytes = 4 * 480 * 640 * 3
        #expect(roomy.limits.messageBytes == 1_048_576 + frameBytes)
        var limiter = RateLimiter<Int>(
            perSecond: roomy.messagesPerSecond,
            countedBytes: roomy.countedBytes,
            mostSenders: 4
        )
        let admitted = (0..<200).count { _ in limiter.admit(1, bytes: frameBytes + 400, now: at(0)) }
        #expect((60...150).contains(admitted), "\(admitted) observations at once")
    }
}

import Foundation
import Pictures
import Policy
import PolicyFixtures
import Robotics
import TestSupport
import Testing
import Transport

@testable import Daemon
@testable import MCAP
@testable import Planning
@testable import Recording

/// Recordings of a daemon whose policy sees, computed again.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CameraRecordingTests {
    private static let camera = "observation.image"
    /// Drawing its weights takes a second, so that all tests share it.
    private static let fixture: Result<ImageFixture, any Error> = Result {
        atexit {
            guard let fixture = try? CameraRecordingTests.fixture.get() else { return }
            try? FileManager.default.removeItem(at: fixture.copy.directory)
        }
        return try ImageFixture("one-camera")
    }

    /// How a robot sends its frames.
    enum Sent: CaseIterable { case pixels, jpeg, png }

    private static func planner() throws -> PolicyPlanner {
        let bundle = try PolicyBundle(directory: fixture.get().copy.directory)
        return try PolicyPlanner(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1,
            maximumRobots: 2
        )
    }

    /// A frame of 96x96 pixels that changes with the step, sharp enough for a JPEG to change it.
    private static func frame(_ step: UInt64, _ sent: Sent) throws -> CameraFrame {
        let size = 96
        var pixels = [UInt8](repeating: 0, count: size * size * 3)
        for index in pixels.indices {
            pixels[index] = UInt8(truncatingIfNeeded: index &* index / 7 &+ 40 * Int(step))
        }
        var encoder = try PictureEncoder()
        switch sent {
        case .pixels: return CameraFrame(height: size, width: size, pixels: pixels)
        case .jpeg:
            return CameraFrame(
                .picture(try encoder.jpeg(pixels.span, height: size, width: size), format: .jpeg)
            )
        case .png:
            return CameraFrame(
                .picture(try encoder.png(pixels.span, height: size, width: size), format: .png)
            )
        }
    }

    /// A JPEG whose header is sound and whose picture ends early.
    private static func badFrame(_ step: UInt64) throws -> CameraFrame {
        guard case .picture(let bytes, let format) = try frame(step, .jpeg).content else {
            throw MessageError(.badImage, "no picture")
        }
        return CameraFrame(.picture(Array(bytes.prefix(bytes.count / 2)), format: format))
    }

    private static func observation(
        _ sequence: UInt64,
        _ frame: CameraFrame?,
        episode: UInt64 = 1,
        replan: Bool = true
    ) throws -> RobotObservation {
        RobotObservation(
            robot: try id("arm1"),
            episode: .number(episode),
            sequence: sequence,
            timeNs: 1000 + sequence,
            values: ["observation.state": [0.1 * Float(sequence), -0.5]],
            frames: frame.map { [camera: $0] } ?? [:],
            replan: replan
        )
    }

    /// Runs a daemon, and returns what it recorded and the chunks that it sent.
    private static func record(
        pixelFormat: CameraFrame.Format = .jpeg,
        _ drive: (RobotClient, Daemon) throws -> Void
    ) throws -> [RecordedEvent] {
        let file = RecorderTests.RecordingPath()
        let recorder = try Recorder(
            path: file.path,
            setup: RecorderTests.setup,
            pixelFormat: pixelFormat,
            logger: LogLines().logger
        )
        var configuration = DaemonConfiguration.embedded()
        configuration.logger = LogLines().logger
        configuration.tap = recorder
        configuration.seed = 7
        let daemon = try Daemon(configuration: configuration) { _ in try planner() }
        let endpoints = try daemon.start()
        defer { daemon.stop() }
        let client = try RobotClient(robot: id("arm1"), endpoints: endpoints, context: daemon.context)
        try drive(client, daemon)
        daemon.stop()
        recorder.finish()
        #expect(daemon.statistics.unrecordedMessages == 0)
        return try file.events()
    }

    /// How long the client waits before it asks again, whereupon it may be answered twice. A busy machine takes its time to see.
    private static let patience = Duration.seconds(8)

    /// Two episodes: chunks, observations that ask for none, frames left out. 13 observations, of which two have the frame of the one
    /// before, and 7 chunks. The client may repeat observations that it has no chunk for yet.
    private static func drive(_ client: RobotClient, of daemon: Daemon, sending sent: Sent) throws {
        for episode in 1...2 as ClosedRange<UInt64> {
            for sequence in 0..<3 as Range<UInt64> {
                let step = 10 * episode + 2 * sequence
                _ = try client.chunk(
                    for: observation(2 * sequence, frame(step, sent), episode: episode),
                    longestInterval: patience
                )
                // The newest frame stands in at every other of them.
                let frame = sequence == 1 ? nil : try frame(step + 1, sent)
                try client.publish(observation(2 * sequence + 1, frame, episode: episode, replan: false))
            }
        }
        // What is published takes another way than what is asked.
        eventually { daemon.statistics.observations >= 12 }
        _ = try client.predict(observation(6, frame(30, sent), episode: 2))
    }

    private static func replay(_ events: [RecordedEvent]) throws -> ReplayReport {
        var replay = ChunkReplay(planners: [try planner()], seed: 7, startsWarm: false)
        for event in events { try replay.take(event) }
        return replay.report
    }

    private static func frames(in events: [RecordedEvent]) -> [RecordedFrame] {
        events.compactMap { if case .frame(let frame) = $0 { frame } else { nil } }
    }

    @Test(arguments: [(Sent.jpeg, CameraFrame.Format.jpeg), (.png, .jpeg), (.pixels, .png)])
    func recordedFramesComputeToTheSameChunks(sent: Sent, pixelFormat: CameraFrame.Format) throws {
        let events = try Self.record(pixelFormat: pixelFormat) { client, daemon in
            try Self.drive(client, of: daemon, sending: sent)
        }
        guard case .session(let session)? = events.first else {
            Issue.record("the first message is no session")
            return
        }
        #expect(session.policy.cameras == [.init(name: Self.camera, height: 96, width: 96)])
        let report = try Self.replay(events)
        #expect(report.chunks == 7 && report.compared == 7 && report.identical == 7, "\(report)")
        #expect(report.notComparable.isEmpty)
        let recorded = Self.frames(in: events)
        #expect(recorded.count == report.frames && report.frames == report.observations - 2, "\(report)")
        #expect(recorded.allSatisfy { !$0.isLossy && $0.format == (sent == .jpeg ? .jpeg : .png) })

        // The frames matter: with another's frame a chunk differs.
        guard sent == .jpeg else { return }
        let changed = events.map { event -> RecordedEvent in
            guard case .frame(var frame) = event else { return event }
            frame.picture = recorded[0].picture
            return .frame(frame)
        }
        #expect(try Self.replay(changed).different > 0)
    }

    @Test func lossyFramesAreNotComparable() throws {
        let events = try Self.record { client, daemon in
            try Self.drive(client, of: daemon, sending: .pixels)
            // From here on the robot sends JPEGs. A history has two observations.
            for sequence in 7...9 as ClosedRange<UInt64> {
                _ = try client.predict(Self.observation(sequence, Self.frame(sequence, .jpeg), episode: 2))
            }
        }
        let areLossy = Self.frames(in: events).map(\.isLossy)
        #expect(areLossy.dropLast(3).allSatisfy { $0 } && areLossy.suffix(3) == [false, false, false])
        let report = try Self.replay(events)
        #expect(report.chunks == 10)
        #expect(report.notComparable == ["lossy_frame": 8], "\(report)")
        #expect(report.compared == 2 && report.identical == 2 && report.different == 0)
    }

    @Test func aFrameThatIsMissingMakesChunksIncomparable() throws {
        var events = try Self.record { client, _ in
            for sequence in 0..<6 as Range<UInt64> {
                _ = try client.predict(Self.observation(sequence, Self.frame(sequence, .jpeg)))
            }
        }
        let missing = try #require(
            events.indices.filter { if case .frame = events[$0] { true } else { false } }.dropFirst(2).first
        )
        events.remove(at: missing)
        var report = try Self.replay(events)
        // Of the chunks 0 to 5, those for 2 and 3 are planned from the frame of observation 2.
        #expect(report.notComparable == ["no_frame": 2], "\(report)")
        #expect(report.compared == 4 && report.identical == 4 && report.different == 0)

        // Likewise after a gap, which takes the frame with its observation.
        let observation = try #require(
            events.indices[missing...].first { if case .observation = events[$0] { true } else { false } }
        )
        events[observation] = .gap(lost: 1)
        report = try Self.replay(events)
        #expect(report.notComparable == ["no_observation": 1, "gap": 1], "\(report)")
        #expect(report.identical == 4 && report.different == 0)
    }

    /// Observations that bring those before them along, as clients of a GR00T policy server send them.
    @Test func precedingObservationsComputeToTheSameChunks() throws {
        let file = RecorderTests.RecordingPath()
        var planner = try Self.planner()
        var log = RecordingLog(
            writer: try MCAPWriter(creating: file.path, library: "test"),
            setup: RecorderTests.setup,
            logger: LogLines().logger
        )
        log.record(
            TappedMessage(
                .started(policies: [ServedPolicy(policy: planner.policy, sampler: planner.sampler)])
            )
        )
        for episode in 1...2 as ClosedRange<UInt64> {
            let earlier = try Self.observation(0, Self.frame(episode, .jpeg)).observed
            var observation = try Self.observation(0, Self.frame(10 + episode, .png), episode: episode)
            observation.noiseSeed = episode
            log.record(
                TappedMessage(
                    .observation(observation, preceding: [earlier], isRepeat: false, receivedNs: episode)
                )
            )
            var history = planner.makeHistory()
            try history.append(earlier)
            try history.append(observation.observed)
            let planned = try planner.plan(
                PlanningRequest(
                    robot: observation.robot,
                    episode: observation.episode,
                    sequence: 0,
                    history: history,
                    noiseSeed: episode
                )
            )
            let chunk = RobotChunk(
                robot: observation.robot,
                episode: observation.episode,
                sequence: 0,
                timeNs: 0,
                firstStep: 0,
                actions: planned.actions,
                actionSteps: planner.policy.nActionSteps,
                actionDim: planner.policy.actionDim,
                beyond: planned.beyond,
                noiseSeed: episode,
                sampling: planned.sampling,
                timing: .init(stages: .init(vision: planned.visionNs), receivedNs: episode)
            )
            log.record(TappedMessage(.chunk(chunk, sampled: chunk, isPrediction: true, isGrouped: false)))
        }
        log.finish()
        let events = try file.events()
        #expect(Self.frames(in: events).map(\.format) == [.jpeg, .png, .jpeg, .png])
        var report = try Self.replay(events)
        #expect(report.chunks == 2 && report.identical == 2, "\(report)")
        // The frame of the observation before is one that a chunk is planned from.
        let missing = try #require(events.firstIndex { if case .frame = $0 { true } else { false } })
        report = try Self.replay(Array(events[..<missing] + events[(missing + 1)...]))
        #expect(report.notComparable == ["no_frame": 1] && report.identical == 1, "\(report)")
    }

    @Test func aPictureThatCannotBeDecodedComputesToTheSameChunks() throws {
        let events = try Self.record { client, daemon in
            _ = try client.chunk(
                for: Self.observation(0, Self.frame(0, .jpeg)),
                longestInterval: Self.patience
            )
            // Left out of the history of the chunk after it.
            try client.publish(Self.observation(1, Self.badFrame(1), replan: false))
            eventually { daemon.statistics.observations == 2 }
            _ = try client.predict(Self.observation(2, Self.frame(2, .jpeg)))
            // The newest one: there is no chunk.
            #expect(throws: RobotClientError.self) {
                try client.predict(Self.observation(3, Self.badFrame(3)))
            }
            _ = try client.predict(Self.observation(4, Self.frame(4, .jpeg)))
            _ = try client.predict(Self.observation(5, Self.frame(5, .jpeg)))
            #expect(daemon.statistics.rejectedMessages["bad_image"] ?? 0 >= 2)
        }
        #expect(Self.frames(in: events).count >= 6)
        let report = try Self.replay(events)
        #expect(report.chunks == 4 && report.compared == 4 && report.identical == 4, "\(report)")
        #expect(report.notComparable.isEmpty)
    }

    @Test func anObservationWhoseFramesDoNotFitIsNamed() throws {
        let events = try Self.record { client, _ in
            _ = try client.chunk(
                for: Self.observation(0, Self.frame(0, .jpeg)),
                longestInterval: Self.patience
            )
        }
        func error(_ change: (RecordedEvent) -> RecordedEvent) -> MessageError? {
            do { _ = try Self.replay(events.map(change)) } catch let error as MessageError {
                return error
            } catch {}
            return nil
        }
        // Another size, no picture, a frame of a camera that the policy does not have, no frame.
        var encoder = try PictureEncoder()
        let small = try encoder.png([UInt8](repeating: 0, count: 12).span, height: 2, width: 2)
        for picture in [small, [1, 2, 3]] {
            let found = error { event in
                guard case .frame(var frame) = event else { return event }
                frame.picture = picture
                frame.format = .png
                return .frame(frame)
            }
            #expect(found?.field == "observation.\(Self.camera)", "\(String(describing: found))")
        }
        for (camera, code) in [("other", MessageError.Code.missingFeature), (nil, .missingFeature)] {
            let found = error { event in
                guard case .observation(let message, let preceding, var numbers, let received) = event else {
                    return event
                }
                numbers.own = camera.map { [$0: 1] } ?? [:]
                return .observation(message, preceding: preceding, frames: numbers, receivedNs: received)
            }
            #expect(found?.code == code, "\(String(describing: found))")
        }
    }
}

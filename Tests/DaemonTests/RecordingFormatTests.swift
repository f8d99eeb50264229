import Compute
import Foundation
import Policy
import Robotics
import Testing

@testable import Daemon
@testable import MCAP
@testable import Planning
@testable import Recording

/// Recordings of every format that a replay reads.
@Suite(.timeLimit(.minutes(10))) struct RecordingFormatTests {
    private static func message(
        _ kind: RecordedKind,
        _ json: String,
        topic: String = "/arm1/x"
    ) -> RecordedMessage {
        RecordedMessage(
            topic: topic,
            schema: kind.schemaName,
            encoding: "json",
            sequence: 3,
            timeNs: 0,
            publishNs: 0,
            data: Array(json.utf8)
        )
    }

    private static func chunk(_ fields: String) throws -> RecordedEvent.RecordedChunk? {
        let json = """
            {"robot":"arm1","sequence":4,"noise_seed":18446744073709551615,"quality":"exact","grouped":false,
            "method":"quasi-newton","window":8,"tolerance":0.005,\(fields)}
            """
        guard case .chunk(let chunk)? = try RecordedEvent(message(.chunk, json)) else { return nil }
        return chunk
    }

    private static func problem(_ body: () throws -> Void) -> String? {
        do { try body() } catch let error as RecordedMessageError { return "\(error)" } catch {}
        return nil
    }

    @Test(arguments: [
        (#""episode":5"#, #""episode":"5","episode_type":"integer""#, EpisodeID.number(5)),
        (#""episode":"5""#, #""episode":"5","episode_type":"string""#, .name("5")),
        (#""episode":"05""#, #""episode":"05","episode_type":"string""#, .name("05")),
        (
            #""episode":18446744073709551615"#, #""episode":"18446744073709551615","episode_type":"integer""#,
            .number(.max)
        ),
        (#""episode":"a.b""#, #""episode":"a.b","episode_type":"string""#, .name("a.b")),
    ])
    func bothFormatsSayTheSame(format1: String, format2: String, episode: EpisodeID) throws {
        let old = try Self.chunk(
            format1 + #","action":[[1,2],[3,4]],"beyond":[],"frozen":[[1,2]],"sampled_action":[[5,6],[7,8]]"#
                + #","sampled_beyond":[[9,10]]"#
        )
        let new = try Self.chunk(
            format2
                + #","action_dim":2,"action":[1,2,3,4],"beyond":[],"frozen":[1,2],"sampled_action":[5,6,7,8]"#
                + #","sampled_beyond":[9,10]"#
        )
        #expect(old == new)
        #expect(old?.episode == episode)
        #expect(old?.sampling == .init(method: .quasiNewton, window: 8, tolerance: 0.005))
        #expect(old?.actions == [5, 6, 7, 8, 9, 10] && old?.frozen == [1, 2])
        let unchanged = try Self.chunk(format1 + #","action":[[1,2],[3,4]],"beyond":[]"#)
        #expect(unchanged?.actions == [1, 2, 3, 4] && unchanged?.frozen == [])
    }

    @Test(arguments: [
        (#""episode":"05","episode_type":"integer""#, "episode: "),
        (#""episode":"+5","episode_type":"integer""#, "episode: "),
        (#""episode":"18446744073709551616","episode_type":"integer""#, "episode: "),
        (#""episode":5,"episode_type":"integer""#, "episode: "),
        (#""episode":5,"episode_type":"string""#, "episode: "),
        (#""episode":"a b","episode_type":"string""#, "episode: "),
        (#""episode":"5","episode_type":"number""#, "episode_type: "),
        (#""episode":"5","episode_type":1"#, "episode_type: "),
        (#""episode":1.5"#, "episode: "),
    ])
    func anEpisodeThatIsNoneIsNamed(fields: String, field: String) {
        let problem = Self.problem { _ = try Self.chunk(fields + #","action":[],"beyond":[]"#) }
        #expect(problem?.hasPrefix("\"/arm1/x\" number 3: \(field)found ") == true, "\(problem ?? "none")")
    }

    @Test(arguments: [
        #""action":[1,2,3],"action_dim":2"#, #""action":[1,2],"action_dim":0"#,
        #""action":[1,2],"action_dim":-1"#,
        #""action":[1,2]"#, #""action":[[1,2],3],"action_dim":2"#, #""action":[1,[2]],"action_dim":2"#,
        #""action":[null],"action_dim":1"#, #""action":{},"action_dim":1"#,
    ])
    func actionsThatAreNoneAreNamed(fields: String) {
        let problem = Self.problem {
            _ = try Self.chunk(#""episode":"5","episode_type":"integer","beyond":[],"# + fields)
        }
        #expect(problem?.contains("action") == true, "\(problem ?? "none")")
    }

    @Test(
        arguments: [
            (#"{"robot":"arm1","episode":"5"}"#, nil),
            (#"{"robot":"arm1\u0007","episode":"5"}"#, "robot: found "),
            (#"{"episode":"5"}"#, "robot: the field is missing"),
            (#"{"robot":1,"episode":"5"}"#, "robot: found 1, expected a string"),
            (#"[]"#, "found [], expected an object"),
            (#"{"robot":"arm1","robot":"arm2"}"#, "not JSON: "),
        ] as [(String, String?)]
    )
    func aFieldThatIsNoneIsNamed(json: String, problem: String?) {
        let found = Self.problem { _ = try RecordedEvent(Self.message(.unsent, json)) }
        guard let problem else {
            #expect(found == nil)
            return
        }
        #expect(found?.hasPrefix("\"/arm1/x\" number 3: \(problem)") == true, "\(found ?? "none")")
        #expect(found?.contains("\u{7}") == false)
    }

    @Test func aFormatOfTheFutureIsRefused() {
        let problem = Self.problem {
            _ = try RecordedEvent(Self.message(.session, #"{"format":3}"#, topic: "/session"))
        }
        #expect(problem == #""/session" number 3: format: found 3, expected 1 to 2"#)
    }

    /// The integer 5, the text "5" and others are episodes of their own, one after the other.
    @Test func idsThatLookAlikeStayApart() throws {
        let file = RecorderTests.RecordingPath()
        let recorder = try Recorder(path: file.path, setup: RecorderTests.setup, logger: LogLines().logger)
        let toy = try ToyDaemon {
            $0.tap = recorder
            $0.seed = 7
        }
        let client = try toy.client()
        let episodes: [EpisodeID] = [
            .number(5), .name("5"), .name("05"), .number(0), .name("0"), .number(.max),
            .name("18446744073709551615"), .name("18446744073709551616"), .name("a.b"),
        ]
        var sent: [[Float]] = []
        for (number, episode) in episodes.enumerated() {
            // A history that went on from the episode before would give other chunks.
            for sequence in 0...1 as ClosedRange<UInt64> {
                let first = Float(10 * number) + Float(sequence)
                let chunk = try client.predict(
                    observation(sequence, first: first, episode: episode, noiseSeed: nil)
                )
                #expect(chunk.episode == episode)
                sent.append(chunk.actions + chunk.beyond)
            }
        }
        toy.daemon.stop()
        recorder.finish()

        let events = try file.events()
        let chunks = events.compactMap { if case .chunk(let chunk) = $0 { chunk } else { nil } }
        #expect(chunks.map(\.episode) == episodes.flatMap { [$0, $0] })
        #expect(chunks.map(\.actions) == sent)
        var replay = ChunkReplay(planners: [ToyPlanner()], seed: 7, startsWarm: false)
        for event in events { try replay.take(event) }
        #expect(replay.report.chunks == 18 && replay.report.identical == 18, "\(replay.report)")
    }

    /// What Tests/Oracles/old_recording.py recorded, on every instruction set of this processor.
    @Test(arguments: Backend.available)
    func aRecordingOfFormat1Replays(backend: Backend) throws {
        guard let kernel = Kernel(backend, precision: .f32) else { return }
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "MCAPTests/Resources/format1.mcap").path(percentEncoded: false)
        let reader = try MCAPReader(path)
        let bundle = try PolicyBundle(directory: PolicyPlannerTests.folder)
        let planner = try PolicyPlanner(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1,
            kernel: kernel
        )
        var replay = ChunkReplay(planners: [planner], seed: 3, startsWarm: false)
        var (session, episodes): (RecordingSession?, Set<EpisodeID>) = (nil, [])
        while let message = try reader.next() {
            guard let event = try RecordedEvent(message) else { continue }
            if case .session(let found) = event { session = found }
            if case .observation(let observation, _, _, _) = event, observation.robot.text == "arm2" {
                episodes.insert(observation.episode)
            }
            try replay.take(event)
        }
        #expect(reader.end == .complete)
        #expect(episodes == [.number(5), .name("5"), .name("a.b")])
        #expect(try session?.setup.fingerprint == bundle.fileFingerprint())
        let report = replay.report
        #expect(report.observations == 33 && report.chunks == 19 && report.compared == 19)
        #expect(session != nil)
        // Another processor may change the last bits, also with the same kernel, because OpenBLAS chooses its code by the
        // processor: 1e-4 of the actions' range, 512.
        #expect(report.largestDifference <= 0.05, "\(report)")
    }
}

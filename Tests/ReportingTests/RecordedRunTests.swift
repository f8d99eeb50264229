import Foundation
import MCAP
import Recording
import Robotics
import Testing

@testable import Reporting

@Suite struct RecordedRunTests {
    /// A recording that is removed with the value.
    final class Recorded {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "denoised-report-\(UInt64.random(in: 0 ... .max)).json").path
        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// - Parameter isFinished: whether the file has its end.
        init(_ messages: [TappedMessage.Content], isFinished: Bool = true) throws {
            let writer = try MCAPWriter(creating: path, library: "test")
            var schemas: [String: UInt16] = [:]
            var channels: [String: UInt16] = [:]
            let setup = RecordingSession.Setup(fingerprint: "0", seed: 0, threads: 1, startsWarm: false)
            for message in messages.flatMap({ $0.recorded(setup: setup) }) {
                let name = message.kind.schemaName
                let schema = schemas[name] ?? writer.addSchema(name: name, json: "{}")
                schemas[name] = schema
                let channel =
                    try channels[message.topic] ?? writer.addChannel(topic: message.topic, schema: schema)
                channels[message.topic] = channel
                writer.append(channel: channel, timeNs: 1, data: message.data)
            }
            if isFinished { try writer.finish() } else { try writer.flush() }
        }
    }

    static let started = TappedMessage.Content.started(policies: [
        ServedPolicy(
            policy: PolicyDescription(
                name: "toy",
                features: [FeatureDescription(name: "observation.state", count: 1)],
                horizon: 4,
                nObsSteps: 1,
                nActionSteps: 1,
                actionDim: 1
            ),
            sampler: SamplerDescription(
                solver: "ddim",
                steps: 10,
                method: .quasiNewton,
                window: 4,
                tolerance: 0.005,
                kernel: "f32 on avx2",
                budgetMs: 20
            )
        )
    ])

    /// A chunk that took so long.
    static func chunk(_ robot: String, _ sequence: UInt64, sampleNs: UInt64, coarse: Bool = false) throws
        -> TappedMessage.Content
    {
        let chunk = RobotChunk(
            robot: try #require(RobotID(robot)),
            episode: .name("run"),
            sequence: sequence,
            timeNs: 0,
            firstStep: sequence,
            actions: [1],
            actionSteps: 1,
            actionDim: 1,
            noiseSeed: 0,
            sampling: RobotChunk.Sampling(
                solver: "ddim",
                steps: 10,
                method: .quasiNewton,
                window: 4,
                tolerance: 0.005,
                iterations: 3,
                evaluations: 12,
                quality: coarse ? .coarse : .converged,
                coarseSteps: coarse ? 2 : 0,
                passes: [SamplingPass(firstStep: 2, endStep: 6, evaluations: 4, durationNs: sampleNs / 3)]
            ),
            timing: RobotChunk.Timing(
                stages: RobotChunk.Stages(
                    decode: 1_000,
                    queue: 2_000,
                    condition: 3_000,
                    sample: sampleNs,
                    encode: 4_000,
                    total: sampleNs + 10_000
                ),
                receivedNs: 0
            )
        )
        return .chunk(chunk, sampled: chunk, isPrediction: false, isGrouped: false)
    }

    private static func messages() throws -> [TappedMessage.Content] {
        [
            started, try chunk("arm1", 0, sampleNs: 5_000_000),
            try chunk("arm2", 0, sampleNs: 30_000_000, coarse: true),
            try chunk("arm1", 1, sampleNs: 7_000_000),
        ]
    }

    /// The name ends in `.json`: it is the content that counts.
    @Test func aRecordingHasTimesAndNoScores() throws {
        let recorded = try Recorded(Self.messages())
        let run = try #require(try RunFile(recorded.path).runs.first)
        #expect(run.origin == .recording && run.episodes.isEmpty && run.meanScore == nil)
        #expect(run.policy == "toy" && run.sampler?.name == "ddim 10, quasi-newton 4")
        #expect(run.chunks == 3 && run.evaluationsMean == 12)
        #expect(run.qualities == ["converged": 2, "coarse": 1])
        #expect(run.latency[.sample] == Run.Latency(p50: 7, p90: 30, p99: 30, max: 30))
        #expect(run.latency[.total]?.p50 == 7.01)
        #expect(run.latency[.vision] == nil && run.latency[.roundTrip] == nil)
        #expect(run.histograms[.total]?.total == 3)
        let median = try #require(run.median)
        #expect(median.episode == "arm1, episode run" && median.step == 1)
        #expect(median.stagesNs["sample"] == 7_000_000 && median.passes.first?.endStep == 6)
        #expect(run.slowest?.episode == "arm2, episode run" && run.slowest?.quality == "coarse")
        #expect(run.notes.contains("A recording does not tell scores."))
        #expect(run.notes.contains("Its times are those of 2 robots together."))

        let page = Samples.page([(recorded.path, RunFile(runs: [run]))])
        let elements = try #require(PageElements(page))
        #expect(elements.ids == ["runs", "notes", "latency", "stages", "timeline"])
        // One of three took more than the 20 ms, and two were coarse.
        #expect(run.lateChunks == 1)
        #expect(elements.texts.firstRange(of: ["66.7 %", "33.3 %"]) != nil)
    }

    @Test func aRecordingThatIsCutOffIsReadUpToThere() throws {
        let recorded = try Recorded(Self.messages(), isFinished: false)
        let run = try #require(try RunFile(recorded.path).runs.first)
        #expect(run.chunks == 3)
        #expect(run.notes.contains { $0.hasPrefix("The file is cut off at byte ") })
        // Until its one MCAP chunk is whole, there is not even a session; only what follows that may be missing.
        let bytes = try Data(contentsOf: URL(filePath: recorded.path))
        var refused = 0
        for count in stride(from: 1, to: bytes.count, by: 37) {
            try bytes.prefix(count).write(to: URL(filePath: recorded.path))
            do throws(RunFileError) {
                #expect(try RunFile(recorded.path).runs.first?.chunks == 3, "\(count) bytes")
            } catch {
                refused += 1
            }
        }
        #expect(refused > bytes.count / 37 * 3 / 4)
    }

    @Test func aRecordingWithoutChunksIsRead() throws {
        let recorded = try Recorded([Self.started])
        let file = try RunFile(recorded.path)
        #expect(file.runs.first?.chunks == 0)
        #expect(file.runs.first?.notes.contains("It has no chunk.") == true)
        #expect(PageElements(Samples.page([(recorded.path, file)])) != nil)
    }

    @Test func aRecordingWithoutASessionIsRefused() throws {
        let recorded = try Recorded([try Self.chunk("arm1", 0, sampleNs: 1)])
        let error = try #require(throws: RunFileError.self) { try RunFile(recorded.path) }
        #expect(error.description.contains("does not begin with the settings of a daemon"))
    }
}

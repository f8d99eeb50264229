import ArgumentParser
import ForeignText
import Foundation
import MCAP
import Planning
import Policy
import Recording
import Robotics
import StrictJSON

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Compute the chunks of a recording again and compare.",
        discussion: """
            FILE is what `denoised serve --record` wrote, whole or cut off. Its observations enter the daemon's histories \
            again as they did, and each recorded chunk is planned again from the history, and with the noise, that it had. \
            With the recorded policy and settings, on a processor of the same kind, every chunk comes out the same, bit for \
            bit. OpenBLAS rounds otherwise in a larger batch: with it, one that was planned together with other robots' comes out \
            the same within \(ReplayReport.groupTolerance) in normalised units, or four tolerances of quasi-Newton sampling.

            Options default to the recording's settings. Chunks that were finished early to keep a budget depend on how fast \
            the machine was; they are counted and not compared. So are chunks whose frames came as pixels and were recorded with \
            loss, which `serve --record-raw-images` avoids. docs/RECORDING.md says more.

            Exit codes: 0 no chunk differs, 1 some do, 2 a file that is no sound recording.
            """
    )

    @Argument(help: ArgumentHelp("The recording.", valueName: "file"))
    var recording: String

    @Option(
        help: ArgumentHelp(
            "The policy: \(PolicyOptions.what) Of a recording with several each, as NAME=policy.",
            valueName: PolicyOptions.valueName
        )
    )
    var policy: [PolicyChoice]

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if sampler.budgetMs != nil {
            throw ValidationError("--budget-ms is for serve and sim: a replay takes the time it takes")
        }
    }

    private struct Report: Encodable {
        let recording: String
        /// The byte at which the file is cut off; nil if it is whole.
        let cutOffAt: UInt64?
        let recordedBy: String
        /// Whether the files of every policy are those that were recorded.
        let samePolicy: Bool
        let recordedKernel: String
        let kernel: String
        let replay: ReplayReport
    }

    func run() throws {
        let reader = try Failure.asInput { try MCAPReader(recording) }
        let session = try readSession(reader)
        let parts = try parts(of: session)
        let planners = try parts.map { part in try Failure.asInput { try part.planner() } }
        let options = parts[0].options
        var replay = ChunkReplay(
            planners: planners,
            seed: options.firstSeed,
            startsWarm: options.warmStart != nil,
            tellsWarmChunks: options.warmStart == .partial,
            makePlanner: sampler.window != nil || sampler.method != nil
                ? nil
                : { index, sampling in
                    var part = parts[index]
                    try part.options.take(sampling)
                    return try part.planner()
                }
        )
        let bar = ProgressBar("replaying")
        try Failure.asInput {
            while let message = try reader.next() {
                let (bytes, total) = reader.progress
                bar.advance(to: Int(bytes), of: Int(total) + 1)
                guard let event = try RecordedEvent(message) else { continue }
                do {
                    try replay.take(event)
                } catch let error as MessageError {
                    throw Failure.input("\(message.topic.quoted) number \(message.sequence): \(error)")
                }
            }
        }

        let cutOff: UInt64? = if case .cutOff(let byte) = reader.end { byte } else { nil }
        let report = Report(
            recording: recording,
            cutOffAt: cutOff,
            recordedBy: session.daemonVersion,
            samePolicy: parts.allSatisfy(\.isRecorded),
            recordedKernel: session.sampler.kernel,
            kernel: planners[0].sampler.kernel,
            replay: replay.report
        )
        if json { try Console.json(report) } else { show(report, session) }
        guard replay.report.different == 0 else {
            throw Failure.run(
                "\(replay.report.different) of \(replay.report.compared) chunks came out differently"
            )
        }
    }

    /// A policy that plans again.
    private struct Part {
        let name: String
        let bundle: PolicyBundle
        var options: SamplerOptions
        /// Whether its files are those that were recorded.
        let isRecorded: Bool

        /// Chunks that were planned together are planned together again, each with itself.
        func planner() throws -> PolicyPlanner {
            try PolicyPlanner.factory(bundle: bundle, name: name, sampler: options, maximumGroup: 2)(nil)
        }
    }

    /// The policies of a recording, each as it was given.
    ///
    /// - Throws: `Failure` if one is missing, or is none of the recording's.
    private func parts(of session: RecordingSession) throws -> [Part] {
        let all = session.policies
        let given = try PolicyOptions.loadToRun(policy, threads: sampler.threads)
        let names = all.map { printable($0.policy.name, limit: 64) }.joined(separator: ", ")
        guard given.count == all.count else {
            throw Failure.input(
                "--policy: found \(given.count), expected the \(all.count) of the recording: \(names)"
            )
        }
        return try all.map { recorded in
            guard
                let own = all.count == 1 ? given[0] : given.first(where: { $0.name == recorded.policy.name })
            else {
                throw Failure.input(
                    "--policy: none is called \"\(printable(recorded.policy.name, limit: 64))\", expected those of the "
                        + "recording, each as NAME=FOLDER: \(names)"
                )
            }
            return Part(
                name: own.name,
                bundle: own.bundle,
                options: try sampler.completed(with: recorded, of: session),
                isRecorded: try Failure.asInput { try own.bundle.fileFingerprint() } == recorded.fingerprint
            )
        }
    }

    /// The recording's first message.
    private func readSession(_ reader: MCAPReader) throws -> RecordingSession {
        try Failure.asInput {
            guard let message = try reader.next(), case .session(let session)? = try RecordedEvent(message)
            else {
                throw Failure.input(
                    "\(recording): does not begin with the settings of a daemon, as `denoised serve --record` writes them"
                )
            }
            return session
        }
    }

    private func show(_ report: Report, _ session: RecordingSession) {
        let replay = report.replay
        Console.result(
            "\(session.policies.map(\.policy.name).joined(separator: ", ")): \(replay.observations) observations, "
                + (replay.frames == 0 ? "" : "\(replay.frames) frames, ")
                + "\(replay.chunks) chunks, recorded by denoised "
                + report.recordedBy
        )
        if let byte = report.cutOffAt {
            Console.result("  the file is cut off at byte \(byte); everything before was read")
        }
        if !report.samePolicy { Console.result("  the policy's files are not those that were recorded") }
        if report.kernel != report.recordedKernel {
            Console.result("  computed by \(report.kernel), recorded by \(report.recordedKernel)")
        }
        if replay.lost > 0 { Console.result("  \(replay.lost) messages were lost while recording") }
        Console.result("  \(replay.compared) chunks compared, \(replay.identical) identical")
        if replay.grouped > 0 {
            let close =
                replay.close == 0
                ? ""
                : "; \(replay.close) not identical, but as close as their sampler makes them"
            Console.result("  \(replay.grouped) of them planned together with other robots'\(close)")
        }
        for (reason, count) in replay.notComparable.sorted(by: { $0.key < $1.key }) {
            Console.result("  \(count) not comparable: \(Self.words[reason] ?? reason)")
        }
        if replay.count(of: .lossyFrame) > 0 {
            Console.result(
                "  Frames that came as pixels were recorded as JPEG, which changes them: whether these chunks would come out the "
                    + "same cannot be said. `serve --record-raw-images` records pixels without loss."
            )
        }
        guard replay.different > 0 else { return }
        Console.result("  largest difference \(replay.largestDifference) in the robot's units")
        for difference in replay.differences {
            let size = difference.largest.map { "by \($0)" } ?? "in size"
            Console.result(
                "  \(difference.robot), episode \(difference.episode), observation \(difference.sequence): differs \(size)"
            )
        }
    }

    private static let words = [
        "coarse": "finished in coarse steps to keep a budget",
        "no_observation": "the observation is not in the recording",
        "gap": "messages before it are missing",
        "lossy_frame": "a frame that it was planned from was recorded with loss",
        "no_frame": "a frame that it was planned from is missing",
        "warm_start": "started from a chunk that is not comparable",
    ]
}

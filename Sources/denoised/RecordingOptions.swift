import Compute
import Foundation
import Logging
import Policy
import Recording
import Robotics
import Sampling

/// What `--record` asks for.
enum RecordingOptions {
    /// What a recording begins with. Reads all files of the policies, of which there is at least one.
    static func setup(
        policies: [PolicyBundle],
        sampler: SamplerOptions
    ) throws -> RecordingSession.Setup {
        let fingerprints = try policies.map { policy in try Failure.asInput { try policy.fileFingerprint() } }
        // Either each policy has them, or none.
        let warmSteps = policies.compactMap { sampler.settings(for: $0.configuration, on: .exact).warmSteps }
        return RecordingSession.Setup(
            fingerprint: fingerprints[0],
            furtherFingerprints: Array(fingerprints.dropFirst()),
            seed: sampler.firstSeed,
            threads: sampler.threadCount,
            startsWarm: sampler.warmStart != nil,
            warmSteps: warmSteps.first,
            furtherWarmSteps: Array(warmSteps.dropFirst())
        )
    }

    /// Starts to record.
    ///
    /// - Parameters:
    ///   - path: in which `{time}` stands for now.
    ///   - keepsPixels: whether frames that come as pixels are recorded without loss.
    /// - Throws: `Failure` if the file cannot be created, or is there already.
    static func recorder(
        _ path: String,
        setup: RecordingSession.Setup,
        keepsPixels: Bool,
        logger: Logger
    ) throws -> Recorder {
        try Failure.asInput {
            try Recorder(
                path: name(path),
                setup: setup,
                pixelFormat: keepsPixels ? .png : .jpeg,
                logger: logger
            )
        }
    }

    /// The file's name if the recording starts now.
    static func name(_ path: String) -> String { path.replacing("{time}", with: timeStamp) }

    /// Now in UTC, to the millisecond, in a form that sorts and that any file name may hold.
    private static var timeStamp: String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "yyyyMMdd'T'HHmmss.SSS'Z'"
        return formatter.string(from: Date())
    }
}

extension SamplerOptions {
    /// These options, with a recording's settings for those that were not given.
    ///
    /// - Parameters:
    ///   - policy: what was sampled, and how.
    ///   - session: the recording's.
    /// - Throws: `Failure` for settings that this program does not know.
    func completed(
        with policy: RecordedPolicy,
        of session: RecordingSession
    ) throws -> SamplerOptions {
        let sampler = policy.sampler
        var options = self
        func unknown(_ what: String, _ value: String) -> Failure {
            .input("the recording's \(what) is \"\(value.prefix(64))\", which is not known here")
        }
        if options.solver == nil {
            guard let solver = Solver(rawValue: sampler.solver) else {
                throw unknown("solver", sampler.solver)
            }
            options.solver = solver
        }
        if options.steps == nil { options.steps = sampler.steps }
        if options.window == nil, options.method == nil {
            try options.take(
                RecordedEvent.RecordedChunk.Sampling(
                    method: sampler.method,
                    window: sampler.window,
                    tolerance: sampler.tolerance
                )
            )
        }
        options.takeWarmStart(of: policy, in: session)
        if options.precision == nil {
            let name = sampler.kernel.prefix { $0 != " " }
            guard let precision = PrecisionChoice(rawValue: String(name)) else {
                throw unknown("kernel", sampler.kernel)
            }
            options.precision = precision
        }
        if options.threads == nil {
            guard 1...256 ~= session.setup.threads else {
                throw unknown("threads", "\(session.setup.threads)")
            }
            options.threads = session.setup.threads
        }
        options.seed = options.seed ?? session.setup.seed
        return options
    }

    /// Starts chunks as the recorded daemon did, unless a way was given.
    private mutating func takeWarmStart(of policy: RecordedPolicy, in session: RecordingSession) {
        guard warmStart == nil, session.setup.startsWarm else { return }
        // Older recordings say it of the first policy alone.
        let said = policy.warmSteps == nil ? session.policies[0] : policy
        guard let steps = said.warmSteps else {
            // Chunks that are sampled one step after the other start from nothing in any case.
            warmStart = .guess
            return
        }
        warmStart = .partial
        warmPart = Double(steps) / Double(max(said.sampler.steps, 1))
    }

    /// Samples as a recorded chunk was sampled, with the tolerance that was given if there is one.
    mutating func take(_ sampling: RecordedEvent.RecordedChunk.Sampling) throws {
        guard sampling.method != .sequential else {
            (window, method) = (.steps(1), nil)
            return
        }
        guard let recorded = ParallelMethod(rawValue: sampling.method.rawValue) else {
            throw Failure.input(
                "the recording's method is \"\(sampling.method.rawValue)\", which is not known here"
            )
        }
        (window, method) = (.steps(sampling.window), recorded)
        tolerance = tolerance ?? Float(sampling.tolerance)
    }
}

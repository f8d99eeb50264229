import Compute
import Networks
import Files
import Foundation
import Policy
import Sampling

/// Calibrations kept in a folder, a JSON file for each policy, way of sampling and machine.
///
/// A file that is missing, damaged or of another version counts as absent, and one that cannot be written is not kept:
/// a calibration can always be measured again.
public struct CalibrationCache: Sendable {
    /// Where the files are.
    public let folder: URL
    /// The largest file that is read, in bytes.
    private static let largestFile = 64 << 20
    /// Gets a sentence that names the folder and the reason when a calibration could not be kept.
    private let warn: @Sendable (String) -> Void
    /// Told how far a calibration has come that is being measured, in hundredths.
    let progress: @Sendable (Int) -> Void

    /// A cache in a folder.
    ///
    /// - Parameters:
    ///   - folder: need not exist.
    ///   - warn: gets a sentence when a calibration could not be kept, so that it is measured again at each start.
    ///   - progress: told, on the thread that measures, how many hundredths of a calibration are done; 100 at its end.
    public init(
        folder: URL,
        warn: @escaping @Sendable (String) -> Void = { _ in },
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.folder = folder
        self.warn = warn
        self.progress = progress
    }

    /// The user's: `$XDG_CACHE_HOME/denoised`, by default `~/.cache/denoised`.
    ///
    /// - Parameters:
    ///   - warn: as for ``init(folder:warn:progress:)``.
    ///   - progress: likewise.
    public static func standard(
        warn: @escaping @Sendable (String) -> Void = { _ in },
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) -> CalibrationCache {
        let environment = ProcessInfo.processInfo.environment
        let caches =
            environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? URL(filePath: $0) : nil }
            ?? (environment["HOME"].flatMap { $0.hasPrefix("/") ? URL(filePath: $0) : nil }
            ?? FileManager.default.homeDirectoryForCurrentUser).appending(path: ".cache")
        return CalibrationCache(folder: caches.appending(path: "denoised"), warn: warn, progress: progress)
    }

    /// What a calibration holds for.
    public struct Key: Codable, Hashable, Sendable {
        /// Of the file's contents and of how they are measured.
        var version = 12
        let policy: String
        let fingerprint: UInt64
        let solver: String
        let numInferenceSteps: Int
        let horizon: Int
        let actionDim: Int
        let conditionDim: Int
        let tolerance: Float
        let kernel: String
        let threads: Int
        let machine: String

        /// The key of a policy with settings; nil if the sampler is not calibrated.
        ///
        /// - Parameters:
        ///   - bundle: the policy.
        ///   - settings: how chunks are sampled; only the quasi-Newton sampler is calibrated.
        ///   - kernel: what computes the network.
        ///   - threads: the threads that compute it.
        public init?(bundle: PolicyBundle, settings: SamplerSettings, kernel: Kernel, threads: Int) {
            guard case .quasiNewton(_, let tolerance) = settings.method else { return nil }
            self.policy = bundle.name
            self.fingerprint = bundle.fingerprint
            self.solver = settings.solver.rawValue
            self.numInferenceSteps = settings.numInferenceSteps
            self.horizon = bundle.configuration.horizon
            self.actionDim = bundle.configuration.actionDim
            self.conditionDim = bundle.configuration.architecture.conditionDim
            self.tolerance = tolerance
            self.kernel = kernel.description
            self.threads = threads
            self.machine = Self.thisMachine
        }

        init?(bundle: PolicyBundle, settings: SamplerSettings, network: some Denoiser) {
            self.init(bundle: bundle, settings: settings, kernel: network.kernel, threads: network.threads)
        }

        /// The processor and how many cores there are to run on.
        private static var thisMachine: String {
            let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(
                separator: "\n"
            )
            let model = lines?.first { $0.hasPrefix("model name") }.map { $0.drop { $0 != ":" }.dropFirst(2) }
            return
                "\(ProcessInfo.processInfo.activeProcessorCount) cores of \(model ?? "an unnamed processor")"
        }

        fileprivate var fileName: String {
            var hash = FNV1a()
            for text in [
                "\(version)", policy, solver, "\(numInferenceSteps)", "\(tolerance)", kernel, "\(threads)",
                machine,
            ] {
                hash.add(text)
            }
            hash.add(fingerprint)
            return "calibration-\(String(hash.value, radix: 16)).json"
        }
    }

    private struct File: Codable {
        let key: Key
        let calibration: Calibration
    }

    /// The calibration of `key`, if there is one.
    public func calibration(for key: Key) -> Calibration? {
        let path = folder.appending(path: key.fileName).path(percentEncoded: false)
        guard let bytes = try? RegularFile(path).read(upTo: Self.largestFile),
            let file = try? JSONDecoder().decode(File.self, from: Data(bytes)),
            file.key == key,
            file.calibration.isUsable(for: key)
        else { return nil }
        return file.calibration
    }

    /// Keeps a calibration, or warns that it cannot.
    func keep(_ calibration: Calibration, for key: Key) {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try JSONEncoder().encode(File(key: key, calibration: calibration)).write(
                to: folder.appending(path: key.fileName),
                options: .atomic
            )
        } catch {
            warn(
                "what was measured of this machine cannot be kept in \(folder.path(percentEncoded: false)) "
                    + "(\(error.systemReason)), and is measured again at each start"
            )
        }
    }
}

extension Calibration {
    /// Whether a file that could be read holds what a measurement would have given.
    fileprivate func isUsable(for key: CalibrationCache.Key) -> Bool {
        let steps = key.numInferenceSteps
        let numbers =
            linearization.gains + linearization.errors + linearization.rounding + linearization.volatility
        return linearization.gains.count == steps && numbers.count == 4 * steps
            && numbers.allSatisfy { $0.isFinite && $0 >= 0 }
            && [0, steps * key.horizon * key.horizon].contains(linearization.matrices.count)
            && linearization.matrices.allSatisfy(\.isFinite)
            && firstGuess?.fits(
                conditionCount: key.conditionDim,
                sampleSize: key.horizon * key.actionDim
            ) ?? true
            && linearization.errors.allSatisfy { $0 > 0 }
            && forwardTimes.nanoseconds.count >= 1
            && forwardTimes.nanoseconds.allSatisfy { $0.isFinite && $0 > 0 }
            && windows.contains { $0.window >= 1 && $0.milliseconds.isFinite }
            && windows.allSatisfy { window in
                1...Self.widestWindow ~= window.window && !window.chunks.isEmpty
                    && window.chunks.allSatisfy { chunk in
                        !chunk.isEmpty && chunk.count <= 4 * steps
                            && chunk.allSatisfy { 1...Self.widestWindow ~= $0 }
                    }
            }
    }
}

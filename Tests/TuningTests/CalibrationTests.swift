import Compute
import Foundation
import PolicyFixtures
import Safetensors
import Sampling
import Testing

@testable import Policy
@testable import Tuning

/// A folder that is removed with the value.
private final class CacheFolder {
    let url = FileManager.default.temporaryDirectory
        .appendingPathComponent("denoised-tests-\(UInt64.random(in: 0 ... .max))")

    var cache: CalibrationCache { CalibrationCache(folder: url) }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    func files() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
    }
}

@Suite("Calibrations")
struct CalibrationTests {
    let bundle: PolicyBundle
    let history: ObservationHistory

    init() throws {
        bundle = try PolicyBundle(directory: fixture("processors"))
        let golden = try Golden(of: "processors")
        history = try golden.history(golden.cases[0], of: bundle)
    }

    private func settings(
        _ method: SamplerSettings.Method = .quasiNewton(window: nil, tolerance: 0.01),
        steps: Int = 20
    ) -> SamplerSettings {
        SamplerSettings(solver: .ddpm, numInferenceSteps: steps, method: method)
    }

    private func key(_ settings: SamplerSettings) throws -> CalibrationCache.Key {
        try #require(CalibrationCache.Key(bundle: bundle, settings: settings, kernel: .exact, threads: 1))
    }

    private func policy(_ settings: SamplerSettings, _ cache: CalibrationCache?) throws -> DiffusionPolicy {
        try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1, calibrations: cache)
    }

    private func request(_ seed: UInt64) -> SamplingRequest {
        SamplingRequest(history: history, noise: .seed(seed))
    }

    /// One that no measurement would give, so that it is recognised.
    private func made(
        steps: Int = 20,
        fastest: Int = 5,
        firstGuess: FirstGuess? = nil
    ) -> Calibration {
        Calibration(
            linearization: OutputLinearization(
                gains: [Float](repeating: 0.25, count: steps),
                errors: [Float](repeating: 0.125, count: steps),
                rounding: [Float](repeating: 0.0001, count: steps),
                volatility: [Float](repeating: 0.03125, count: steps)
            ),
            firstGuess: firstGuess,
            forwardTimes: ForwardTimes(nanoseconds: [1_000, 2_000]),
            windows: [1, 3, 5, 8].map { window in
                Calibration.Window(
                    window: window,
                    iterations: 10,
                    evaluations: 30,
                    milliseconds: window == fastest ? 1 : 2,
                    chunks: [[window, window, 1]]
                )
            }
        )
    }

    @Test func `A calibration is measured once`() throws {
        let folder = CacheFolder()
        let key = try key(settings())
        #expect(folder.cache.calibration(for: key) == nil)
        let first = try policy(settings(), folder.cache)
        let kept = try #require(folder.cache.calibration(for: key))
        #expect(try folder.files().count == 1)

        #expect(kept.linearization.gains.count == 20)
        #expect(kept.linearization.volatility.count == 20)
        #expect(kept.firstGuess != nil)
        #expect(kept.forwardTimes.nanoseconds.count == 20)
        #expect(
            !kept.windows.isEmpty && Set(kept.windows.map(\.window)).isSubset(of: WindowSearchRule.windows)
        )
        #expect(kept.windows.allSatisfy { (1...20).contains($0.iterations) && $0.evaluations >= 20 })
        #expect(kept.windows.allSatisfy { $0.milliseconds > 0 })
        #expect(first.settings.method.window == kept.fastestWindow)

        // Another that is made later finds this one, and not another measurement.
        folder.cache.keep(made(), for: key)
        #expect(try policy(settings(), folder.cache).settings.method.window == 5)
        #expect(folder.cache.calibration(for: key) == made())
    }

    @Test func `Few steps have matrices and a first guess`() throws {
        let folder = CacheFolder()
        var few = settings(steps: 15)
        few.solver = .ddim
        let first = try policy(few, folder.cache).sample(request(3)).prediction
        let kept = try #require(folder.cache.calibration(for: key(few)))
        let horizon = bundle.configuration.horizon
        #expect(kept.linearization.matrices.count == 15 * horizon * horizon)
        #expect(kept.linearization.matrices.contains { $0 != 0 })
        let firstGuess = try #require(kept.firstGuess)
        #expect(firstGuess.coefficients.contains { $0 != 0 })
        #expect(try policy(few, folder.cache).sample(request(3)).prediction == first)
    }

    @Test func `What is found again samples the same chunk`() throws {
        let folder = CacheFolder()
        let settings = settings(.quasiNewton(window: 6, tolerance: 0.01))
        let measured = try policy(settings, folder.cache).sample(request(3))
        let found = try policy(settings, folder.cache).sample(request(3))
        #expect(found.prediction == measured.prediction)
        #expect(found.report == measured.report)
        let uncached = try policy(settings, nil).sample(request(3))
        #expect(uncached.prediction == measured.prediction)
    }

    @Test func `Without a window the fastest one is taken`() throws {
        let folder = CacheFolder()
        for fastest in [1, 3, 8] {
            let calibration = made(fastest: fastest)
            #expect(calibration.fastestWindow == fastest)
            folder.cache.keep(calibration, for: try key(settings()))
            let policy = try policy(settings(), folder.cache)
            #expect(policy.settings.method == .quasiNewton(window: fastest, tolerance: 0.01))
            #expect(try policy.sample(request(1)).report.window == fastest)
            #expect(try policy.sample(request(1)).settings == policy.settings)
        }
    }

    @Test func `A window that is given is kept to`() throws {
        let folder = CacheFolder()
        let settings = settings(.quasiNewton(window: 7, tolerance: 0.01))
        folder.cache.keep(made(), for: try key(settings))
        #expect(try policy(settings, folder.cache).settings == settings)
        #expect(try policy(settings, folder.cache).sample(request(1)).report.window == 7)
    }

    @Test func `Other methods are not calibrated`() throws {
        let folder = CacheFolder()
        for method in [SamplerSettings.Method.sequential, .paradigms(window: 4, tolerance: 0.1)] {
            #expect(
                CalibrationCache.Key(bundle: bundle, settings: settings(method), kernel: .exact, threads: 1)
                    == nil
            )
            #expect(try policy(settings(method), folder.cache).settings.method == method)
        }
        #expect(!FileManager.default.fileExists(atPath: folder.url.path))
    }

    @Test func `Whatever a calibration depends on is in its key`() throws {
        let key = try key(settings())
        var ddim = settings()
        ddim.solver = .ddim
        let others: [CalibrationCache.Key?] = [
            CalibrationCache.Key(bundle: bundle, settings: ddim, kernel: .exact, threads: 1),
            CalibrationCache.Key(bundle: bundle, settings: settings(steps: 10), kernel: .exact, threads: 1),
            CalibrationCache.Key(
                bundle: bundle,
                settings: settings(.quasiNewton(window: nil, tolerance: 0.02)),
                kernel: .exact,
                threads: 1
            ),
            CalibrationCache.Key(bundle: bundle, settings: settings(), kernel: .exact, threads: 2),
            CalibrationCache.Key(
                bundle: try PolicyBundle(directory: fixture("buffers")),
                settings: settings(),
                kernel: .exact,
                threads: 1
            ),
        ]
        for other in others {
            #expect(try #require(other) != key)
        }
        let openBLAS = try #require(Kernel(.openBLAS, precision: .f32))
        if Kernel.exact != openBLAS {
            let other = CalibrationCache.Key(
                bundle: bundle,
                settings: settings(),
                kernel: openBLAS,
                threads: 1
            )
            #expect(other != key)
        }
        // A window that is given is none of it: the measurement is of all windows.
        #expect(try self.key(settings(.quasiNewton(window: 4, tolerance: 0.01))) == key)

        let folder = CacheFolder()
        folder.cache.keep(made(), for: key)
        for other in others {
            #expect(folder.cache.calibration(for: try #require(other)) == nil)
        }
    }

    @Test func `A policy that was trained further has a key of its own`() throws {
        let copy = try BundleCopy(of: "processors")
        let key = try key(settings())
        func keyOfCopy() throws -> CalibrationCache.Key? {
            CalibrationCache.Key(
                bundle: try PolicyBundle(directory: copy.directory),
                settings: settings(),
                kernel: .exact,
                threads: 1
            )
        }
        let same = try #require(try keyOfCopy())
        #expect(same.fingerprint == key.fingerprint)
        try copy.editTensors { tensors in
            let name = try #require(tensors.keys.filter { $0.hasSuffix("bias") }.min())
            let old = try SafetensorsFile(contentsOf: fixture("processors/model.safetensors"))
            tensors[name] = .f32(
                try old.floats(name).map { $0 + 0.001 },
                shape: try old.shape(of: name)
            )
        }
        let other = try #require(try keyOfCopy())
        #expect(other.fingerprint != key.fingerprint)
    }

    @Test(arguments: [
        "", "{", "not json at all", "null", "{}", #"{"key": 3, "calibration": []}"#,
    ])
    func `A damaged file counts as absent and is replaced`(content: String) throws {
        let folder = CacheFolder()
        let key = try key(settings(steps: 5))
        folder.cache.keep(made(steps: 5), for: key)
        let file = try #require(folder.files().first)
        try Data(content.utf8).write(to: file)
        #expect(folder.cache.calibration(for: key) == nil)
        let policy = try policy(settings(steps: 5), folder.cache)
        let replaced = try #require(folder.cache.calibration(for: key))
        #expect(replaced != made(steps: 5))
        #expect(policy.settings.method.window == replaced.fastestWindow)
        #expect(try folder.files() == [file])
    }

    /// Files that can be read, but not relied on.
    @Test(arguments: [
        // Of another version, and of another policy under the same name.
        (#""version":12"#, #""version":0"#),
        (#""policy":"processors""#, #""policy":"other""#),
        (#""threads":1"#, #""threads":2"#),
        (#""errors":[0.125"#, #""errors":[0"#),
        (#""errors":[0.125"#, #""errors":[-1"#),
        (#""gains":[0.25"#, #""gains":[0.25,0.25"#),
        (#""gains":[0.25"#, #""gains":[-0.25"#),
        (#""gains":[0.25"#, #""gains":[1e999"#),
        (#""gains":[0.25"#, #""gains":[null"#),
        // Numbers that are square matrices, but of another horizon.
        (#""matrices":[]"#, #""matrices":[1,1,1,1,1]"#),
        (#""matrices":[]"#, #""matrices":[1,1]"#),
        (#""rounding":[0"#, #""rounding":[-1,0"#),
        (#""rounding":[0"#, #""rounding":[0,0"#),
        (#""volatility":[0.03125"#, #""volatility":[-1"#),
        (#""volatility":[0.03125"#, #""volatility":[0.03125,0.03125"#),
        (#""nanoseconds":[1000,2000]"#, #""nanoseconds":[]"#),
        (#""nanoseconds":[1000,2000]"#, #""nanoseconds":[0,2000]"#),
        (#""window":8"#, #""window":0"#),
        (#""chunks":[[8,8,1]]"#, #""chunks":[]"#),
        (#""chunks":[[8,8,1]]"#, #""chunks":[[]]"#),
        (#""chunks":[[8,8,1]]"#, #""chunks":[[8,0,1]]"#),
        (#""chunks":[[8,8,1]]"#, #""chunks":[[8,33,1]]"#),
        (#""window":8"#, #""window":33"#),
        (#""window":8"#, #""window":1000000"#),
    ])
    func `A file that says something else counts as absent`(text: String, other: String) throws {
        let folder = CacheFolder()
        let key = try key(settings(steps: 5))
        folder.cache.keep(made(steps: 5), for: key)
        let file = try #require(folder.files().first)
        let content = try String(contentsOf: file, encoding: .utf8)
        try #require(content.contains(text), "\(content)")
        try Data(content.replacing(text, with: other).utf8).write(to: file)
        #expect(folder.cache.calibration(for: key) == nil)
    }

    /// The first guess is where a chunk starts from unless another is given.
    @Test func `A chunk starts from the first guess of its observation`() throws {
        let policy = try policy(settings(), nil)
        let condition = try policy.condition(for: history)
        var opposite = condition
        for index in opposite.indices { opposite[index] = 1 - opposite[index] }
        let zeros = [Float](repeating: 0, count: policy.predictionCount)
        let half = zeros.map { _ in Float(0.5) }

        /// A chunk with a first guess of 0.5 near one condition and 0 near the other.
        func chunk(near: [Float], tolerance: Float = 0.01, guess: [Float]? = nil) throws -> [Float] {
            let folder = CacheFolder()
            let settings = settings(.quasiNewton(window: 8, tolerance: tolerance))
            let firstGuess = FirstGuess([(near, half), (near == condition ? opposite : condition, zeros)])
            folder.cache.keep(made(firstGuess: firstGuess), for: try key(settings))
            let policy = try self.policy(settings, folder.cache)
            return try policy.sample(
                SamplingRequest(
                    history: history,
                    noise: .seed(3),
                    guess: guess.map { .init(from: $0, elapsedSteps: 0) }
                )
            ).prediction
        }
        #expect(try chunk(near: condition) != chunk(near: opposite))
        #expect(try chunk(near: condition, tolerance: 0) == chunk(near: opposite, tolerance: 0))
        #expect(try chunk(near: condition, guess: zeros) == chunk(near: opposite, guess: zeros))
    }

    @Test(arguments: [
        (conditions: 1, x0: 0), (conditions: 0, x0: 1), (conditions: -1, x0: 0), (conditions: 0, x0: -1),
    ])
    func `A first guess of another policy counts as absent`(more: (conditions: Int, x0: Int)) throws {
        let folder = CacheFolder()
        let key = try key(settings(steps: 5))
        func firstGuess(conditions: Int, x0: Int) -> FirstGuess {
            let architecture = bundle.configuration.architecture
            return FirstGuess([
                (
                    [Float](repeating: 1, count: architecture.conditionDim + conditions),
                    [Float](repeating: 1, count: architecture.sampleSize + x0)
                )
            ])
        }
        folder.cache.keep(made(steps: 5, firstGuess: firstGuess(conditions: 0, x0: 0)), for: key)
        #expect(folder.cache.calibration(for: key) != nil)
        folder.cache.keep(
            made(steps: 5, firstGuess: firstGuess(conditions: more.conditions, x0: more.x0)),
            for: key
        )
        #expect(folder.cache.calibration(for: key) == nil)
    }

    @Test func `A file without windows counts as absent`() throws {
        let folder = CacheFolder()
        let key = try key(settings(steps: 5))
        let calibration = made(steps: 5)
        folder.cache.keep(
            Calibration(
                linearization: calibration.linearization,
                firstGuess: nil,
                forwardTimes: calibration.forwardTimes,
                windows: []
            ),
            for: key
        )
        #expect(try folder.files().count == 1)
        #expect(folder.cache.calibration(for: key) == nil)
    }

    @Test(arguments: ["/proc/denoised-cache", "/dev/null/cache"])
    func `A folder that cannot be written does no harm`(path: String) throws {
        let cache = CalibrationCache(folder: URL(filePath: path))
        let key = try key(settings(steps: 5))
        cache.keep(made(steps: 5), for: key)
        #expect(cache.calibration(for: key) == nil)
        let policy = try policy(settings(steps: 5), cache)
        #expect(try policy.sample(request(1)).actions.count == 8)
    }

    @Test func `A folder where the file should be does no harm`() throws {
        let folder = CacheFolder()
        let key = try key(settings(steps: 5))
        folder.cache.keep(made(steps: 5), for: key)
        let file = try #require(folder.files().first)
        try FileManager.default.removeItem(at: file)
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: true)
        #expect(folder.cache.calibration(for: key) == nil)
        #expect(try policy(settings(steps: 5), folder.cache).settings.method.window != nil)
    }

    @Test func `The user's cache is where caches belong`() {
        let folder = CalibrationCache.standard().folder
        #expect(folder.lastPathComponent == "denoised")
        let caches = ProcessInfo.processInfo.environment["XDG_CACHE_HOME"].map { URL(filePath: $0).path }
        let expected = caches ?? FileManager.default.homeDirectoryForCurrentUser.path + "/.cache"
        #expect(folder.deletingLastPathComponent().path == expected)
    }
}

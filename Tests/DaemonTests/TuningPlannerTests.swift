import Clocks
import Compute
import Foundation
import Policy
import Robotics
import Sampling
import Stalls
import Testing
import Transport
import Tuning
import Wire

@testable import Daemon
@testable import Planning
@testable import Recording

/// A folder for calibrations, removed with the value.
private final class CalibrationFolder {
    private let url = FileManager.default.temporaryDirectory
        .appending(path: "denoised-tuning-\(UInt64.random(in: 0 ... .max))", directoryHint: .isDirectory)

    deinit { try? FileManager.default.removeItem(at: url) }

    /// One of several caches in it.
    func cache(_ name: String = "cache") -> CalibrationCache {
        CalibrationCache(folder: url.appending(path: name, directoryHint: .isDirectory))
    }
}

/// Planning while the policy is calibrated.
@Suite struct TuningPlannerTests {
    private let bundle: PolicyBundle
    private let settings: SamplerSettings

    init() throws {
        bundle = try PolicyBundle(directory: PolicyPlannerTests.folder)
        var settings = bundle.configuration.defaultSettings
        settings.method = .quasiNewton(window: nil, tolerance: 0.01)
        self.settings = settings
    }

    private func planner(
        tunesLater: Bool = true,
        keepsDeadlines: Bool = false,
        calibrations: CalibrationCache? = nil
    ) throws -> PolicyPlanner {
        try PolicyPlanner(
            bundle: bundle,
            settings: settings,
            threads: 2,
            keepsDeadlines: keepsDeadlines,
            maximumGroup: 3,
            calibrations: calibrations,
            tunesLater: tunesLater
        )
    }

    private func request(_ planner: PolicyPlanner, seed: UInt64) throws -> PlanningRequest {
        var history = planner.makeHistory()
        try history.append(bundle.middleObservation)
        return PlanningRequest(
            robot: try id("arm1"),
            episode: .number(1),
            sequence: 0,
            history: history,
            noiseSeed: seed
        )
    }

    private func turns(_ interruption: Interruption = Interruption()) -> IdleTurns {
        IdleTurns(interruption: interruption, progress: { _ in })
    }

    @Test(arguments: [false, true])
    func chunksAreSequentialUntilThePlannerIsTuned(keepsDeadlines: Bool) throws {
        var sequential = settings
        sequential.method = .sequential
        var expected = try PolicyPlanner(bundle: bundle, settings: sequential, threads: 2)
        var planner = try planner(keepsDeadlines: keepsDeadlines)
        #expect(!planner.isTuned)
        #expect(planner.sampler.method == .sequential && planner.sampler.window == 1)
        #expect(planner.grouping != nil)
        let before = try planner.plan(request(planner, seed: 3))
        #expect(before.actions == (try expected.plan(request(expected, seed: 3))).actions)
        #expect(before.sampling.method == .sequential && before.sampling.window == 1)

        var served = 0
        try planner.tune(turns()) { planner in
            // Whatever is planned between the passes is sequential still.
            if served.isMultiple(of: 50), let request = try? self.request(planner, seed: 3) {
                let chunk = try? planner.plan(request)
                #expect(chunk?.actions == before.actions)
                served += 1
                return .served(nanoseconds: 1)
            }
            served += 1
            return .served(nanoseconds: 0)
        }
        #expect(served > 100)
        #expect(planner.isTuned)
        #expect(planner.sampler.method == .quasiNewton)
        let after = try planner.plan(request(planner, seed: 3))
        #expect(after.sampling.method == .quasiNewton)
        #expect(after.sampling.window == planner.sampler.window)
        #expect(planner.deviation(of: after.actions, from: before.actions) < 0.04)
    }

    /// The calibration's own passes are the same whoever uses the network between them.
    @Test func whatIsMeasuredBetweenChunksIsWhatIsMeasuredAtOnce() throws {
        let folder = CalibrationFolder()
        let caches = ["quiet", "busy"].map(folder.cache)
        let key = try #require(
            CalibrationCache.Key(bundle: bundle, settings: settings, kernel: .exact, threads: 2)
        )
        _ = try planner(tunesLater: false, calibrations: caches[0])
        var busy = try planner(calibrations: caches[1])
        var calls = 0
        let interruption = Interruption()
        try busy.tune(turns(interruption)) { planner in
            calls += 1
            // Every third pass is interrupted once.
            if calls.isMultiple(of: 3) { interruption.ask() } else { interruption.clear() }
            if calls.isMultiple(of: 7), let request = try? self.request(planner, seed: UInt64(calls)) {
                _ = try? planner.plan(request)
            }
            return .served(nanoseconds: calls.isMultiple(of: 7) ? 1 : 0)
        }
        let quiet = try #require(caches[0].calibration(for: key))
        let measured = try #require(caches[1].calibration(for: key))
        #expect(measured.linearization == quiet.linearization)
        #expect(measured.firstGuess == quiet.firstGuess)
        // Another one is tuned from the start.
        #expect(try planner(calibrations: caches[1]).isTuned)
    }

    @Test func aDaemonThatEndsKeepsNoCalibration() throws {
        let folder = CalibrationFolder()
        let cache = folder.cache()
        for last in [1, 5, 40, 200] {
            var planner = try planner(calibrations: cache)
            var calls = 0
            try planner.tune(turns()) { _ in
                calls += 1
                return calls < last ? .served(nanoseconds: 0) : .ended
            }
            #expect(calls == last)
            #expect(!planner.isTuned)
            #expect(planner.sampler.method == .sequential)
        }
        #expect(!FileManager.default.fileExists(atPath: cache.folder.path(percentEncoded: false)))
    }

    /// Robots that leave no time at all give a tenth of theirs.
    @Test func chunksWithoutAPauseDoNotKeepThePlannerFromBeingTuned() throws {
        var planner = try planner()
        let interruption = Interruption()
        interruption.ask()
        var calls = 0
        try planner.tune(turns(interruption)) { _ in
            calls += 1
            // A chunk waits whenever anybody looks.
            return .served(nanoseconds: 1_000_000)
        }
        #expect(planner.isTuned)
        #expect(calls > 10)
    }

    @Test(.timeLimit(.minutes(10))) func aDaemonServesWhileItIsCalibrated() throws {
        let folder = CalibrationFolder()
        let cache = folder.cache()
        var configuration = DaemonConfiguration.embedded(name: "tuning")
        configuration.messagesPerSecond = 1_000_000
        let (bundle, settings) = (bundle, settings)
        let daemon = try Daemon(configuration: configuration) { watch in
            try PolicyPlanner(
                bundle: bundle,
                settings: settings,
                threads: 2,
                stallWatch: watch,
                calibrations: cache,
                tunesLater: true
            )
        }
        let endpoints = try daemon.start()
        defer { daemon.stop() }
        let client = try RobotClient(robot: try id("arm1"), endpoints: endpoints, context: daemon.context)
        let first = try client.info(timeout: .seconds(10))
        #expect(first.calibrationPercent <= 100)
        var methods: [SamplingMethod] = []
        var sequence: UInt64 = 0
        let deadline = ContinuousClock.now + .seconds(50)
        while methods.last != .quasiNewton, ContinuousClock.now < deadline {
            let observation = RobotObservation(
                robot: client.robot,
                episode: .number(1),
                sequence: sequence,
                timeNs: 0,
                values: bundle.middleObservation.values
            )
            let chunk = try client.chunk(for: observation, timeout: .seconds(20))
            methods.append(chunk.sampling.method)
            sequence += 1
        }
        #expect(methods.last == .quasiNewton)
        let last = try client.info(timeout: .seconds(10))
        #expect(last.calibrationPercent == 100)
        #expect(last.sampler.method == .quasiNewton)
        #expect(daemon.policies.first?.sampler.method == .quasiNewton)
    }
}

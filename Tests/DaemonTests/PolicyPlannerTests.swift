import Compute
import Foundation
import Policy
import Robotics
import Sampling
import Testing
import Tuning

@testable import Daemon
@testable import Planning
@testable import Recording

/// A policy as the daemon's planner.
@Suite struct PolicyPlannerTests {
    /// Horizon 8, 2 observation steps, 4 action steps, actions of 2 numbers.
    static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "PolicyTests/Fixtures/processors", directoryHint: .isDirectory)

    @Test func chunkIsThePredictionFromTheNewestObservationOn() throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        let settings = bundle.configuration.defaultSettings
        var planner = try PolicyPlanner(bundle: bundle, settings: settings, threads: 1)
        var history = planner.makeHistory()
        try history.append(bundle.middleObservation)
        let planned = try planner.plan(
            PlanningRequest(
                robot: id("arm1"),
                episode: .number(1),
                sequence: 0,
                history: history,
                noiseSeed: 3
            )
        )
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
        let prediction = try policy.sample(SamplingRequest(history: history, noise: .seed(3))).prediction
        #expect(planned.actions == Array(prediction[2..<10]))
        #expect(planned.beyond == Array(prediction[10...]))
        #expect(planned.beyond.count == 6)
        #expect(planned.frozen.isEmpty)
    }

    @Test func frozenActionsAreThoseFromTheNewestObservationOn() throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        var planner = try PolicyPlanner(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1
        )
        var history = planner.makeHistory()
        try history.append(bundle.middleObservation)
        func plan(seed: UInt64, frozen: [Float] = []) throws -> PlannedChunk {
            try planner.plan(
                PlanningRequest(
                    robot: id("arm1"),
                    episode: .number(1),
                    sequence: 0,
                    history: history,
                    noiseSeed: seed,
                    frozen: frozen
                )
            )
        }
        let frozen = Array(try plan(seed: 4).actions[..<4])
        let free = try plan(seed: 3)
        let planned = try plan(seed: 3, frozen: frozen)
        #expect(planned.frozen == frozen)
        #expect(zip(planned.actions, frozen).allSatisfy { abs($0 - $1) < 1e-4 * max(1, abs($1)) })
        #expect(planned.actions[4...] != free.actions[4...])
        #expect(try plan(seed: 3).actions == free.actions)
    }

    /// Without a budget chunks are grouped only if a group changes no chunk: if it is sampled step by step, which makes nothing of a
    /// rounding error, or with a kernel whose outputs do not depend on the rest of a batch.
    @Test(
        arguments: [
            (.sequential, false), (.paradigms(window: 3, tolerance: 0.1), true),
            (.quasiNewton(window: 3, tolerance: 0.05), true),
        ] as [(SamplerSettings.Method, Bool)],
        Backend.available
    )
    func whoElseAsksChangesNoChunkWithoutABudget(
        method: (SamplerSettings.Method, needsEqualBits: Bool),
        backend: Backend
    ) throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        var settings = bundle.configuration.defaultSettings
        settings.method = method.0
        for keepsDeadlines in [false, true] {
            var planner = try PolicyPlanner(
                bundle: bundle,
                settings: settings,
                threads: 1,
                kernel: try #require(backend.precisions.first.flatMap { Kernel(backend, precision: $0) }),
                keepsDeadlines: keepsDeadlines,
                maximumGroup: 3
            )
            // How many passes ParaDiGMS takes is not known beforehand.
            let isCounted = if case .paradigms = method.0 { false } else { true }
            let isGrouped =
                isCounted && (keepsDeadlines || !method.needsEqualBits || backend != .openBLAS)
            #expect((planner.grouping != nil) == isGrouped)
            #expect((planner.grouping?.togetherNs.count ?? 3) == 3)
            guard planner.grouping != nil, backend != .openBLAS else { continue }
            let requests = try requests(of: planner, bundle: bundle)
            let together = try planner.plan(together: requests).map { try $0.get() }
            for (request, chunk) in zip(requests, together) {
                let alone = try planner.plan(request)
                #expect(chunk.isGrouped && !alone.isGrouped)
                #expect(chunk.actions == alone.actions && chunk.beyond == alone.beyond)
                #expect(chunk.sampling.withoutDurations == alone.sampling.withoutDurations)
                #expect(chunk.sampling.passes.count == chunk.sampling.iterations)
                #expect(chunk.sampling.method == planner.sampler.method)
                #expect(chunk.frozen == request.frozen && chunk.frozen == alone.frozen)
            }
        }
    }

    /// Three robots' requests, of which one has frozen actions.
    private func requests(of planner: PolicyPlanner, bundle: PolicyBundle) throws -> [PlanningRequest] {
        try ["a", "b", "c"].enumerated().map { index, robot in
            let values = bundle.middleObservation.values.mapValues { $0.map { $0 + 0.1 * Float(index) } }
            var history = planner.makeHistory()
            try history.append(Observation(values: values))
            return PlanningRequest(
                robot: try id(robot),
                episode: .number(1),
                sequence: 0,
                history: history,
                noiseSeed: UInt64(index),
                frozen: index == 1 ? values.values.first.map { Array($0[..<2]) } ?? [] : []
            )
        }
    }

    /// A robot that starts warm starts from its own last chunk, in a group as well.
    @Test func chunksOfAGroupStartWarm() throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        var settings = bundle.configuration.defaultSettings
        settings.method = .quasiNewton(window: 3, tolerance: 0.05)
        func planner() throws -> PolicyPlanner {
            try PolicyPlanner(
                bundle: bundle,
                settings: settings,
                threads: 1,
                startsWarm: true,
                maximumGroup: 3
            )
        }
        var (together, alone) = (try planner(), try planner())
        var requests = try requests(of: together, bundle: bundle)
        for sequence in 0..<3 as Range<UInt64> {
            for index in requests.indices { requests[index].sequence = sequence }
            for (request, chunk) in zip(requests, together.plan(together: requests)) {
                #expect(try chunk.get().actions == alone.plan(request).actions)
            }
        }
    }

    /// A robot's chunk starts from its last one unless there is none in the episode, or it no longer reaches so far.
    @Test func chunksStartFromNoiseAloneIfThereIsNoLastOne() throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        var settings = bundle.configuration.defaultSettings
        settings.warmSteps = 2
        var planner = try PolicyPlanner(bundle: bundle, settings: settings, threads: 1, startsWarm: true)
        var request = try requests(of: planner, bundle: bundle)[0]
        func plan(sequence: UInt64, episode: UInt64) throws -> PlannedChunk {
            request.sequence = sequence
            request.episode = .number(episode)
            return try planner.plan(request)
        }
        let first = try plan(sequence: 0, episode: 1)
        #expect(first.sampling.quality == .exact)
        let second = try plan(sequence: 7, episode: 1)
        #expect(second.sampling.quality == .warm)
        #expect(second.sampling.evaluations == 2 && second.sampling.steps == settings.numInferenceSteps)
        #expect(second.sampling.coarseSteps == 0)
        // The horizon is 8.
        #expect(try plan(sequence: 15, episode: 1).sampling.quality == .exact)
        // The same observation again: nothing has passed.
        #expect(try plan(sequence: 15, episode: 1).sampling.quality == .exact)
        #expect(try plan(sequence: 16, episode: 1).sampling.quality == .warm)
        #expect(try plan(sequence: 17, episode: 2).sampling.quality == .exact)
        #expect(try plan(sequence: 18, episode: 2).sampling.quality == .warm)
        // A robot that was reset has a history that begins anew, in the same episode perhaps.
        request.history = planner.makeHistory()
        try request.history.append(bundle.middleObservation)
        #expect(try plan(sequence: 19, episode: 2).sampling.quality == .exact)
        #expect(try plan(sequence: 20, episode: 2).sampling.quality == .warm)
    }

    @Test(arguments: [SamplerSettings.Method.sequential, .quasiNewton(window: 3, tolerance: 0.05)])
    func chunksPlannedTogetherAreComputedAgain(method: SamplerSettings.Method) throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        var settings = bundle.configuration.defaultSettings
        settings.method = method
        var planner = try PolicyPlanner(bundle: bundle, settings: settings, threads: 1, maximumGroup: 3)
        let replaying = try PolicyPlanner(bundle: bundle, settings: settings, threads: 1, maximumGroup: 2)
        var replay = ChunkReplay(planners: [replaying], seed: 0, startsWarm: false)

        var requests: [PlanningRequest] = []
        for (index, robot) in ["a", "b", "c"].enumerated() {
            let values = bundle.middleObservation.values.mapValues { $0.map { $0 + 0.1 * Float(index) } }
            var history = planner.makeHistory()
            try history.append(Observation(values: values))
            let message = RobotObservation(
                robot: try id(robot),
                episode: .number(1),
                sequence: 0,
                timeNs: 0,
                values: values,
                noiseSeed: UInt64(index)
            )
            try replay.take(.observation(message, receivedNs: 1))
            requests.append(
                PlanningRequest(
                    robot: try id(robot),
                    episode: .number(1),
                    sequence: 0,
                    history: history,
                    noiseSeed: UInt64(index)
                )
            )
        }
        let planned = try planner.plan(together: requests).map { try $0.get() }
        for (request, planned) in zip(requests, planned) {
            #expect(planned.isGrouped && planned.sampling.method == planner.sampler.method)
            let chunk = RecordedEvent.RecordedChunk(
                robot: request.robot,
                episode: request.episode,
                sequence: request.sequence,
                noiseSeed: request.noiseSeed,
                actions: planned.actions + planned.beyond,
                quality: planned.sampling.quality,
                isGrouped: planned.isGrouped
            )
            try replay.take(.chunk(chunk))
        }
        #expect(replay.report.grouped == 3 && replay.report.different == 0, "\(replay.report)")
        #expect(replay.report.identical + replay.report.close == 3)
    }
}

extension RobotChunk.Sampling {
    /// What does not depend on the machine's speed.
    fileprivate var withoutDurations: Self {
        var sampling = self
        for index in sampling.passes.indices { sampling.passes[index].durationNs = 0 }
        return sampling
    }
}

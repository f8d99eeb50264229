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

    @Test(
        arguments: [
            (.sequential, false, true), (.quasiNewton(window: 3, tolerance: 0.05), false, false),
            (.paradigms(window: 3, tolerance: 0.1), false, false),
            (.quasiNewton(window: 3, tolerance: 0.05), true, true),
        ] as [(SamplerSettings.Method, Bool, Bool)]
    )
    func whoElseAsksChangesNoChunkWithoutABudget(
        method: SamplerSettings.Method,
        keepsDeadlines: Bool,
        isGrouped: Bool
    ) throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        var settings = bundle.configuration.defaultSettings
        settings.method = method
        let planner = try PolicyPlanner(
            bundle: bundle,
            settings: settings,
            threads: 1,
            keepsDeadlines: keepsDeadlines,
            maximumGroup: 3
        )
        // In a group chunks are sampled step by step.
        #expect((planner.grouping != nil) == isGrouped)
    }

    @Test(arguments: [SamplerSettings.Method.sequential, .quasiNewton(window: 3, tolerance: 0.05)])
    func chunksPlannedTogetherAreComputedAgain(method: SamplerSettings.Method) throws {
        let bundle = try PolicyBundle(directory: Self.folder)
        var settings = bundle.configuration.defaultSettings
        settings.method = method
        var planner = try PolicyPlanner(bundle: bundle, settings: settings, threads: 1, maximumGroup: 3)
        let replaying = try PolicyPlanner(bundle: bundle, settings: settings, threads: 1, maximumGroup: 2)
        var replay = ChunkReplay(planner: replaying, seed: 0, startsWarm: false)

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
            #expect(planned.isGrouped && planned.sampling.method == .sequential)
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

        // A group has no way to freeze actions: then the chunks are planned in turn.
        requests[1].frozen = Array(planned[1].actions[..<2])
        for result in planner.plan(together: requests) { #expect(try !result.get().isGrouped) }
    }
}

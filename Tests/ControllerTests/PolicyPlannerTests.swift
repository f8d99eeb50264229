import Controller
import Foundation
import Policy
import Testing

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
        let prediction = try policy.actionChunk(for: history, seed: 3).prediction
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
}

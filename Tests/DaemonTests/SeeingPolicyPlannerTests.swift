import Foundation
import Pictures
import Policy
import PolicyFixtures
import Robotics
import Testing
import Tuning

@testable import Planning

/// A policy with a camera as the daemon's planner.
@Suite struct SeeingPolicyPlannerTests {
    private let fixture: ImageFixture
    private let bundle: PolicyBundle
    private let observations: [Observation]
    private let camera = "observation.image"

    init() throws {
        fixture = try ImageFixture("no-crop")
        bundle = try PolicyBundle(directory: fixture.copy.directory)
        observations = fixture.observations(of: bundle)
    }

    private func planner(group: Int = 1) throws -> PolicyPlanner {
        try PolicyPlanner(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1,
            maximumGroup: group,
            maximumRobots: 2
        )
    }

    private func request(_ observations: [Observation]) throws -> PlanningRequest {
        var history = bundle.makeHistory()
        for observation in observations { try history.append(observation) }
        return PlanningRequest(
            robot: try id("arm1"),
            episode: .number(1),
            sequence: 1,
            history: history,
            noiseSeed: 3
        )
    }

    /// The observation with its frame as a picture, of which the last bytes may be missing.
    private func compressed(_ observation: Observation, without bytes: Int = 0) throws -> Observation {
        guard case .pixels(let pixels, let height, let width)? = observation.frames[camera]?.content else {
            return observation
        }
        var encoder = try PictureEncoder()
        let picture = try encoder.png(pixels.span, height: height, width: width)
        var compressed = observation
        compressed.frames[camera] = CameraFrame(.picture(Array(picture.dropLast(bytes)), format: .png))
        return compressed
    }

    @Test func `A lossless picture is its pixels, prepared or not, alone or in a group`() throws {
        var planner = try planner(group: 2)
        let raw = try planner.plan(request(observations))
        #expect(raw.visionNs ?? 0 > 0)
        let pictures = try observations.map { try compressed($0) }
        let request = try request(pictures)
        #expect(planner.prepare(request.history, camera: 0) == nil)
        #expect(try planner.plan(request).actions == raw.actions)
        #expect(
            try planner.plan(together: [request, request]).map { try $0.get().actions } == [
                raw.actions, raw.actions,
            ]
        )
        #expect(planner.policy.cameras == [.init(name: camera, height: 45, width: 61)])
    }

    @Test func `A chunk is planned without an earlier step that cannot be seen`() throws {
        var planner = try planner(group: 2)
        let alone = try planner.plan(request([observations[1]]))
        let damaged = try request([compressed(observations[0], without: 30), observations[1]])
        let chunk = try planner.plan(damaged)
        #expect(chunk.actions == alone.actions)
        #expect(chunk.badFrames.map(\.camera) == [camera])
        #expect(chunk.badFrames.first?.reason.contains("PNG") == true)
        let again = try planner.plan(damaged)
        #expect(again.actions == alone.actions)
        #expect(again.badFrames.isEmpty, "it is told of once")
        for result in planner.plan(together: [damaged, damaged]) {
            #expect(try result.get().actions == alone.actions)
        }
    }

    @Test func `There is no chunk for a step that cannot be seen`() throws {
        var planner = try planner()
        let damaged = try request([observations[0], compressed(observations[1], without: 30)])
        #expect(planner.prepare(damaged.history, camera: 0)?.camera == camera)
        #expect(planner.prepare(damaged.history, camera: 0) == nil, "it is told of once")
        let error = #expect(throws: ActionChunkError.self) { try planner.plan(damaged) }
        guard case .badFrame(let frame)? = error.map(PlanningFailure.init) else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(frame.camera == camera)
    }
}

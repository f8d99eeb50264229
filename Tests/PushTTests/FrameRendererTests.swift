import CAllocationCounter
import Foundation
import PushT
import Testing

/// The frames against gym-pusht's, byte for byte.
@Suite struct FrameRendererTests {
    /// Grey levels.
    static let meanDifference = 1.0
    /// Of the bytes of all frames.
    static let shareFarOff = 0.005

    /// How many of a frame's 27,648 bytes may differ. On ARM the physics rounds otherwise (`GymParityTests`), so that a corner of the
    /// block may lie in the next pixel: one of the fifty frames differs, in 149 bytes.
    #if arch(arm64)
        static let differingBytes = 200
    #else
        static let differingBytes = 0
    #endif

    @Test func recordingIsWhole() {
        let gym = GymFrames.gym
        #expect(gym.episodes.reduce(0) { $0 + $1.frames.count } == 50)
        #expect(gym.episodes.allSatisfy { $0.frames.count == $0.steps.count })
        #expect(gym.bareTable.count == 96 * 96 * 3)
        // Red, as nothing else on the table is: somewhere a contact is drawn.
        let hasContact = gym.episodes.flatMap(\.frames).contains { runs in
            let frame = GymFrames.decoded(runs, over: gym.bareTable)
            return stride(from: 0, to: frame.count, by: 3).contains { (pixel: Int) -> Bool in
                let (red, green, blue) = (Int(frame[pixel]), Int(frame[pixel + 1]), Int(frame[pixel + 2]))
                return red > green + 40 && red > blue + 40
            }
        }
        #expect(hasContact)
    }

    @Test func bareTable() throws {
        let simulation = PushTSimulation()
        try simulation.reset(to: GymFrames.gym.bareState)
        #expect(try FrameRenderer(of: simulation).frame() == GymFrames.gym.bareTable)
    }

    @Test(arguments: GymFrames.gym.episodes)
    func framesAreEqual(_ episode: GymFrames.Episode) throws {
        for (found, expected) in try frames(of: episode) {
            #expect(found.count == expected.count)
            #expect(zip(found, expected).count { $0 != $1 } <= Self.differingBytes)
        }
    }

    /// What must hold where rounding differs too, as on another processor.
    @Test func fiftyFramesAreClose() throws {
        var (sum, farOff, count) = (0, 0, 0)
        for episode in GymFrames.gym.episodes {
            for (found, expected) in try frames(of: episode) {
                for (a, b) in zip(found, expected) {
                    let difference = abs(Int(a) - Int(b))
                    sum += difference
                    farOff += difference > 16 ? 1 : 0
                    count += 1
                }
            }
        }
        #expect(count == 50 * GymFrames.byteCount)
        #expect(Double(sum) <= Self.meanDifference * Double(count))
        #expect(Double(farOff) <= Self.shareFarOff * Double(count))
    }

    @Test(arguments: GymFrames.gym.sizes)
    func framesOfOtherSizesAreEqual(_ size: GymFrames.Size) throws {
        let simulation = try GymFrames.gym.simulation(
            seed: size.seed,
            state: nil,
            targets: size.targets,
            steps: try #require(size.steps.last)
        )
        let renderer = try FrameRenderer(of: simulation, width: size.width, height: size.height)
        let frame = renderer.frame()
        #expect(frame.count == size.height * size.width * 3)
        #expect(fnv1a(frame) == size.fnv1a)
    }

    /// A renderer goes on through resets, and leaves nothing of the last picture.
    @Test func oneRendererServesManyEpisodes() throws {
        let simulation = PushTSimulation()
        let renderer = try FrameRenderer(of: simulation)
        for episode in GymFrames.gym.episodes where episode.seed != nil && episode.steps == [0] {
            simulation.reset(seed: try #require(episode.seed))
            #expect(
                renderer.frame() == GymFrames.decoded(episode.frames[0], over: GymFrames.gym.bareTable)
            )
        }
    }

    /// Drawing must not change what the physics does next.
    @Test func drawingMovesNothing() throws {
        let (watched, unwatched) = (PushTSimulation(), PushTSimulation())
        let renderer = try FrameRenderer(of: watched)
        for step in 0..<60 {
            let target = step.isMultiple(of: 7) ? SIMD2(256, 256) : unwatched.observation.blockPosition
            _ = renderer.frame()
            #expect(try watched.step(target) == unwatched.step(target))
        }
    }

    @Test func bodiesFarOutsideThePictureAreNotDrawn() throws {
        let simulation = PushTSimulation()
        let renderer = try FrameRenderer(of: simulation)
        for state in [[-9e3, 9e3, 9e3, -9e3, 1], [9e3, 9e3, -9e3, 9e3, -1], [-600, 256, 256, 900, 2.0]] {
            try simulation.reset(to: state)
            #expect(renderer.frame() == GymFrames.gym.bareTable)
        }
    }

    @Test(
        arguments: [
            (0, 96, "frame width is 0, expected pixels in 1...4096"),
            (-1, 96, "frame width is -1, expected pixels in 1...4096"),
            (96, 4097, "frame height is 4097, expected pixels in 1...4096"),
        ]
    )
    func sizeThatCannotBeIsRefused(width: Int, height: Int, expected: String) {
        let error = #expect(throws: PushTError.self) {
            _ = try FrameRenderer(of: PushTSimulation(), width: width, height: height)
        }
        #expect(error?.description == expected)
    }

    @Test func worldThatIsTooLargeIsRefused() throws {
        let text = try ScenarioTests.text().replacing("\"size\": [512, 512]", with: "\"size\": [512, 5000]")
        let simulation = PushTSimulation(scenario: try Scenario(json: Data(text.utf8), source: "s.json"))
        let error = #expect(throws: PushTError.self) { _ = try FrameRenderer(of: simulation) }
        #expect(
            error?.description == "frame world is 512.0 x 5000.0, expected at most 4096 pixels a side"
        )
    }

    /// In a process of its own, where no other test allocates.
    @Test func drawingAllocatesNothing() async {
        await #expect(processExitsWith: .success) {
            let simulation = PushTSimulation()
            let renderer = try FrameRenderer(of: simulation)
            var frame = [UInt8](repeating: 0, count: renderer.byteCount)
            for step in 0..<100 {
                try simulation.step(
                    step.isMultiple(of: 5) ? SIMD2(20, 500) : simulation.observation.blockPosition
                )
                var span = frame.mutableSpan
                dn_start_counting_allocations()
                renderer.draw(into: &span)
                let allocations = dn_stop_counting_allocations()
                #expect(step == 0 || allocations == 0, "at step \(step)")
            }
            #expect(frame.contains { $0 < 255 })
        }
    }

    private func frames(
        of episode: GymFrames.Episode
    ) throws -> [(found: [UInt8], expected: [UInt8])] {
        let table = GymFrames.gym.bareTable
        return try zip(episode.steps, episode.frames).map { steps, runs in
            let simulation = try GymFrames.gym.simulation(
                seed: episode.seed,
                state: episode.state,
                targets: episode.targets,
                steps: steps
            )
            return (try FrameRenderer(of: simulation).frame(), GymFrames.decoded(runs, over: table))
        }
    }
}

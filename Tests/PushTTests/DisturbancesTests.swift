import Foundation
import PushT
import Testing

@Suite struct DisturbancesTests {
    static let file = ScenarioTests.folder.appending(path: "disturbances/poor-camera.json")

    /// A camera with the parts given as JSON.
    static func camera(_ parts: String) throws -> CameraDisturbance {
        let json = #"{"name": "test", "description": "", "camera": {\#(parts)}}"#
        return try Disturbances(json: Data(json.utf8), source: "test.json").camera
    }

    @Test func fileIsRead() throws {
        let disturbances = try Disturbances(contentsOf: Self.file)
        #expect(disturbances.name == "poor camera")
        #expect(disturbances.camera.brightness?.gain == 0.8)
        #expect(disturbances.camera.brightness?.offset == 10)
        #expect(disturbances.camera.noise?.standardDeviation == 8)
        #expect(disturbances.camera.dropped?.probability == 0.05)
        #expect(disturbances.camera.dropped?.steps == [30, 31])
        #expect(disturbances.camera.frozen?.fromStep == 60)
        #expect(disturbances.camera.frozen?.steps == 5)
    }

    /// One edit of the file, and the one error it must give.
    @Test(
        arguments: [
            (
                #""gain": 0.8"#, #""gain": -1"#,
                "camera.brightness.gain is -1.0, expected a number in 0.0...10.0"
            ),
            (#""gain": 0.8, "#, "", "camera.brightness.gain: missing"),
            (#""gain": 0.8"#, #""gain": "high""#, "camera.brightness.gain: "),
            (
                #""offset": 10"#, #""offset": 256"#,
                "camera.brightness.offset is 256.0, expected a number in -255.0...255.0"
            ),
            (
                #""standard_deviation": 8"#, #""standard_deviation": -8"#,
                "camera.noise.standard_deviation is -8.0, expected a number in 0.0...255.0"
            ),
            (#""standard_deviation": 8"#, "", "camera.noise.standard_deviation: missing"),
            (
                #""probability": 0.05"#, #""probability": 5"#,
                "camera.dropped.probability is 5.0, expected a number in 0.0...1.0"
            ),
            ("[30, 31]", "[30, -1]", "camera.dropped.steps[1] is -1, expected a number in 0...1000000"),
            ("[30, 31]", "[]", "camera.dropped.steps is [], expected one or more steps"),
            ("[30, 31]", "[30.5]", "a count is not a whole number"),
            (
                #"{ "probability": 0.05, "steps": [30, 31] }"#, "{}",
                "camera.dropped is {}, expected a probability, a list of steps, or both"
            ),
            (
                #""from_step": 60"#, #""from_step": -60"#,
                "camera.frozen.from_step is -60, expected a number in 0...1000000"
            ),
            (
                #""steps": 5"#, #""steps": 0"#,
                "camera.frozen.steps is 0, expected a number in 1...1000000"
            ),
            (#""noise""#, #""nose""#, "camera.nose: unknown field"),
            (#""from_step""#, #""from_stop": 1, "from_step""#, "camera.frozen.from_stop: unknown field"),
            (#""camera""#, #""lens""#, "camera: missing"),
            (#""name": "poor camera""#, #""name": """#, "name is , expected a name"),
        ]
    )
    func faultyFileIsRefused(old: String, new: String, expected: String) throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        let range = try #require(text.range(of: old), "the edit no longer applies")
        let edited = text.replacingCharacters(in: range, with: new)
        let error = #expect(throws: DataFileError.self) {
            try Disturbances(json: Data(edited.utf8), source: "camera.json")
        }
        let message = try #require(error).description
        #expect(message.hasPrefix("camera.json: "))
        #expect(message.contains(expected), "\(message)")
    }

    @Test func cameraWithoutAPartIsRefused() {
        let error = #expect(throws: DataFileError.self) { try Self.camera("") }
        #expect(
            error?.description
                == "test.json: camera is {}, expected one or more of brightness, noise, dropped, frozen"
        )
    }

    @Test func missingFileIsNamed() {
        let error = #expect(throws: DataFileError.self) {
            try Disturbances(contentsOf: ScenarioTests.folder.appending(path: "no-such.json"))
        }
        #expect(error?.description.hasPrefix("no-such.json: cannot be read") == true)
    }
}

@Suite struct CameraDisturbanceTests {
    /// A grey ramp, long enough for statistics.
    static let frame: [UInt8] = (0..<GymFrames.byteCount).map { index in UInt8(64 + index % 128) }

    @Test(arguments: GymFrames.gym.disturbed)
    func brightnessAndNoiseAreNumPys(_ record: GymFrames.Disturbed) throws {
        let camera = try DisturbancesTests.camera(
            """
            "brightness": {"gain": \(record.gain), "offset": \(record.offset)},
            "noise": {"standard_deviation": \(record.standardDeviation)}
            """
        )
        let seed = try #require(UInt64(record.seed))
        #expect(camera.apply(to: record.frame, step: record.step, seed: seed) == record.expected)
    }

    @Test func noiseHasItsMeanAndDeviation() throws {
        let camera = try DisturbancesTests.camera(#""noise": {"standard_deviation": 10}"#)
        let noisy = try #require(camera.apply(to: Self.frame, step: 3, seed: 5))
        let noise = zip(noisy, Self.frame).map { Double($0) - Double($1) }
        let mean = noise.reduce(0, +) / Double(noise.count)
        let variance = noise.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(noise.count)
        // Four standard errors, and the twelfth that rounding adds to the variance.
        #expect(abs(mean) < 4 * 10 / Double(noise.count).squareRoot())
        #expect(abs(variance - 100 - 1.0 / 12) < 4 * 100 * (2 / Double(noise.count)).squareRoot())
    }

    @Test func noiseDependsOnStepAndSeedAlone() throws {
        let camera = try DisturbancesTests.camera(#""noise": {"standard_deviation": 10}"#)
        let first = camera.apply(to: Self.frame, step: 3, seed: 5)
        #expect(camera.apply(to: Self.frame, step: 4, seed: 5) != first)
        #expect(camera.apply(to: Self.frame, step: 3, seed: 6) != first)
        #expect(camera.apply(to: Self.frame, step: 3, seed: 5 + 1 << 32) != first)
        #expect(camera.apply(to: Self.frame, step: 3, seed: 5) == first)
    }

    @Test func brightnessIsHeldInABytesRange() throws {
        let bright = try DisturbancesTests.camera(#""brightness": {"gain": 10, "offset": 255}"#)
        #expect(bright.apply(to: [0, 1, 255], step: 0, seed: 0) == [255, 255, 255])
        let dark = try DisturbancesTests.camera(#""brightness": {"gain": 1, "offset": -255}"#)
        #expect(dark.apply(to: [0, 1, 255], step: 0, seed: 0) == [0, 0, 0])
        let same = try DisturbancesTests.camera(#""brightness": {"gain": 1, "offset": 0}"#)
        #expect(same.apply(to: Self.frame, step: 0, seed: 0) == Self.frame)
    }

    @Test func framesAreLostByChanceAsNumPySays() throws {
        let drops = GymFrames.gym.drops
        let seed = try #require(UInt64(drops.seed))
        let camera = try DisturbancesTests.camera(#""dropped": {"probability": \#(drops.probability)}"#)
        #expect((0..<drops.count).filter { camera.drops(step: $0, seed: seed) } == drops.lost)
        #expect(!drops.lost.isEmpty)
    }

    @Test func listedFramesAreLost() throws {
        let camera = try DisturbancesTests.camera(#""dropped": {"steps": [0, 4]}"#)
        let arrives = (0..<6).map { camera.apply(to: [1, 2, 3], step: $0, seed: 1) != nil }
        #expect(arrives == [false, true, true, true, false, true])
    }

    @Test(arguments: [(0.0, 0), (1.0, 50)])
    func probabilityAtItsEnds(probability: Double, lost: Int) throws {
        let camera = try DisturbancesTests.camera(#""dropped": {"probability": \#(probability)}"#)
        #expect((0..<50).count { camera.drops(step: $0, seed: 9) } == lost)
    }

    @Test func frozenCameraShowsOneStep() throws {
        let camera = try DisturbancesTests.camera(#""frozen": {"from_step": 2, "steps": 3}"#)
        #expect((0..<7).map { camera.shownStep(at: $0) } == [0, 1, 2, 2, 2, 5, 6])
    }
}

@Suite struct DisturbedCameraTests {
    /// What arrives of frames that are grey level `step` everywhere; nil if lost.
    private func episode(_ camera: DisturbedCamera, steps: [Int]) -> [[UInt8]?] {
        steps.map { step in
            var frame = [UInt8](repeating: UInt8(100 + step), count: 300)
            var span = frame.mutableSpan
            return camera.take(&span, step: step) ? frame : nil
        }
    }

    @Test func frozenPictureIsRepeatedWithItsNoise() throws {
        let disturbance = try DisturbancesTests.camera(
            #""noise": {"standard_deviation": 5}, "frozen": {"from_step": 2, "steps": 3}"#
        )
        let frames = episode(DisturbedCamera(disturbance, seed: 7), steps: Array(0..<7))
        #expect(frames[2] == frames[3])
        #expect(frames[2] == frames[4])
        #expect(Set(frames).count == 5)
        let alone = [UInt8](repeating: 105, count: 300)
        #expect(frames[5] == disturbance.apply(to: alone, step: 5, seed: 7))
    }

    @Test func firstFrameOfAFreezeStandsInForAMissedOne() throws {
        let disturbance = try DisturbancesTests.camera(#""frozen": {"from_step": 2, "steps": 6}"#)
        let frames = episode(DisturbedCamera(disturbance, seed: 0), steps: [0, 4, 6, 8])
        #expect(frames.map { $0?.first } == [100, 104, 104, 108])
    }

    @Test func lostFrameOfAFreezeIsStillTheOneRepeated() throws {
        let disturbance = try DisturbancesTests.camera(
            #""dropped": {"steps": [2]}, "frozen": {"from_step": 2, "steps": 2}"#
        )
        let frames = episode(DisturbedCamera(disturbance, seed: 0), steps: [1, 2, 3, 4])
        #expect(frames.map { $0?.first } == [101, nil, 102, 104])
    }

    @Test func resetForgetsTheFrozenPicture() throws {
        let disturbance = try DisturbancesTests.camera(
            #""noise": {"standard_deviation": 5}, "frozen": {"from_step": 0, "steps": 4}"#
        )
        let camera = DisturbedCamera(disturbance, seed: 1)
        let first = episode(camera, steps: [0, 1])
        camera.reset(seed: 2)
        let second = episode(camera, steps: [0, 1])
        #expect(first[0] != second[0])
        camera.reset(seed: 1)
        #expect(episode(camera, steps: [0, 1]) == first)
    }
}

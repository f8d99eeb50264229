import Compute
import Foundation
import PolicyFixtures
import Robotics
import Safetensors
import Testing
import Tuning

@testable import Policy

extension ImageFixture {
    func history(of bundle: PolicyBundle) throws -> ObservationHistory {
        var history = bundle.makeHistory()
        for observation in observations(of: bundle) { try history.append(observation) }
        return history
    }
}

@Suite("Policies that see compute the same numbers as LeRobot")
struct ImagePolicyTests {
    static let cases = [
        "one-camera", "two-cameras-one-encoder", "two-cameras-two-encoders", "batch-norm",
        "resize-and-crop-ratio", "resize-to-larger", "no-crop", "minimum-and-maximum", "identity",
        "environment-state", "resnet34", "resnet50",
    ]

    @Test(arguments: cases)
    func `Condition and chunk are LeRobot's`(name: String) throws {
        let fixture = try ImageFixture(name)
        let bundle = try PolicyBundle(directory: fixture.copy.directory)
        #expect(bundle.cameras.map(\.name) == fixture.golden.cameras)
        let history = try fixture.history(of: bundle)
        let settings = bundle.configuration.defaultSettings
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 2)
        let condition = try policy.condition(for: history)
        #expect(try deviation(condition, fixture.golden.condition) < 1e-4)
        let chunk = try policy.sample(SamplingRequest(history: history, noise: .given(fixture.noise)))
        #expect(try deviation(chunk.prediction, fixture.golden.prediction) < 1e-4)
    }

    @Test(arguments: ["one-camera", "batch-norm"])
    func `OpenBLAS computes the same numbers`(name: String) throws {
        let fixture = try ImageFixture(name)
        let bundle = try PolicyBundle(directory: fixture.copy.directory)
        let kernel = try #require(Kernel(.openBLAS, precision: .f32))
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1,
            kernel: kernel
        )
        let condition = try policy.condition(for: fixture.history(of: bundle))
        #expect(try deviation(condition, fixture.golden.condition) < 1e-4)
    }

    /// As lerobot/diffusion_pusht was published: shapes and modes by feature, statistics as buffers among the weights.
    @Test(arguments: [("no-crop", "mean_std"), ("minimum-and-maximum", "min_max")])
    func `The layout of before 2025 is that policy`(name: String, mode: String) throws {
        let fixture = try ImageFixture(name)
        let copy = fixture.copy
        var buffers: [String: SafetensorsWriter.Tensor] = [:]
        for (pipeline, prefix) in [
            ("preprocessor_step_3_", "normalize_inputs"), ("postprocessor_step_0_un", "unnormalize_outputs"),
        ] {
            let file = "policy_\(pipeline)normalizer_processor.safetensors"
            let statistics = try SafetensorsFile(contentsOf: copy.url(file))
            for statistic in statistics.names {
                let names = statistic.split(separator: ".")
                let feature = names.dropLast().joined(separator: "_")
                guard (feature == "action") == (prefix == "unnormalize_outputs"), let last = names.last else {
                    continue
                }
                buffers["\(prefix).buffer_\(feature).\(last)"] =
                    .f32(try statistics.floats(statistic), shape: try statistics.shape(of: statistic))
            }
            try copy.remove(file)
        }
        for name in ["policy_preprocessor.json", "policy_postprocessor.json"] { try copy.remove(name) }
        try copy.editTensors { $0.merge(buffers) { $1 } }
        for key in ["type", "input_features", "output_features", "normalization_mapping"] {
            try copy.set(key, to: nil)
        }
        let size = try #require(fixture.configuration.vision?.frame)
        try copy.set(
            "input_shapes",
            to: #"{"observation.image": [3, \#(size.height), \#(size.width)], "observation.state": [2]}"#
        )
        try copy.set(
            "input_normalization_modes",
            to: #"{"observation.image": "\#(mode)", "observation.state": "min_max"}"#
        )
        try copy.set("output_shapes", to: #"{"action": [2]}"#)
        try copy.set("output_normalization_modes", to: #"{"action": "min_max"}"#)
        let bundle = try PolicyBundle(directory: copy.directory)
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1
        )
        let history = try fixture.history(of: bundle)
        #expect(try deviation(policy.condition(for: history), fixture.golden.condition) < 1e-4)
        let chunk = try policy.sample(SamplingRequest(history: history, noise: .given(fixture.noise)))
        #expect(try deviation(chunk.prediction, fixture.golden.prediction) < 1e-4)
    }

    @Test func `A frame is encoded once`() throws {
        let fixture = try ImageFixture("no-crop")
        let bundle = try PolicyBundle(directory: fixture.copy.directory)
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1
        )
        let observations = fixture.observations(of: bundle)
        var history = bundle.makeHistory()
        try history.append(observations[0])
        let first = try policy.condition(for: history)
        try history.append(observations[1])
        let both = try policy.condition(for: history)
        #expect(try deviation(both, fixture.golden.condition) < 1e-4)
        // The same picture as another frame is another frame, and becomes the same.
        var again = bundle.makeHistory()
        for observation in fixture.observations(of: bundle) { try again.append(observation) }
        #expect(try policy.condition(for: again) == both)
        // The first observation stood for both steps.
        let step = first.count / 2
        #expect(Array(first[..<step]) == Array(first[step...]))
        #expect(Array(both[..<step]) == Array(first[..<step]))
    }

    @Test func `A frame of another size is refused, and so is one that is missing`() throws {
        let fixture = try ImageFixture("no-crop")
        let bundle = try PolicyBundle(directory: fixture.copy.directory)
        var observation = fixture.observations(of: bundle)[0]
        let wrong = CameraFrame(height: 61, width: 45, pixels: [UInt8](repeating: 0, count: 45 * 61 * 3))
        observation.frames["observation.image"] = wrong
        var history = bundle.makeHistory()
        var error = #expect(throws: ObservationError.self) { try history.append(observation) }
        #expect(
            error?.description
                == "observation.image: a frame of 61 x 45 pixels; expected 45 x 61, as in training: frames are not resized"
        )
        observation.frames = [:]
        error = #expect(throws: ObservationError.self) { try history.append(observation) }
        #expect(error?.description == "observation.image: missing; expected a frame of 45 x 61 pixels")
        #expect(history.isEmpty)
    }

    @Test func `Steps up to a frame are forgotten, and the next stands in for them`() throws {
        let camera = CameraFeature(name: "eye", checkpointName: "eye", size: FrameSize(height: 1, width: 1))
        let frames = (0..<5).map { CameraFrame(height: 1, width: 1, pixels: [$0, $0, $0]) }
        var history = ObservationHistory(features: [], cameras: [camera], nObsSteps: 3)
        func forget(_ frame: Int) -> Bool { history.forgetSteps(through: frames[frame].number) }
        #expect(!forget(0), "there is nothing to forget")
        for frame in frames { try history.append(Observation(values: [:], frames: ["eye": frame])) }
        func numbers() -> [UInt64?] { history.observations.map { $0.frames["eye"]?.number } }
        let expected = frames.map(\.number)
        #expect(!forget(1), "it is not there any more")
        #expect(!forget(4), "nothing would be left")
        #expect(numbers() == Array(expected[2...]))
        #expect(forget(2))
        #expect(numbers() == [expected[3], expected[3], expected[4]])
        #expect(forget(3))
        #expect(numbers() == [expected[4], expected[4], expected[4]])
    }

    @Test(arguments: [
        ("vision_backbone", "\"vgg16\"", "vision_backbone"), ("crop_shape", "[84]", "crop_shape"),
        ("crop_shape", "[0, 84]", "crop_shape[0]"), ("resize_shape", "[96, 9000]", "resize_shape[1]"),
        ("crop_ratio", "0", "crop_ratio"), ("use_group_norm", "1", "use_group_norm"),
        ("spatial_softmax_num_keypoints", "0", "spatial_softmax_num_keypoints"),
        ("use_separate_rgb_encoder_per_camera", "null", "use_separate_rgb_encoder_per_camera"),
    ])
    func `What is wrong with the vision keys is named`(key: String, value: String, path: String) throws {
        let copy = try BundleCopy(of: "images/one-camera")
        try copy.set(key, to: value)
        let error = #expect(throws: PolicyError.self) {
            try PolicyConfiguration(contentsOf: copy.url(PolicyConfiguration.fileName))
        }
        #expect(error?.description.hasPrefix("config.json: \(path): ") == true, "\(error?.description ?? "")")
    }

    @Test func `A crop ratio counts if frames are resized, and a crop shape if they are not`() throws {
        let copy = try BundleCopy(of: "images/one-camera")
        func vision() throws -> VisionConfiguration? {
            try PolicyConfiguration(contentsOf: copy.url(PolicyConfiguration.fileName)).vision
        }
        try copy.set("crop_ratio", to: "0.5")
        #expect(try vision()?.crop == FrameSize(height: 84, width: 84))
        try copy.set("resize_shape", to: "[33, 64]")
        #expect(try vision()?.crop == FrameSize(height: 16, width: 32))
        try copy.set("crop_ratio", to: "1.0")
        #expect(try vision()?.crop == nil)
        #expect(try vision()?.encoder.height == 33)
        try copy.set("resize_shape", to: nil)
        try copy.set("crop_shape", to: nil)
        #expect(try vision()?.crop == FrameSize(height: 84, width: 84))
    }

    @Test func `Cameras are of one size`() throws {
        let copy = try BundleCopy(of: "images/two-cameras-one-encoder")
        try copy.replace("52", with: "53", in: "config.json")
        let url = copy.url("config.json")
        var text = try String(contentsOf: url, encoding: .utf8)
        let last = try #require(text.range(of: "53", options: .backwards))
        text.replaceSubrange(last, with: "52")
        try Data(text.utf8).write(to: url)
        let error = #expect(throws: PolicyError.self) { try PolicyConfiguration(contentsOf: url) }
        #expect(
            error?.description.contains("expected [3, 40, 53], as of \"observation.images.wrist\"") == true
        )
    }

    @Test func `An encoder's tensor that is missing or of another shape is named`() throws {
        let fixture = try ImageFixture("two-cameras-two-encoders")
        try fixture.copy.editTensors { tensors in
            tensors["diffusion.rgb_encoder.1.backbone.5.0.downsample.0.weight"] = nil
        }
        #expect(
            try fixture.copy.error().description.contains(
                "tensor \"diffusion.rgb_encoder.1.backbone.5.0.downsample.0.weight\": missing"
            )
        )
    }
}

@Suite("How frames are prepared")
struct FramePreparationTests {
    private func prepare(_ preparation: FramePreparation, _ pixels: [UInt8]) -> [Float] {
        var scratch = [Float](repeating: .nan, count: preparation.scratchCount)
        var frame = [Float](repeating: .nan, count: preparation.output.count)
        var scratchSpan = scratch.mutableSpan
        var frameSpan = frame.mutableSpan
        preparation.prepare(pixels.span, scratch: &scratchSpan, into: &frameSpan)
        return frame
    }

    @Test(arguments: [(96, 84, 6), (97, 84, 6), (99, 84, 8), (7, 2, 2), (5, 2, 2), (3, 2, 0), (4, 4, 0)])
    func `A crop starts where torchvision's does`(length: Int, crop: Int, start: Int) {
        // round((97 - 84) / 2) is round(6.5), and that is 6; round(7.5) is 8.
        let preparation = FramePreparation(
            input: FrameSize(height: length, width: 1),
            resize: nil,
            crop: FrameSize(height: crop, width: 1),
            map: AffineMap(identity: 3)
        )
        let frame = prepare(preparation, (0..<length).flatMap { [UInt8($0), 0, 0] })
        #expect(frame[0] == Float(start) / 255)
        #expect(frame.count == crop * 3)
    }

    @Test func `A frame that is smaller than the crop is surrounded by zeros`() {
        let preparation = FramePreparation(
            input: FrameSize(height: 1, width: 2),
            resize: nil,
            crop: FrameSize(height: 4, width: 3),
            map: AffineMap(identity: 3)
        )
        let frame = prepare(preparation, [255, 255, 255, 255, 255, 255])
        // One row above and two below, nothing before and one position behind, as torchvision pads.
        let one: [Float] = [1, 1, 1]
        let zero: [Float] = [0, 0, 0]
        let empty = zero + zero + zero
        #expect(frame == empty + one + one + zero + empty + empty)
    }
}

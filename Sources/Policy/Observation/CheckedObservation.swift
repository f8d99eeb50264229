import Pictures
import Robotics

/// An observation that a policy can use: it has exactly the policy's features, each with its count of finite numbers, and its
/// cameras, each with a frame of its size.
///
/// There is no other way to make one than the check, so whoever holds one need not check again.
public struct CheckedObservation: Sendable, Hashable {
    /// What it was checked against, in condition order.
    public let features: [ObservationFeature]
    /// The cameras that it was checked against, in condition order.
    public let cameras: [CameraFeature]
    /// The numbers of one feature after the other, in the robot's units.
    let numbers: [Float]
    /// One for each camera.
    let frames: [CameraFrame]

    /// Checks an observation.
    ///
    /// - Parameters:
    ///   - observation: what a robot sent.
    ///   - features: what the policy observes, in condition order (`PolicyBundle.observationFeatures`).
    ///   - cameras: what it sees through, likewise (`PolicyBundle.cameras`).
    /// - Throws: `ObservationError` for the first feature that is missing, has another count of numbers or has one that is
    ///   not finite; for the first camera that is missing or has a frame of another size; else for features that the policy does
    ///   not observe.
    public init(
        _ observation: Observation,
        features: [ObservationFeature],
        cameras: [CameraFeature] = []
    ) throws(ObservationError) {
        self.features = features
        self.cameras = cameras
        numbers = try Self.numbers(observation, features: features)
        frames = try Self.frames(observation, cameras: cameras)
        let expected = features.map(\.name) + cameras.map(\.name)
        if observation.values.count + observation.frames.count > expected.count {
            let unknown = Set(observation.values.keys).union(observation.frames.keys).subtracting(expected)
            throw .unknown(features: unknown.sorted(), expected: expected)
        }
    }

    private static func numbers(
        _ observation: Observation,
        features: [ObservationFeature]
    ) throws(ObservationError) -> [Float] {
        var numbers: [Float] = []
        numbers.reserveCapacity(features.reduce(0) { $0 + $1.count })
        for feature in features {
            guard let values = observation.values[feature.name] else {
                throw .missing(feature: feature.name, expected: feature.count)
            }
            guard values.count == feature.count else {
                throw .wrongCount(feature: feature.name, found: values.count, expected: feature.count)
            }
            if let index = values.firstIndex(where: { !$0.isFinite }) {
                throw .notFinite(feature: feature.name, index: index, value: values[index])
            }
            numbers += values
        }
        return numbers
    }

    private static func frames(
        _ observation: Observation,
        cameras: [CameraFeature]
    ) throws(ObservationError) -> [CameraFrame] {
        var frames: [CameraFrame] = []
        for camera in cameras {
            guard let frame = observation.frames[camera.name] else {
                throw .missingFrame(camera: camera.name, expected: camera.size)
            }
            let size = try size(of: frame, camera: camera.name)
            guard size == camera.size else {
                throw .wrongFrameSize(camera: camera.name, found: size, expected: camera.size)
            }
            frames.append(frame)
        }
        return frames
    }

    /// Of a picture, what its header says.
    private static func size(
        of frame: CameraFrame,
        camera: String
    ) throws(ObservationError) -> FrameSize {
        switch frame.content {
        case .pixels(_, let height, let width): return FrameSize(height: height, width: width)
        case .picture(let bytes, let format):
            do throws(PictureError) {
                let header = try PictureHeader(reading: bytes.span, as: PictureFormat(format))
                return FrameSize(height: header.height, width: header.width)
            } catch {
                throw .badPicture(camera: camera, reason: error.description)
            }
        }
    }
}

extension PictureFormat {
    /// The format of a camera's picture.
    init(_ format: CameraFrame.Format) {
        self =
            switch format {
            case .jpeg: .jpeg
            case .png: .png
            }
    }
}

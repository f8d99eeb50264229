import Robotics
import Synchronization

/// The newest observations of one robot in one episode, as many as the policy looks back on.
///
/// Until that many have arrived the first one stands in for those before it, as in LeRobot's `populate_queues`.
public struct ObservationHistory: Sendable {
    /// What an observation has, in condition order.
    public let features: [ObservationFeature]
    /// The cameras of an observation, in condition order.
    public let cameras: [CameraFeature]
    /// Observations kept.
    public let nObsSteps: Int
    /// Whether no observation has arrived since the last reset.
    public private(set) var isEmpty = true
    /// Tells the beginning of this history, its first observation since it was empty, from that of any other in this process. 0
    /// while it is empty.
    public private(set) var beginning: UInt64 = 0
    private static let beginnings = Atomic<UInt64>(0)

    /// [nObsSteps, stepCount], a ring whose oldest row is `oldest`.
    private var rows: [Float]
    /// [nObsSteps, cameras], in the same rows; empty as long as the history is.
    private var frames: [CameraFrame] = []
    private var oldest = 0
    private let stepCount: Int

    /// An empty history.
    ///
    /// - Parameters:
    ///   - features: in condition order (`PolicyBundle.observationFeatures`).
    ///   - cameras: likewise (`PolicyBundle.cameras`).
    ///   - nObsSteps: at least 1.
    public init(features: [ObservationFeature], cameras: [CameraFeature] = [], nObsSteps: Int) {
        precondition(nObsSteps >= 1, "a history has at least one step")
        self.features = features
        self.cameras = cameras
        self.nObsSteps = nObsSteps
        stepCount = features.reduce(0) { $0 + $1.count }
        rows = [Float](repeating: 0, count: nObsSteps * stepCount)
    }

    /// Checks an observation and adds it as the newest. The history stays as it is if an error is thrown.
    ///
    /// - Throws: `ObservationError` for a feature that is missing or unknown, has another count of numbers, or has one
    ///   that is not finite, and for a frame that is missing or of another size.
    public mutating func append(_ observation: Observation) throws(ObservationError) {
        append(try CheckedObservation(observation, features: features, cameras: cameras))
    }

    /// Adds the newest observation.
    ///
    /// - Parameter observation: one that was checked against the history's features and cameras.
    public mutating func append(_ observation: CheckedObservation) {
        precondition(
            observation.features == features && observation.cameras == cameras,
            "the observation is one for another policy"
        )
        if isEmpty {
            frames = (0..<nObsSteps).flatMap { _ in observation.frames }
            beginning = Self.beginnings.add(1, ordering: .relaxed).newValue
        }
        for row in isEmpty ? 0..<nObsSteps : oldest..<oldest + 1 {
            for index in 0..<stepCount { rows[row * stepCount + index] = observation.numbers[index] }
            for camera in cameras.indices {
                frames[row * cameras.count + camera] = observation.frames[camera]
            }
        }
        if !isEmpty { oldest = (oldest + 1) % nObsSteps }
        isEmpty = false
    }

    /// Forgets everything, for a new episode.
    public mutating func reset() {
        isEmpty = true
        beginning = 0
        oldest = 0
        frames = []
    }

    /// Forgets the steps up to the newest one with a frame, which cannot be decoded. The one after it stands in for them, as for
    /// those before an episode's first.
    ///
    /// - Parameter number: the frame's.
    /// - Returns: whether there was such a step, and an observation is left. If not, the history is as before.
    public mutating func forgetSteps(through number: UInt64) -> Bool {
        guard !isEmpty else { return false }
        let isLost = { (step: Int) in
            cameras.indices.contains { frame(camera: $0, step: step).number == number }
        }
        guard let last = (0..<nObsSteps).last(where: isLost), last < nObsSteps - 1 else { return false }
        let source = (oldest + last + 1) % nObsSteps
        for step in 0...last {
            let row = (oldest + step) % nObsSteps
            for index in 0..<stepCount { rows[row * stepCount + index] = rows[source * stepCount + index] }
            for camera in cameras.indices {
                frames[row * cameras.count + camera] = frames[source * cameras.count + camera]
            }
        }
        return true
    }

    /// The observations, oldest first; none in an empty history, else `nObsSteps`.
    public var observations: [Observation] {
        isEmpty ? [] : (0..<nObsSteps).map { observation(row: (oldest + $0) % nObsSteps) }
    }

    private func observation(row: Int) -> Observation {
        var position = row * stepCount
        var observation = Observation(values: [:])
        for feature in features {
            observation.values[feature.name] = Array(rows[position..<position + feature.count])
            position += feature.count
        }
        for (index, camera) in cameras.enumerated() {
            observation.frames[camera.name] = frames[row * cameras.count + index]
        }
        return observation
    }

    /// A number of an observation, in the robot's units: of step 0, the oldest, to `nObsSteps` - 1, one feature after the other.
    func number(_ index: Int, step: Int) -> Float { rows[(oldest + step) % nObsSteps * stepCount + index] }

    /// What a camera saw at a step.
    ///
    /// - Precondition: the history is not empty.
    func frame(camera: Int, step: Int) -> CameraFrame {
        frames[(oldest + step) % nObsSteps * cameras.count + camera]
    }
}

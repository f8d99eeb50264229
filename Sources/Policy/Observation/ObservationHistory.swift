/// The newest observations of one robot in one episode, as many as the policy looks back on.
///
/// Until that many have arrived the first one stands in for those before it, as in LeRobot's `populate_queues`.
public struct ObservationHistory: Sendable {
    /// What an observation has, in condition order.
    public let features: [ObservationFeature]
    /// Observations kept.
    public let nObsSteps: Int
    /// Whether no observation has arrived since the last reset.
    public private(set) var isEmpty = true

    /// [nObsSteps, stepCount], a ring whose oldest row is `oldest`.
    private var rows: [Float]
    private var oldest = 0
    private let stepCount: Int

    /// An empty history.
    ///
    /// - Parameters:
    ///   - features: in condition order (`PolicyBundle.observationFeatures`).
    ///   - nObsSteps: at least 1.
    public init(features: [ObservationFeature], nObsSteps: Int) {
        precondition(nObsSteps >= 1, "a history has at least one step")
        self.features = features
        self.nObsSteps = nObsSteps
        stepCount = features.reduce(0) { $0 + $1.count }
        rows = [Float](repeating: 0, count: nObsSteps * stepCount)
    }

    /// Checks an observation and adds it as the newest. The history stays as it is if an error is thrown.
    ///
    /// - Throws: `ObservationError` for a feature that is missing or unknown, has another count of numbers, or has one
    ///   that is not finite.
    public mutating func append(_ observation: Observation) throws(ObservationError) {
        append(try CheckedObservation(observation, features: features))
    }

    /// Adds the newest observation.
    ///
    /// - Parameter observation: one that was checked against the history's features.
    public mutating func append(_ observation: CheckedObservation) {
        precondition(observation.features == features, "the observation is one for another policy")
        for row in isEmpty ? 0..<nObsSteps : oldest..<oldest + 1 {
            for index in 0..<stepCount { rows[row * stepCount + index] = observation.numbers[index] }
        }
        if !isEmpty { oldest = (oldest + 1) % nObsSteps }
        isEmpty = false
    }

    /// Forgets everything, for a new episode.
    public mutating func reset() {
        isEmpty = true
        oldest = 0
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
        return observation
    }

    /// The observations, oldest first, each feature after the other: [nObsSteps, stepCount], in the robot's units.
    func copy(into condition: inout [Float]) {
        precondition(condition.count == rows.count, "the condition has another size than the history")
        for index in rows.indices {
            condition[index] = rows[(oldest * stepCount + index) % rows.count]
        }
    }
}

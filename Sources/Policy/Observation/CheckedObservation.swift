/// An observation that a policy can use: it has exactly the policy's features, each with its count of finite numbers.
///
/// There is no other way to make one than the check, so whoever holds one need not check again.
public struct CheckedObservation: Sendable, Hashable {
    /// What it was checked against, in condition order.
    public let features: [ObservationFeature]
    /// The numbers of one feature after the other, in the robot's units.
    let numbers: [Float]

    /// Checks an observation.
    ///
    /// - Parameters:
    ///   - observation: what a robot sent.
    ///   - features: what the policy observes, in condition order (`PolicyBundle.observationFeatures`).
    /// - Throws: `ObservationError` for the first feature that is missing, has another count of numbers or has one that is
    ///   not finite; else for features that the policy does not observe.
    public init(
        _ observation: Observation,
        features: [ObservationFeature]
    ) throws(ObservationError) {
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
        if observation.values.count > features.count {
            let known = Set(features.map(\.name))
            let unknown = observation.values.keys.filter { !known.contains($0) }.sorted()
            throw .unknown(features: unknown, expected: features.map(\.name))
        }
        self.features = features
        self.numbers = numbers
    }
}

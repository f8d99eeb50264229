import StrictJSON

/// One observation of a robot, in its own units.
public struct Observation: Sendable, Hashable {
    /// The numbers of each feature, by the name the robot sends (`ObservationFeature.name`).
    public var values: [String: [Float]]

    /// An observation of these features.
    public init(values: [String: [Float]]) {
        self.values = values
    }
}

/// Why an observation cannot be used.
public struct ObservationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The feature concerned.
    public let feature: String
    /// What the observation has.
    public let found: String
    /// What the policy needs.
    public let expected: String

    /// One line: feature, what was found and what was expected.
    public var description: String { "\(feature): \(found); expected \(expected)" }
}

extension [ObservationFeature] {
    /// Checks that an observation has exactly these features, each with its count of finite numbers.
    func check(_ observation: Observation) throws(ObservationError) {
        for feature in self {
            guard let values = observation.values[feature.name] else {
                throw ObservationError(
                    feature: feature.name,
                    found: "missing",
                    expected: "\(feature.count) numbers"
                )
            }
            guard values.count == feature.count else {
                throw ObservationError(
                    feature: feature.name,
                    found: "\(values.count) numbers",
                    expected: "\(feature.count)"
                )
            }
            if let index = values.firstIndex(where: { !$0.isFinite }) {
                throw ObservationError(
                    feature: feature.name,
                    found: "\(values[index]) at index \(index)",
                    expected: "finite numbers"
                )
            }
        }
        guard observation.values.count > count else { return }
        let known = Set(map(\.name))
        if let unknown = observation.values.keys.filter({ !known.contains($0) }).min() {
            throw ObservationError(
                feature: unknown.quoted,
                found: "a feature the policy does not observe",
                expected: "only \(map(\.name).joined(separator: " and "))"
            )
        }
    }
}

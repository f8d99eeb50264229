/// One observation of a robot, in its own units.
public struct Observation: Sendable, Hashable {
    /// The numbers of each feature, by the name the robot sends (`ObservationFeature.name`).
    public var values: [String: [Float]]

    /// An observation of these features.
    public init(values: [String: [Float]]) {
        self.values = values
    }
}

/// What is observed at one control step, in the robot's own units.
public struct Observation: Sendable, Hashable {
    /// The numbers of each feature, by the name the robot sends.
    public var values: [String: [Float]]
    /// What each camera saw, by the name the robot sends.
    public var frames: [String: CameraFrame]

    /// An observation of these features.
    public init(values: [String: [Float]], frames: [String: CameraFrame] = [:]) {
        self.values = values
        self.frames = frames
    }
}

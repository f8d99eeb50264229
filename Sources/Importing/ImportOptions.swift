/// What a user may choose when a checkpoint becomes a policy folder.
public struct ImportOptions: Sendable, Hashable {
    /// Which of a checkpoint's two policies; the raw value is the workspace's name.
    public enum Weights: String, Sendable, Hashable, CaseIterable {
        /// Averaged weights.
        case averaged = "ema_model"
        /// The weights that the optimiser changes.
        case trained = "model"
    }

    /// Which weights; nil: averaged ones if there are any.
    public var weights: Weights?
    /// Which numbers of an observation become `observation.state`, in this order, counted from 0 through all entries that are
    /// no cameras; the others become `observation.environment_state`. Nil: all of them become `observation.state`.
    public var state: [Int]?
    /// Whether actions that hold rotations in six numbers are taken: the robot's side has to turn them into its own.
    public var keepsRotations: Bool

    /// The defaults.
    public init(weights: Weights? = nil, state: [Int]? = nil, keepsRotations: Bool = false) {
        self.weights = weights
        self.state = state
        self.keepsRotations = keepsRotations
    }
}

/// What became of a checkpoint.
public struct ImportReport: Sendable, Hashable {
    /// A feature of the policy and where its numbers come from.
    public struct Feature: Sendable, Hashable {
        /// LeRobot's name, such as `observation.state`.
        public let name: String
        /// What the robot sends: the count of numbers, or of a frame height, width and 3.
        public let shape: [Int]
        /// What it is in the checkpoint, in words: `agent_pos[0...1]`.
        public let source: String
    }

    /// Name of the checkpoint's file.
    public let file: String
    /// SHA-256 of the file, in hexadecimal.
    public let sha256: String
    /// The policy's class in the code base, without its module.
    public let policyClass: String
    /// Which weights were taken.
    public let weights: ImportOptions.Weights
    /// The training epoch; nil: the checkpoint does not say.
    public let epoch: Int?
    /// Steps of the optimiser; nil: the checkpoint does not say.
    public let globalStep: Int?
    /// The inputs and the action.
    public let features: [Feature]
    /// What the checkpoint holds that the folder does not.
    public let leftOut: [String]
    /// What the user should know, a sentence each.
    public let notes: [String]
}

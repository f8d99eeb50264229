/// The policy's sizes.
public struct PolicyDescription: Sendable, Hashable {
    /// What people call it.
    public var name: String
    /// What an observation holds.
    public var features: [FeatureDescription]
    /// What the policy sees through.
    public var cameras: [CameraDescription]
    /// The control steps that one prediction covers.
    public var horizon: Int
    /// The observations in the history.
    public var nObsSteps: Int
    /// The actions in a chunk.
    public var nActionSteps: Int
    /// The numbers in an action.
    public var actionDim: Int

    /// A policy with these sizes.
    public init(
        name: String,
        features: [FeatureDescription],
        cameras: [CameraDescription] = [],
        horizon: Int,
        nObsSteps: Int,
        nActionSteps: Int,
        actionDim: Int
    ) {
        self.name = name
        self.features = features
        self.cameras = cameras
        self.horizon = horizon
        self.nObsSteps = nObsSteps
        self.nActionSteps = nActionSteps
        self.actionDim = actionDim
    }
}

/// A feature of the policy's observations.
public struct FeatureDescription: Sendable, Hashable {
    /// Its LeRobot name, such as `observation.state`.
    public var name: String
    /// How many numbers it has.
    public var count: Int

    /// A feature of `count` numbers.
    public init(name: String, count: Int) {
        self.name = name
        self.count = count
    }
}

/// A camera that the policy sees through.
public struct CameraDescription: Sendable, Hashable {
    /// Its LeRobot name, such as `observation.image`.
    public var name: String
    /// Rows of a frame.
    public var height: Int
    /// Pixels in a row.
    public var width: Int

    /// A camera whose frames are [height, width, 3].
    public init(name: String, height: Int, width: Int) {
        self.name = name
        self.height = height
        self.width = width
    }

    /// Bytes of the pixels of a frame.
    public var byteCount: Int { height * width * 3 }
}

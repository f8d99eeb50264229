/// What kind of quantity a feature is; the key of a normalisation mapping. Raw values are LeRobot's.
public enum FeatureType: String, Sendable, Hashable, CaseIterable {
    /// The robot's own state.
    case state = "STATE"
    /// An image.
    case visual = "VISUAL"
    /// The state of the robot's surroundings.
    case environment = "ENV"
    case action = "ACTION"
    case reward = "REWARD"
    case language = "LANGUAGE"
}

/// How a feature is brought to the network's scale. Raw values are LeRobot's.
public enum NormalizationMode: String, Sendable, Hashable, CaseIterable {
    /// [min, max] of the data to [-1, 1].
    case minMax = "MIN_MAX"
    /// To mean 0 and standard deviation 1.
    case meanStd = "MEAN_STD"
    /// Left as it is.
    case identity = "IDENTITY"
    /// 1st and 99th percentile to [-1, 1]. Known, not supported.
    case quantiles = "QUANTILES"
    /// 10th and 90th percentile to [-1, 1]. Known, not supported.
    case quantile10 = "QUANTILE10"
}

/// A camera that the policy sees through.
public struct CameraFeature: Sendable, Hashable {
    /// The name under which the robot sends its frames. LeRobot's feature name, unless the bundle's preprocessor renames it.
    public let name: String
    /// LeRobot's feature name, such as `observation.images.front`.
    public let checkpointName: String
    /// The size of its frames; a frame of another size is refused.
    public let size: FrameSize

    /// A camera; a policy bundle lists its own (`PolicyBundle.cameras`).
    public init(name: String, checkpointName: String, size: FrameSize) {
        self.name = name
        self.checkpointName = checkpointName
        self.size = size
    }
}

/// One quantity that the policy observes.
public struct ObservationFeature: Sendable, Hashable {
    /// The name under which the robot sends it. LeRobot's feature name, unless the bundle's preprocessor renames it.
    public let name: String
    /// LeRobot's feature name: `observation.state` or `observation.environment_state`.
    public let checkpointName: String
    /// What kind of quantity it is.
    public let type: FeatureType
    /// How many numbers one observation of it has.
    public let count: Int

    /// A quantity; a policy bundle lists its own (`PolicyBundle.observationFeatures`).
    public init(name: String, checkpointName: String, type: FeatureType, count: Int) {
        self.name = name
        self.checkpointName = checkpointName
        self.type = type
        self.count = count
    }
}

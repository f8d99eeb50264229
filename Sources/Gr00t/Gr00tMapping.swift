import Robotics

/// How the names of a client of a GR00T policy server relate to those of the policy.
public struct Gr00tMapping: Sendable, Hashable {
    /// Where the policy's earlier observations come from when a client sends fewer time steps than the policy looks back on.
    public enum Lookback: String, Sendable, Hashable, CaseIterable {
        /// From nowhere: every request must hold them all, as `get_modality_config` says, and others are refused.
        case request
        /// The first time step of the request stands in for those before it, as at the start of an episode.
        case repeated
        /// From the client's requests before. Right only for a client that asks at every control step.
        case calls
    }

    /// For each feature of the policy the keys whose arrays, one after the other, are its numbers.
    public var observations: [String: [String]]
    /// For each camera of the policy the key of its frames.
    public var cameras: [String: String]
    /// The arrays of an answer; together they hold every dimension of an action once.
    public var actions: [Gr00tActions.ArrayLayout]
    /// What is done with a request of too few time steps.
    public var lookback: Lookback
    /// The version of the clients, whose form and names the answer to `get_modality_config` has. `get_action` is answered
    /// in the version of each request.
    public var version: Gr00tVersion

    /// A mapping; `Daemon/start()` checks it against the policy.
    public init(
        observations: [String: [String]],
        cameras: [String: String] = [:],
        actions: [Gr00tActions.ArrayLayout],
        lookback: Lookback = .request,
        version: Gr00tVersion = .n16
    ) {
        self.observations = observations
        self.cameras = cameras
        self.actions = actions
        self.lookback = lookback
        self.version = version
    }

    /// Maps each feature to a key of its own name, each camera to its ``standardKey(ofCamera:)``, and all of an action to
    /// `action`.
    public init(standardFor policy: PolicyDescription) {
        self.init(
            observations: Dictionary(
                policy.features.map { ($0.name, [$0.name]) },
                uniquingKeysWith: { first, _ in first }
            ),
            cameras: Self.standardKeys(of: policy.cameras.map(\.name)),
            actions: [.init(key: "action", dimensions: Array(0..<policy.actionDim))]
        )
    }

    /// `video.front` for the camera `observation.images.front`: the name as in LeRobot, without what every camera has in front.
    public static func standardKey(ofCamera name: String) -> String {
        let prefix = ["observation.images.", "observation."].first { name.hasPrefix($0) && name != $0 } ?? ""
        return "video.\(name.dropFirst(prefix.count))"
    }

    /// The ``standardKey(ofCamera:)`` of each camera.
    public static func standardKeys(of cameras: [String]) -> [String: String] {
        Dictionary(
            cameras.map { ($0, standardKey(ofCamera: $0)) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// - Throws: ``Gr00tMappingError`` if a feature or a camera has no key or the policy no such feature or camera, if a
    ///   key of a camera or an action comes twice (`video.` or `action.` in front makes no difference), if a key of an action
    ///   has no dimensions, and if a dimension is beyond the action, comes twice or is left out.
    package func check(_ policy: PolicyDescription) throws(Gr00tMappingError) {
        try checkFeatures(of: policy)
        try checkCameras(of: policy)
        try checkActions(of: policy)
    }

    private func checkFeatures(of policy: PolicyDescription) throws(Gr00tMappingError) {
        let features = policy.features.map(\.name)
        for feature in features where observations[feature]?.isEmpty ?? true {
            throw Gr00tMappingError(
                "observations.\(feature)",
                "no keys, expected those that hold its numbers"
            )
        }
        if let unknown = observations.keys.filter({ !features.contains($0) }).min() {
            throw Gr00tMappingError(
                "observations.\(unknown)",
                "the policy observes \(features.joined(separator: " and ")) only"
            )
        }
    }

    private func checkCameras(of policy: PolicyDescription) throws(Gr00tMappingError) {
        var cameraOf: [String: String] = [:]
        for camera in policy.cameras.map(\.name) {
            let field = "cameras.\(camera)"
            guard let key = cameras[camera], !key.isEmpty else {
                throw Gr00tMappingError(field, "no key, expected that of its frames")
            }
            if let other = cameraOf.updateValue(camera, forKey: Gr00tVersion.n16.name(of: key, in: "video")) {
                throw Gr00tMappingError(field, "found \(key), which is the key of \(other) already")
            }
        }
        if let unknown = cameras.keys.filter({ name in !policy.cameras.contains { $0.name == name } }).min() {
            let names = policy.cameras.map(\.name).joined(separator: " and ")
            throw Gr00tMappingError(
                "cameras.\(unknown)",
                policy.cameras.isEmpty
                    ? "the policy has no cameras" : "the policy has the cameras \(names) only"
            )
        }
    }

    private func checkActions(of policy: PolicyDescription) throws(Gr00tMappingError) {
        var keyOf: [Int: String] = [:]
        var keys: Set<String> = []
        for array in actions {
            let field = "actions.\(array.key)"
            guard keys.insert(Gr00tVersion.n16.name(of: array.key, in: "action")).inserted else {
                throw Gr00tMappingError(field, "the key comes twice, with or without action. in front")
            }
            guard !array.dimensions.isEmpty else { throw Gr00tMappingError(field, "no dimensions") }
            for dimension in array.dimensions {
                guard (0..<policy.actionDim).contains(dimension) else {
                    throw Gr00tMappingError(
                        field,
                        "dimension \(dimension), expected 0 to \(policy.actionDim - 1): an action has \(policy.actionDim)"
                    )
                }
                if let other = keyOf.updateValue(array.key, forKey: dimension) {
                    throw Gr00tMappingError(field, "dimension \(dimension) is in \(other) already")
                }
            }
        }
        if let missing = (0..<policy.actionDim).first(where: { keyOf[$0] == nil }) {
            throw Gr00tMappingError("actions", "dimension \(missing) is in none of \(keys.count) keys")
        }
    }

    /// What `get_modality_config` answers.
    package func modalities(of policy: PolicyDescription) -> [Gr00tReply.Modality] {
        var stateKeys: [String] = []
        for key in policy.features.flatMap({ observations[$0.name] ?? [] }) {
            let name = version.name(of: key, in: "state")
            if !stateKeys.contains(name) { stateKeys.append(name) }
        }
        let videoKeys = policy.cameras.compactMap { cameras[$0.name] }.map {
            version.name(of: $0, in: "video")
        }
        let actionKeys = actions.map { version.name(of: $0.key, in: "action") }
        let steps = Array((1 - (lookback == .request ? policy.nObsSteps : 1))...0)
        let video = Gr00tReply.Modality(name: "video", deltaIndices: steps, keys: videoKeys)
        return (videoKeys.isEmpty ? [] : [video]) + [
            .init(name: "state", deltaIndices: steps, keys: stateKeys),
            .init(name: "action", deltaIndices: Array(0..<policy.nActionSteps), keys: actionKeys),
        ]
    }
}

/// A ``Gr00tMapping`` that does not go with the policy.
public struct Gr00tMappingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The entry: `observations.<feature>`, `cameras.<camera>` or `actions.<key>`.
    public let field: String
    /// What was found and what was expected.
    public let message: String

    package init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }

    /// The entry, what was found and what was expected.
    public var description: String { "gr00t: \(field): \(message)" }
}

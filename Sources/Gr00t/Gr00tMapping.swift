import ForeignClients
import Robotics

/// How the names of a client of a GR00T policy server relate to those of the policy.
public struct Gr00tMapping: Sendable, Hashable {
    /// Where the policy's earlier observations come from when a client sends fewer time steps than the policy looks back on.
    public typealias Lookback = ForeignClients.Lookback

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
            observations: ClientNames.ownNames(ofFeaturesOf: policy),
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
        try ClientNames(observations: observations, cameras: cameras, actions: actions).check(
            policy,
            section: "gr00t",
            sameCamera: { Gr00tVersion.n16.name(of: $0, in: "video") },
            sameAction: (
                { Gr00tVersion.n16.name(of: $0, in: "action") }, ", with or without action. in front"
            )
        )
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
public typealias Gr00tMappingError = ClientNamesError

import ForeignClients
import Robotics

/// How the names of an openpi client relate to those of the policy.
public struct OpenPIMapping: Sendable, Hashable {
    /// The names of features, cameras and actions.
    public var names: ClientNames
    /// What is done with an observation of fewer time steps than the policy looks back on.
    public var lookback: Lookback
    /// The key whose value tells, when it is true, that a new episode begins; nil: there is none.
    public var resetKey: String?
    /// Whom a client speaks for that does not say so; nil: a robot of its own.
    public var robot: RobotID?

    /// The key of an answer's actions, unless told otherwise.
    public static let standardActionsKey = "actions"

    /// A mapping; `Daemon/start()` checks it against the policy.
    public init(
        names: ClientNames,
        lookback: Lookback = .repeated,
        resetKey: String? = nil,
        robot: RobotID? = nil
    ) {
        self.names = names
        self.lookback = lookback
        self.resetKey = resetKey
        self.robot = robot
    }

    /// Maps each feature and each camera to a key of its own name, and all of an action to `actions`.
    public init(standardFor policy: PolicyDescription) {
        self.init(
            names: ClientNames(
                observations: ClientNames.ownNames(ofFeaturesOf: policy),
                cameras: Self.ownNames(ofCameras: policy.cameras.map(\.name)),
                actions: [.init(key: Self.standardActionsKey, dimensions: Array(0..<policy.actionDim))]
            )
        )
    }

    /// Each camera under a key of its own name.
    public static func ownNames(ofCameras names: [String]) -> [String: String] {
        Dictionary(names.map { ($0, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// What an answer holds besides actions, and under no key of a mapping.
    private static let answerKeys = ["server_timing", "policy_timing", OpenPIActions.detailsKey]

    /// - Throws: `ClientNamesError` if the names do not go with the policy, if a key of an action is one that answers have for
    ///   something else, and if the key for a new episode is empty or that of an array.
    package func check(_ policy: PolicyDescription) throws(ClientNamesError) {
        try names.check(policy, section: "openpi")
        func refuse(_ field: String, _ message: String) -> ClientNamesError {
            ClientNamesError(section: "openpi", field: field, message: message)
        }
        if let taken = names.actions.map(\.key).first(where: { Self.answerKeys.contains($0) }) {
            throw refuse("actions.\(taken)", "an answer has something else under this key")
        }
        guard let resetKey else { return }
        guard !resetKey.isEmpty else { throw refuse("reset", "found an empty text, expected a key") }
        if arrayKeys.contains(resetKey) { throw refuse("reset", "found \(resetKey), the key of an array") }
    }

    /// The keys of the arrays that an observation must hold.
    private var arrayKeys: Set<String> {
        Set(names.observations.values.joined()).union(names.cameras.values)
    }

    /// Whether a key of an observation means something.
    func knows(_ key: String) -> Bool { arrayKeys.contains(key) || key == resetKey }
}

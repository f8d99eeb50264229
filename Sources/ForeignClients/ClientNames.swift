import Robotics

/// How the names of a client that was written for another policy server relate to those of the policy.
public struct ClientNames: Sendable, Hashable {
    /// Some dimensions of an action, which go out as one array.
    public struct ActionArray: Sendable, Hashable {
        /// The array's key.
        public var key: String
        /// Which numbers of an action it holds, in order; each from 0 and below the action's size.
        public var dimensions: [Int]

        /// An array of these dimensions.
        public init(key: String, dimensions: [Int]) {
            self.key = key
            self.dimensions = dimensions
        }
    }

    /// For each feature of the policy the keys whose arrays, one after the other, are its numbers.
    public var observations: [String: [String]]
    /// For each camera of the policy the key of its frames.
    public var cameras: [String: String]
    /// The arrays of an answer; together they hold every dimension of an action once.
    public var actions: [ActionArray]

    /// Names; a daemon checks them against its policy when it starts.
    public init(observations: [String: [String]], cameras: [String: String], actions: [ActionArray]) {
        self.observations = observations
        self.cameras = cameras
        self.actions = actions
    }

    /// Each feature under a key of its own name.
    public static func ownNames(ofFeaturesOf policy: PolicyDescription) -> [String: [String]] {
        Dictionary(policy.features.map { ($0.name, [$0.name]) }, uniquingKeysWith: { first, _ in first })
    }

    /// Checks the names against the policy.
    ///
    /// - Parameters:
    ///   - section: the section of a robot file that holds the names, for errors.
    ///   - sameCamera: what a key of a camera is told apart by.
    ///   - sameAction: what a key of an action is told apart by, and what of it does not count, for errors.
    /// - Throws: ``ClientNamesError`` if a feature or a camera has no key or the policy no such feature or camera, if a key of a
    ///   camera or an action comes twice, if a key of an action has no dimensions, and if a dimension is beyond the action,
    ///   comes twice or is left out.
    package func check(
        _ policy: PolicyDescription,
        section: String,
        sameCamera: (String) -> String = { $0 },
        sameAction: (name: (String) -> String, hint: String) = ({ $0 }, "")
    ) throws(ClientNamesError) {
        do throws(Fault) {
            try checkFeatures(of: policy)
            try checkCameras(of: policy, sameCamera)
            try checkActions(of: policy, sameAction.name, hint: sameAction.hint)
        } catch {
            throw ClientNamesError(section: section, field: error.field, message: error.message)
        }
    }

    private struct Fault: Error {
        let field: String
        let message: String

        init(_ field: String, _ message: String) {
            self.field = field
            self.message = message
        }
    }

    private func checkFeatures(of policy: PolicyDescription) throws(Fault) {
        let features = policy.features.map(\.name)
        for feature in features where observations[feature]?.isEmpty ?? true {
            throw Fault("observations.\(feature)", "no keys, expected those that hold its numbers")
        }
        if let unknown = observations.keys.filter({ !features.contains($0) }).min() {
            throw Fault(
                "observations.\(unknown)",
                "the policy observes \(features.joined(separator: " and ")) only"
            )
        }
    }

    private func checkCameras(of policy: PolicyDescription, _ same: (String) -> String) throws(Fault) {
        var cameraOf: [String: String] = [:]
        for camera in policy.cameras.map(\.name) {
            let field = "cameras.\(camera)"
            guard let key = cameras[camera], !key.isEmpty else {
                throw Fault(field, "no key, expected that of its frames")
            }
            if let other = cameraOf.updateValue(camera, forKey: same(key)) {
                throw Fault(field, "found \(key), which is the key of \(other) already")
            }
        }
        if let unknown = cameras.keys.filter({ name in !policy.cameras.contains { $0.name == name } }).min() {
            let names = policy.cameras.map(\.name).joined(separator: " and ")
            throw Fault(
                "cameras.\(unknown)",
                policy.cameras.isEmpty
                    ? "the policy has no cameras" : "the policy has the cameras \(names) only"
            )
        }
    }

    private func checkActions(
        of policy: PolicyDescription,
        _ same: (String) -> String,
        hint: String
    ) throws(Fault) {
        var keyOf: [Int: String] = [:]
        var keys: Set<String> = []
        for array in actions {
            let field = "actions.\(array.key)"
            guard keys.insert(same(array.key)).inserted else {
                throw Fault(field, "the key comes twice\(hint)")
            }
            guard !array.dimensions.isEmpty else { throw Fault(field, "no dimensions") }
            for dimension in array.dimensions {
                guard (0..<policy.actionDim).contains(dimension) else {
                    throw Fault(
                        field,
                        "dimension \(dimension), expected 0 to \(policy.actionDim - 1): an action has \(policy.actionDim)"
                    )
                }
                if let other = keyOf.updateValue(array.key, forKey: dimension) {
                    throw Fault(field, "dimension \(dimension) is in \(other) already")
                }
            }
        }
        if let missing = (0..<policy.actionDim).first(where: { keyOf[$0] == nil }) {
            throw Fault("actions", "dimension \(missing) is in none of \(keys.count) keys")
        }
    }
}

/// ``ClientNames`` that do not go with the policy.
public struct ClientNamesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The section of a robot file that holds the names.
    public let section: String
    /// The entry: `observations.<feature>`, `cameras.<camera>` or `actions.<key>`.
    public let field: String
    /// What was found and what was expected.
    public let message: String

    package init(section: String, field: String, message: String) {
        self.section = section
        self.field = field
        self.message = message
    }

    /// The section, the entry, what was found and what was expected.
    public var description: String { "\(section): \(field): \(message)" }
}

import Policy
import PushT
import Robotics

/// What a policy takes of what the simulator gives: numbers by LeRobot's names, and the frames of one camera under the name that
/// the policy has for it.
package struct PushTFeatures: Sendable {
    /// Why a policy cannot play.
    package struct Misfit: Error, CustomStringConvertible {
        package let description: String
    }

    /// Rows of a frame, and pixels in a row.
    package static let frameSide = 96

    private static let position = "observation.state"
    private static let keypoints = "observation.environment_state"
    private static let counts = [position: 2, keypoints: 16]

    /// The name of the camera; nil: the policy has none.
    package let camera: String?
    /// The names of what is not a frame.
    private let names: [String]

    /// - Throws: ``Misfit`` that names the feature, what was found and what the simulator has.
    package init(of policy: PolicyDescription) throws(Misfit) {
        try self.init(
            policy: policy.name,
            features: policy.features.map { ($0.name, $0.count) },
            cameras: policy.cameras.map { ($0.name, [$0.height, $0.width, 3]) },
            actionDim: policy.actionDim
        )
    }

    /// - Throws: as ``init(of:)-(PolicyDescription)``.
    package init(of bundle: PolicyBundle) throws(Misfit) {
        try self.init(
            policy: bundle.name,
            features: bundle.observationFeatures.map { ($0.name, $0.count) },
            cameras: bundle.cameras.map { ($0.name, [$0.size.height, $0.size.width, 3]) },
            actionDim: bundle.configuration.actionDim
        )
    }

    private init(
        policy: String,
        features: [(name: String, count: Int)],
        cameras: [(name: String, shape: [Int])],
        actionDim: Int
    ) throws(Misfit) {
        func misfit(_ found: String) -> Misfit { Misfit(description: "the policy \(policy) \(found)") }
        if let feature = features.first(where: { Self.counts[$0.name] != $0.count }) {
            throw misfit("takes \(feature.name) [\(feature.count)]; \(Self.offer)")
        }
        guard cameras.count <= 1 else {
            let list = cameras.map { "\($0.name) \($0.shape)" }.joined(separator: " and ")
            throw misfit("sees through \(cameras.count) cameras, \(list); \(Self.offer)")
        }
        if let camera = cameras.first, camera.shape != Self.frameShape {
            throw misfit("takes frames of \(camera.name) \(camera.shape); \(Self.offer)")
        }
        let names = Set(features.map(\.name))
        guard names.contains(Self.position), names.contains(Self.keypoints) || !cameras.isEmpty else {
            let list = features.map { "\($0.name) [\($0.count)]" } + cameras.map { "\($0.name) \($0.shape)" }
            let found = list.isEmpty ? "nothing" : list.joined(separator: " and ")
            throw misfit(
                "takes \(found), expected \(Self.position) and besides \(Self.keypoints) or a camera; "
                    + Self.offer
            )
        }
        guard actionDim == 2 else {
            throw misfit("gives actions of \(actionDim) numbers, PushT takes 2")
        }
        self.camera = cameras.first?.name
        self.names = names.sorted()
    }

    private static var frameShape: [Int] { [frameSide, frameSide, 3] }

    private static var offer: String {
        "PushT gives \(position) [2] (agent position), \(keypoints) [16] (keypoints) "
            + "and frames \(frameShape) of one camera"
    }

    /// What the policy takes of what the simulator shows.
    ///
    /// - Parameter frame: the camera's; nil: it is left out.
    package func observation(_ observation: PushTObservation, frame: CameraFrame?) -> Observation {
        var result = Observation(values: [:])
        for name in names {
            result.values[name] =
                name == Self.position
                ? [Float(observation.agentPosition.x), Float(observation.agentPosition.y)]
                : observation.keypoints.map { Float($0) }
        }
        if let camera { result.frames[camera] = frame }
        return result
    }
}

import ForeignText
import Policy
import Robotics

/// A robot's observation that fits its policy. Only ``Agenda/check(_:preceding:policy:)`` makes one.
package struct FittingObservation: Sendable {
    /// What the robot sent.
    package let observation: RobotObservation
    /// The policy that it fits: its index among the daemon's.
    package let policy: Int
    /// Its values.
    let values: CheckedObservation
    /// The observations that enter the history before it, oldest first.
    let preceding: [CheckedObservation]

    /// - Throws: `MessageError` that names the feature, what was found and what is expected.
    init(
        _ observation: RobotObservation,
        preceding: [Observation],
        policy: Int,
        features: [ObservationFeature],
        cameras: [CameraFeature]
    ) throws(MessageError) {
        self.policy = policy
        do throws(ObservationError) {
            var checked: [CheckedObservation] = []
            for earlier in preceding {
                checked.append(try CheckedObservation(earlier, features: features, cameras: cameras))
            }
            self.preceding = checked
            values = try CheckedObservation(observation.observed, features: features, cameras: cameras)
            self.observation = observation
        } catch {
            throw MessageError(error, features: features, cameras: cameras)
        }
    }
}

extension MessageError {
    /// What a robot is told of an observation that does not fit a policy of these features.
    init(_ error: ObservationError, features: [ObservationFeature], cameras: [CameraFeature]) {
        let list =
            (features.map { "\($0.name) [\($0.count)]" } + cameras.map { "\($0.name) \($0.size.shape)" })
            .joined(separator: ", ")
        switch error {
        case .missing(let feature, _), .missingFrame(let feature, _):
            self.init(
                .missingFeature,
                field: "observation.\(feature)",
                "missing; the policy expects \(list)"
            )
        case .wrongCount(let feature, let found, let expected):
            self.init(
                .badArray,
                field: "observation.\(feature)",
                "\(found) numbers, expected \(expected)"
            )
        case .notFinite(let feature, let index, let value):
            self.init(
                .notFinite,
                field: "observation.\(feature)",
                "element \(index) is \(value), expected a finite number"
            )
        case .wrongFrameSize(let camera, let found, let expected):
            self.init(
                .badArray,
                field: "observation.\(camera)",
                "a frame of \(found) pixels, expected \(expected), as in training: frames are not resized"
            )
        case .badPicture(let camera, let reason):
            self.init(.badImage, field: "observation.\(camera)", reason)
        case .unknown(let unknown, _):
            self.init(
                .unknownFeature,
                field: "observation",
                "\(unknown.count) unknown, the first \"\(printable(unknown[0], limit: 64))\"; the policy expects \(list)"
            )
        }
    }
}

extension PolicyDescription {
    /// Checks that committed actions can be the beginning of a chunk. Their numbers are finite: decoding saw to that.
    /// - Throws: `MessageError` with the shape found and the one expected.
    package func check(_ committed: ActionRows) throws(MessageError) {
        let rows = horizon - nObsSteps + 1
        guard committed.steps > 0 else { return }
        guard committed.actionDim == actionDim, committed.steps <= rows else {
            throw MessageError(
                .badArray,
                field: "committed.shape",
                "found [\(committed.steps), \(committed.actionDim)], expected [at most \(rows), \(actionDim)]"
            )
        }
    }
}

extension RobotObservation {
    /// The observation without features that are not read.
    package func leavingOut(_ ignored: Set<String>) -> RobotObservation {
        guard !ignored.isEmpty else { return self }
        var rest = self
        rest.values = values.filter { !ignored.contains($0.key) }
        rest.frames = frames.filter { !ignored.contains($0.key) }
        return rest
    }
}

import ForeignText
import Policy
import Robotics

extension PolicyDescription {
    /// Checks that an observation has exactly the policy's features, each with its count of finite numbers.
    /// - Throws: `MessageError` that names the feature, what was found and what is expected.
    package func check(_ values: [String: [Float]]) throws(MessageError) {
        for feature in features {
            let field = "observation.\(feature.name)"
            guard let numbers = values[feature.name] else {
                throw MessageError(
                    .missingFeature,
                    field: field,
                    "missing; the policy expects \(featureList)"
                )
            }
            guard numbers.count == feature.count else {
                throw MessageError(
                    .badArray,
                    field: field,
                    "\(numbers.count) numbers, expected \(feature.count)"
                )
            }
            if let index = numbers.firstIndex(where: { !$0.isFinite }) {
                throw MessageError(
                    .notFinite,
                    field: field,
                    "element \(index) is \(numbers[index]), expected a finite number"
                )
            }
        }
        guard values.count > features.count else { return }
        let known = Set(features.map(\.name))
        let unknown = values.keys.filter { !known.contains($0) }.sorted()
        throw MessageError(
            .unknownFeature,
            field: "observation",
            "\(unknown.count) unknown, the first \"\(printable(unknown[0], limit: 64))\"; the policy expects \(featureList)"
        )
    }

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

    private var featureList: String {
        features.map { "\($0.name) [\($0.count)]" }.joined(separator: ", ")
    }
}

extension RobotObservation {
    /// The observation without features that are not read.
    package func leavingOut(_ ignored: Set<String>) -> RobotObservation {
        guard !ignored.isEmpty else { return self }
        var rest = self
        rest.values = values.filter { !ignored.contains($0.key) }
        return rest
    }
}

extension ObservationHistory {
    /// Adds an observation that has passed the policy's check.
    /// - Throws: `MessageError` where the policy's features are not the history's.
    package mutating func append(_ values: [String: [Float]]) throws(MessageError) {
        do throws(ObservationError) {
            try append(Observation(values: values))
        } catch {
            throw MessageError(.badArray, field: "observation", "\(error)")
        }
    }
}

import ForeignText
import Robotics

/// A client's observation in the policy's terms.
package struct Gr00tObservationRows {
    /// The numbers of each feature at each time step, oldest first: at most as many as the policy looks back on, at least
    /// one.
    package var rows: [[String: [Float]]] = []
    /// How the client gets its actions.
    package var form: Gr00tActions.Form

    /// The first array that was read: the others must have as many extents and time steps.
    private var first: (key: String, steps: Steps)?

    /// Reads the arrays that the mapping asks for, each of shape [1, T, D] with one T for all. A client of N1.5 may leave out
    /// the batch's extent of 1, in all of them.
    /// - Throws: `MessageError` that names the array, what was found and what is expected.
    package init(
        _ observation: Gr00tObservation,
        mapping: Gr00tMapping,
        policy: PolicyDescription
    ) throws(MessageError) {
        form = Gr00tActions.Form(version: observation.version)
        for feature in policy.features {
            let keys = mapping.observations[feature.name] ?? []
            var width = 0
            for key in keys {
                let steps = try Steps(key, in: observation)
                try check(steps, key: key, in: observation)
                append(steps, to: feature.name, atMost: policy.nObsSteps)
                width += steps.size
            }
            guard width == feature.count else {
                throw MessageError(
                    .badArray,
                    field: observation.path,
                    "\(keys.joined(separator: ", ")): \(width) numbers in the last dimension, expected "
                        + "\(feature.count) for \(feature.name)"
                )
            }
        }
        try lookBack(mapping.lookback, steps: policy.nObsSteps, in: observation)
    }

    /// Checks an array against the first one.
    private mutating func check(
        _ steps: Steps,
        key: String,
        in observation: Gr00tObservation
    ) throws(MessageError) {
        form.array = steps.form
        form.isBatched = steps.isBatched
        guard let first else {
            first = (key, steps)
            return
        }
        let other = printable(first.key, limit: 64)
        guard steps.isBatched == first.steps.isBatched else {
            throw MessageError(
                .badArray,
                field: observation.field(key),
                "shape \(steps.shape), but \(first.steps.shape) in \(other): expected a batch dimension in all arrays or in none"
            )
        }
        guard steps.count == first.steps.count else {
            throw MessageError(
                .badArray,
                field: observation.field(key),
                "time steps: \(steps.count), but \(first.steps.count) in \(other)"
            )
        }
    }

    /// Puts the newest time steps behind what a feature has so far.
    private mutating func append(_ steps: Steps, to feature: String, atMost count: Int) {
        let kept = min(steps.count, count)
        if rows.isEmpty { rows = Array(repeating: [:], count: kept) }
        for row in 0..<kept {
            let start = (steps.count - kept + row) * steps.size
            rows[row][feature, default: []] += steps.elements[start..<start + steps.size]
        }
    }

    /// Does what is told if there are fewer time steps than the policy looks back on.
    private mutating func lookBack(
        _ lookback: Gr00tMapping.Lookback,
        steps: Int,
        in observation: Gr00tObservation
    ) throws(MessageError) {
        guard rows.count < steps else { return }
        switch lookback {
        case .calls: break
        case .repeated: rows = Array(repeating: rows[0], count: steps - rows.count) + rows
        case .request:
            throw MessageError(
                .badArray,
                field: observation.field(first?.key ?? ""),
                "time steps: \(rows.count), expected at least \(steps), one for each control step that the policy "
                    + "looks back on, as get_modality_config says; for a client that sends one step at a time, set gr00t.lookback "
                    + "in the robot file to repeated or calls"
            )
        }
    }
}

/// An array of an observation.
private struct Steps {
    /// The numbers of one time step after the other.
    var elements: [Float]
    /// The extents as they were sent.
    var shape: [Int]
    var form: Gr00tArray.Form

    /// Whether the first extent is that of a batch.
    var isBatched: Bool { shape.count == 3 }
    /// The number of time steps, at least 1.
    var count: Int { shape[shape.count - 2] }
    /// How many numbers a time step has.
    var size: Int { shape[shape.count - 1] }

    /// Reads the array under a key.
    init(_ key: String, in observation: Gr00tObservation) throws(MessageError) {
        guard let array = try observation.array(key) else {
            let there = observation.keys.prefix(16).map { printable($0, limit: 64) }.joined(separator: ", ")
            throw MessageError(
                .missingFeature,
                field: observation.field(key),
                "missing; the observation has \(there.isEmpty ? "nothing" : there)"
            )
        }
        (elements, shape, form) = (array.elements, array.shape, array.form)
        let mayLackBatch = observation.version == .n15
        guard shape.count == 3 || mayLackBatch && shape.count == 2, count > 0 else {
            throw MessageError(
                .badArray,
                field: observation.field(key),
                "shape \(shape), expected \(mayLackBatch ? "[time steps, numbers] or " : "")[1, time steps, numbers]"
            )
        }
        guard !isBatched || shape[0] == 1 else {
            throw MessageError(
                .badArray,
                field: observation.field(key),
                "a batch of \(shape[0]), expected 1: a request is for one robot"
            )
        }
    }
}

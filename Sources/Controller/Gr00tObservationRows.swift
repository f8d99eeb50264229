import Wire

/// A client's observation in the policy's terms.
struct Gr00tObservationRows {
    /// The numbers of each feature at each time step, oldest first: at most as many as the policy looks back on, at least
    /// one.
    var rows: [[String: [Float]]]
    /// How the client packs arrays.
    var form: Gr00tArray.Form

    /// Reads the arrays that the mapping asks for, each of shape [1, T, D] with one T for all.
    /// - Throws: ``MessageError`` that names the array, what was found and what is expected.
    init(
        _ observation: Gr00tObservation,
        mapping: Gr00tMapping,
        policy: InfoMessage.Policy
    ) throws(MessageError) {
        var rows: [[String: [Float]]] = []
        var steps: (count: Int, key: String)?
        var form = Gr00tArray.Form.npy
        for feature in policy.features {
            var width = 0
            for key in mapping.observations[feature.name] ?? [] {
                let array = try Self.array(key, in: observation)
                let (found, size) = (array.shape[1], array.shape[2])
                if let steps, steps.count != found {
                    throw MessageError(
                        .badArray,
                        field: observation.field(key),
                        "time steps: \(found), but \(steps.count) in \(printable(steps.key, limit: 64))"
                    )
                }
                steps = (found, key)
                form = array.form
                let kept = min(found, policy.nObsSteps)
                if rows.isEmpty { rows = Array(repeating: [:], count: kept) }
                for row in 0..<kept {
                    let start = (found - kept + row) * size
                    rows[row][feature.name, default: []] += array.elements[start..<start + size]
                }
                width += size
            }
            guard width == feature.count else {
                let keys = mapping.observations[feature.name] ?? []
                throw MessageError(
                    .badArray,
                    field: "data.observation",
                    "\(keys.joined(separator: ", ")): \(width) numbers in the last dimension, expected "
                        + "\(feature.count) for \(feature.name)"
                )
            }
        }
        self.rows = rows
        self.form = form
        guard rows.count < policy.nObsSteps else { return }
        switch mapping.lookback {
        case .calls: break
        case .repeated:
            let missing = policy.nObsSteps - rows.count
            self.rows = Array(repeating: rows[0], count: missing) + rows
        case .request:
            throw MessageError(
                .badArray,
                field: observation.field(steps?.key ?? ""),
                "time steps: \(rows.count), expected at least \(policy.nObsSteps), one for each control step that the policy "
                    + "looks back on, as get_modality_config says; for a client that sends one step at a time, set gr00t.lookback "
                    + "in the robot file to repeated or calls"
            )
        }
    }

    private static func array(
        _ key: String,
        in observation: Gr00tObservation
    ) throws(MessageError) -> Gr00tArray {
        guard let array = try observation.array(key) else {
            let there = observation.keys.prefix(16).map { printable($0, limit: 64) }.joined(separator: ", ")
            throw MessageError(
                .missingFeature,
                field: observation.field(key),
                "missing; the observation has \(there.isEmpty ? "nothing" : there)"
            )
        }
        guard array.shape.count == 3, array.shape[1] > 0 else {
            throw MessageError(
                .badArray,
                field: observation.field(key),
                "shape \(array.shape), expected [1, time steps, numbers]"
            )
        }
        guard array.shape[0] == 1 else {
            throw MessageError(
                .badArray,
                field: observation.field(key),
                "a batch of \(array.shape[0]), expected 1: a request is for one robot"
            )
        }
        return array
    }
}

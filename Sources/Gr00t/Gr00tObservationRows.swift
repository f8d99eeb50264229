import ForeignClients
import Robotics

/// A client's observation in the policy's terms.
package struct Gr00tObservationRows {
    /// The numbers of each feature and the frame of each camera at each time step, oldest first: at most as many as the
    /// policy looks back on, at least one.
    package var rows: [Observation] = []
    /// How the client gets its actions.
    package var form: Gr00tActions.Form

    /// The first array that was read: the others must have as many extents and time steps.
    private var first: (key: String, steps: Gr00tSteps)?

    /// Reads the arrays that the mapping asks for: those of features of shape [1, T, D], those of cameras of shape
    /// [1, T, height, width, 3], with one T for all. A client of N1.5 may leave out the batch's extent of 1, in all of them.
    /// - Throws: `MessageError` that names the array, what was found and what is expected.
    package init(
        _ observation: Gr00tObservation,
        mapping: Gr00tMapping,
        policy: PolicyDescription
    ) throws(MessageError) {
        form = Gr00tActions.Form(version: observation.version)
        for feature in policy.features {
            try read(feature, keys: mapping.observations[feature.name] ?? [], of: policy, in: observation)
        }
        var videos: [(camera: String, video: Gr00tVideo)] = []
        for camera in policy.cameras {
            let key = mapping.cameras[camera.name] ?? Gr00tMapping.standardKey(ofCamera: camera.name)
            let video = try Gr00tVideo(key, of: camera, in: observation)
            try check(video.steps, key: key, field: observation.field(key, in: "video"), of: policy)
            videos.append((camera.name, video))
        }
        // No pixel is copied before all arrays are known to fit.
        for (camera, video) in videos {
            for row in rows.indices {
                rows[row].frames[camera] = video[video.steps.count - rows.count + row]
            }
        }
        try lookBack(mapping.lookback, steps: policy.nObsSteps, in: observation)
    }

    /// Puts a feature's numbers into the rows.
    private mutating func read(
        _ feature: FeatureDescription,
        keys: [String],
        of policy: PolicyDescription,
        in observation: Gr00tObservation
    ) throws(MessageError) {
        var width = 0
        for key in keys {
            let numbers = try Gr00tNumbers(key, in: observation)
            try check(numbers.steps, key: key, field: observation.field(key), of: policy)
            form.array = numbers.form
            form.isBatched = numbers.steps.isBatched
            for row in rows.indices {
                rows[row].values[feature.name, default: []] += numbers[numbers.steps.count - rows.count + row]
            }
            width += numbers.size
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

    /// Checks an array against the first one, which says how many rows there are.
    private mutating func check(
        _ steps: Gr00tSteps,
        key: String,
        field: String,
        of policy: PolicyDescription
    ) throws(MessageError) {
        if let first {
            try first.steps.check(steps, key: first.key, field: field)
        } else {
            first = (key, steps)
            rows = Array(repeating: Observation(values: [:]), count: min(steps.count, policy.nObsSteps))
        }
    }

    /// Does what is told if there are fewer time steps than the policy looks back on.
    private mutating func lookBack(
        _ lookback: Gr00tMapping.Lookback,
        steps: Int,
        in observation: Gr00tObservation
    ) throws(MessageError) {
        guard !lookback.complete(&rows, steps: steps) else { return }
        throw MessageError(
            .badArray,
            field: observation.field(first?.key ?? ""),
            "time steps: \(rows.count), expected at least \(steps), one for each control step that the policy "
                + "looks back on, as get_modality_config says; for a client that sends one step at a time, set gr00t.lookback "
                + "in the robot file to repeated or calls"
        )
    }
}

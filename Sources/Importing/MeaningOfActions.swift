/// What a configuration says of how actions are meant, which a policy folder has no place for.
struct MeaningOfActions {
    private let configuration: ConfigurationKey

    init(_ configuration: ConfigurationKey) { self.configuration = configuration }

    /// What the user should know of the actions, a sentence each.
    ///
    /// - Parameter keepsRotations: whether the user takes rotations as the policy computes them.
    /// - Throws: `ImportError` for actions that robomimic's conversion of rotations has to follow, unless the user takes them.
    func notes(keepsRotations: Bool) throws(ImportError) -> [String] {
        var notes: [String] = []
        let task = try member("task", of: configuration)
        let dataset = try member("dataset", of: task)
        let isAbsolute = try (flag("abs_action", of: dataset), flag("abs_action", of: task))
        if isAbsolute.0 || isAbsolute.1 {
            if let rotation = try rotation(dataset) {
                guard keepsRotations else {
                    throw ImportError(
                        configuration.file,
                        "cfg.task.dataset.abs_action",
                        found: "true, with rotations as \(rotation)",
                        expected:
                            "actions that need no conversion; --raw-rotations takes them as they are, and the "
                            + "robot's side converts them"
                    )
                }
                notes.append(
                    "Actions are absolute poses with rotations as \(rotation): for each arm 3 numbers of position, 6 of "
                        + "rotation (the first two rows of its matrix), then the gripper's. The robot's side converts them."
                )
            } else {
                notes.append("Actions are absolute targets (abs_action), not differences.")
            }
        }
        if try flag("delta_action", of: dataset) {
            notes.append("Actions are differences to the position before (delta_action).")
        }
        if let latency = try configuration.optional("n_latency_steps"),
            let steps = try? latency.integer(in: 1...1_000_000)
        {
            notes.append(
                "The run left \(steps) actions out for latency (n_latency_steps); a daemon does so by time."
            )
        }
        return notes
    }

    /// How rotations are written; nil: the data set converts none.
    private func rotation(_ dataset: ConfigurationKey?) throws(ImportError) -> String? {
        guard let dataset else { return nil }
        if let representation = try dataset.optional("rotation_rep"), let text = try? representation.text() {
            return text
        }
        let target = try dataset.optional("_target_")
        return (try? target?.text())?.contains("robomimic") == true ? "rotation_6d" : nil
    }

    private func member(_ key: String, of parent: ConfigurationKey?) throws(ImportError) -> ConfigurationKey?
    {
        guard let member = try parent?.optional(key), try !member.isNull else { return nil }
        return member
    }

    private func flag(_ key: String, of parent: ConfigurationKey?) throws(ImportError) -> Bool {
        try parent?.optional(key)?.bool() ?? false
    }
}

import Files
import Foundation
import Policy
import Safetensors
import StrictJSON

/// Turns a checkpoint of the Diffusion Policy code base (real-stanford/diffusion_policy) into a LeRobot policy folder.
///
/// Read are workspace checkpoints of `DiffusionUnetLowdimPolicy` and `DiffusionUnetHybridImagePolicy`. The networks are the ones
/// that LeRobot has; tensors get other names, and the columns of the condition another order. Nothing of the checkpoint is run.
public struct DiffusionPolicyImport {
    private let contents: CheckpointContents
    private let options: ImportOptions
    private let weights: ImportOptions.Weights
    private let state: StateDictionary
    private let policy: SourcePolicy
    private let layout: FeatureLayout
    private let text: BundleText
    private let notes: [String]

    /// Reads a checkpoint and checks everything but its weights.
    ///
    /// - Throws: `ImportError` with the key or tensor, what was found and what was expected.
    public init(contentsOf url: URL, options: ImportOptions = ImportOptions()) throws(ImportError) {
        contents = try CheckpointContents(try TorchFile(contentsOf: url))
        self.options = options
        let file = contents.file.archive.name
        let key = try contents.configuration.required("policy", expected: "the policy of a workspace")
        policy = try SourcePolicy(key)
        var notes = try MeaningOfActions(contents.configuration).notes(keepsRotations: options.keepsRotations)
        weights =
            options.weights
            ?? (contents.names.contains(ImportOptions.Weights.averaged.rawValue) ? .averaged : .trained)
        state = try contents.tensors(of: weights)
        let keypoints = try Self.keypoints(policy, state)
        layout = try FeatureLayout(
            policy.observations,
            state: options.state,
            featuresOfFrame: 2 * keypoints,
            file: file
        )
        text = BundleText(policy: policy, layout: layout, keypoints: keypoints)
        notes += Self.notes(policy, layout)
        self.notes = notes
    }

    /// How many keypoints the encoders find, which their tensors say; 0 without cameras.
    private static func keypoints(_ policy: SourcePolicy, _ state: StateDictionary) throws(ImportError) -> Int
    {
        for observation in policy.observations {
            guard case .camera = observation.kind else { continue }
            let name = "obs_encoder.obs_nets.\(observation.key).nets.1.nets.bias"
            let shape = try state.tensor(name).shape
            guard shape.count == 1, (1...1024).contains(shape[0]) else {
                throw state.error(name, found: "shape \(shape)", expected: "one number for each keypoint")
            }
            return shape[0]
        }
        return 0
    }

    private static func notes(_ policy: SourcePolicy, _ layout: FeatureLayout) -> [String] {
        var notes: [String] = []
        if layout.cameras.isEmpty, layout.environment.isEmpty {
            notes.append(
                "LeRobot itself loads only policies with a camera or an observation.environment_state; --state says which "
                    + "numbers are the robot's own, and the others become that"
            )
        }
        if !policy.horizon.isMultiple(of: 1 << min(policy.downDims.count, 32)) {
            notes.append(
                "LeRobot itself wants a horizon that is a multiple of \(1 << min(policy.downDims.count, 32)), "
                    + "and does not load this policy"
            )
        }
        let steps = policy.numInferenceSteps ?? policy.scheduler.numTrainTimesteps
        if policy.scheduler.type == "DDPM", steps < policy.scheduler.numTrainTimesteps {
            notes.append(
                "DDPM with fewer steps than in training is computed as diffusers does it since 0.13; the code base "
                    + "names 0.11, which computes these steps differently"
            )
        }
        return notes
    }

    // MARK: Writing

    /// Writes the policy folder: all of it or nothing. It is checked as every policy is before it gets its name.
    ///
    /// - Parameters:
    ///   - url: the folder, which must not be there yet.
    ///   - goesOn: told the share that is done, 0 to 1; says whether to go on. If not, what was written is taken away.
    /// - Throws: `ImportError`; then there is no folder.
    public func write(
        to url: URL,
        goesOn: (Double) -> Bool = { _ in true }
    ) throws(ImportError) -> ImportReport {
        let folder = try NewFolder(url)
        do throws(ImportError) {
            let report = try write(in: folder.url) { (share) throws(ImportError) in
                if !goesOn(share) { throw ImportError.ended(url.lastPathComponent) }
            }
            try folder.finish()
            return report
        } catch {
            folder.remove()
            throw error
        }
    }

    private func write(
        in folder: URL,
        progress: (Double) throws(ImportError) -> Void
    ) throws(ImportError) -> ImportReport {
        try write(text.configuration.bytes, as: PolicyConfiguration.fileName, in: folder)
        let configuration = try asCheckpointError { () throws(PolicyError) in
            try PolicyConfiguration(contentsOf: folder.appending(path: PolicyConfiguration.fileName))
        }
        let plan = try TensorPlan(state, configuration: configuration, layout: layout)
        try writeWeights(plan, configuration, in: folder) { (share) throws(ImportError) in
            try progress(0.7 * share)
        }
        try writeNormalization(in: folder)
        // As every command that runs a policy does.
        _ = try asCheckpointError { () throws(PolicyError) in try PolicyBundle(directory: folder) }
        let size = Double(contents.file.archive.byteCount)
        let digest = try contents.file.archive.digest { (bytes) throws(ImportError) in
            try progress(0.7 + 0.3 * Double(bytes) / size)
        }
        let report = report(sha256: digest)
        try write(
            Array(ImportCard(report, policy: policy, options: options).text.utf8),
            as: "README.md",
            in: folder
        )
        return report
    }

    private func writeWeights(
        _ plan: TensorPlan,
        _ configuration: PolicyConfiguration,
        in folder: URL,
        progress: (Double) throws(ImportError) -> Void
    ) throws(ImportError) {
        let columns = layout.columns(of: policy.observations)
        let total = max(plan.targets.values.reduce(0) { $0 + $1.byteCount }, 1)
        let url = folder.appending(path: "model.safetensors")
        let stream = try asOutputError { () throws(SafetensorsError) in
            try SafetensorsStream(
                plan.targets.values.map {
                    SafetensorsStream.Layout(name: $0.name, dtype: $0.dtype, shape: $0.shape)
                },
                to: url
            )
        }
        var done = 0
        for layout in stream.layouts {
            guard let target = plan.targets[layout.name] else { continue }
            let bytes = try plan.bytes(
                of: target,
                embedding: configuration.architecture.diffusionStepEmbedDim,
                columns: columns
            )
            do throws(SafetensorsError) {
                try stream.append(bytes)
            } catch {
                throw outputError(error)
            }
            done += bytes.count
            try progress(Double(done) / Double(total))
        }
    }

    private func writeNormalization(in folder: URL) throws(ImportError) {
        let normalizer = SourceNormalizer(state)
        var inputs: [String: SafetensorsWriter.Tensor] = [:]
        func add(_ range: SourceNormalizer.Range, _ feature: String, shape: [Int]) {
            inputs["\(feature).min"] = .f64(range.min, shape: shape)
            inputs["\(feature).max"] = .f64(range.max, shape: shape)
        }
        var ranges: [String: SourceNormalizer.Range] = [:]
        for observation in policy.observations {
            if case .numbers(let count) = observation.kind {
                ranges[observation.key] = try normalizer.range(of: observation.key, count: count)
            }
        }
        for (feature, numbers) in [
            ("observation.state", layout.state), ("observation.environment_state", layout.environment),
        ] where !numbers.isEmpty {
            let range = SourceNormalizer.Range(
                min: numbers.compactMap { ranges[$0.key]?.min[$0.index] },
                max: numbers.compactMap { ranges[$0.key]?.max[$0.index] }
            )
            add(range, feature, shape: [numbers.count])
        }
        for camera in layout.cameras {
            add(try normalizer.range(ofCamera: camera.key), camera.feature, shape: [3, 1, 1])
        }
        let action = try normalizer.range(of: "action", count: policy.actionDim)
        add(action, "action", shape: [policy.actionDim])
        let outputs = inputs.filter { $0.key.hasPrefix("action.") }
        try write(text.preprocessor.bytes, as: "policy_preprocessor.json", in: folder)
        try write(text.postprocessor.bytes, as: "policy_postprocessor.json", in: folder)
        try asOutputError { () throws(SafetensorsError) in
            try SafetensorsWriter.write(inputs, to: folder.appending(path: BundleText.preprocessorStatistics))
            try SafetensorsWriter.write(
                outputs,
                to: folder.appending(path: BundleText.postprocessorStatistics)
            )
        }
    }

    private func report(sha256: String) -> ImportReport {
        var features = [feature("observation.state", layout.state)]
        features += layout.cameras.map {
            ImportReport.Feature(name: $0.feature, shape: [$0.height, $0.width, 3], source: $0.key)
        }
        if !layout.environment.isEmpty {
            features.append(feature("observation.environment_state", layout.environment))
        }
        features.append(ImportReport.Feature(name: "action", shape: [policy.actionDim], source: "action"))
        return ImportReport(
            file: contents.file.archive.name,
            sha256: sha256,
            policyClass: policy.className,
            weights: weights,
            epoch: contents.counter("epoch"),
            globalStep: contents.counter("global_step"),
            features: features,
            leftOut: contents.names.filter { $0 != weights.rawValue },
            notes: notes
        )
    }

    private func feature(_ name: String, _ numbers: [FeatureLayout.Number]) -> ImportReport.Feature {
        ImportReport.Feature(name: name, shape: [numbers.count], source: FeatureLayout.text(of: numbers))
    }

    // MARK: Errors

    private func write(_ bytes: [UInt8], as name: String, in folder: URL) throws(ImportError) {
        do {
            try Data(bytes).write(to: folder.appending(path: name), options: .withoutOverwriting)
        } catch {
            throw ImportError(
                name,
                found: "cannot be written (\(error.systemReason))",
                expected: "a folder that can be written to",
                isOfOutput: true
            )
        }
    }

    /// Runs `body` on what was written; what is wrong with it is the checkpoint's fault.
    private func asCheckpointError<Result>(_ body: () throws(PolicyError) -> Result) throws(ImportError)
        -> Result
    {
        do throws(PolicyError) {
            return try body()
        } catch {
            throw ImportError(
                contents.file.archive.name,
                "the policy that it becomes",
                found: error.description,
                expected: ""
            )
        }
    }

    private func asOutputError<Result>(
        _ body: () throws(SafetensorsError) -> Result
    ) throws(ImportError) -> Result {
        do throws(SafetensorsError) {
            return try body()
        } catch {
            throw outputError(error)
        }
    }

    private func outputError(_ error: SafetensorsError) -> ImportError {
        ImportError(error.file, found: error.found, expected: error.expected, isOfOutput: true)
    }
}

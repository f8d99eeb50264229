import Foundation
import Safetensors
import StrictJSON

/// How a bundle's observations and actions are brought to the network's scale and back, from whichever of LeRobot's
/// layouts the bundle has.
struct PolicyNormalization: Sendable, Hashable {
    /// The inputs as the robot sends them, in condition order.
    let features: [ObservationFeature]
    /// One for each of `features`.
    let inputs: [NormalizationStatistics]
    /// The cameras under the names the robot sends, in condition order.
    let cameras: [CameraFeature]
    /// One for each of `cameras`: three numbers, one for each colour.
    let frames: [NormalizationStatistics]
    let action: NormalizationStatistics
    /// What the robot may send and the model does not read, under the names the robot sends.
    let ignoredFeatures: Set<String>

    /// Reads the statistics.
    ///
    /// - Parameter checkpoint: the weights, where the older layout keeps the statistics too.
    init(
        directory: URL,
        configuration: PolicyConfiguration,
        checkpoint: SafetensorsCheckpoint
    ) throws(PolicyError) {
        if Self.hasProcessors(directory) {
            try Self.checkFiles(in: directory)
            try self.init(processorsIn: directory, configuration: configuration)
        } else {
            // A checkpoint with neither statistics inside nor processors beside it is one that lacks files.
            if !checkpoint.names.contains(where: {
                $0.hasPrefix("normalize_") || $0.hasPrefix("unnormalize_")
            }),
                configuration.normalizationMode(of: .action) != .identity
            {
                throw Self.missing(
                    [ProcessorPipeline.preprocessorName, ProcessorPipeline.postprocessorName],
                    in: directory
                )
            }
            try self.init(buffersIn: checkpoint, configuration: configuration)
        }
    }

    /// Throws an error that names all missing files: the two processors and the statistics that they name.
    private static func checkFiles(in directory: URL) throws(PolicyError) {
        func isMissing(_ name: String) -> Bool {
            // Also if there is a symbolic link that leads nowhere.
            !FileManager.default.fileExists(
                atPath: directory.appending(path: name).path(percentEncoded: false)
            )
        }
        var missingFiles: [String] = []
        for name in [ProcessorPipeline.preprocessorName, ProcessorPipeline.postprocessorName] {
            guard !isMissing(name) else {
                missingFiles.append(name)
                continue
            }
            let pipeline = try ProcessorPipeline(contentsOf: directory.appending(path: name))
            for step in pipeline.steps {
                guard case .string(let file)? = try step.reader.optional("state_file")?.node,
                    file.isSafetensorsFileName, isMissing(file)
                else { continue }
                missingFiles.append(file)
            }
        }
        guard missingFiles.isEmpty else { throw missing(missingFiles, in: directory) }
    }

    private static func missing(_ files: [String], in directory: URL) -> PolicyError {
        PolicyError(
            files[0],
            found: "No such file"
                + (files.count == 1 ? "" : "; missing as well: \(files.dropFirst().joined(separator: ", "))"),
            expected: "all files that LeRobot wrote with \(PolicyConfiguration.fileName)"
        )
    }

    /// Whether the folder has the layout with processor files, of LeRobot 0.4 and later.
    static func hasProcessors(_ directory: URL) -> Bool {
        [ProcessorPipeline.preprocessorName, ProcessorPipeline.postprocessorName].contains {
            FileManager.default.fileExists(atPath: directory.appendingPathComponent($0).path)
        }
    }

    /// The layout since LeRobot 0.4: steps before and after the model, each pipeline in a file.
    private init(processorsIn directory: URL, configuration: PolicyConfiguration) throws(PolicyError) {
        let (normalizer, renameMap, file) = try Self.preprocessor(in: directory)
        var inputs: [NormalizationStatistics] = []
        for input in configuration.inputs {
            inputs.append(try normalizer.statistics(ofInput: input, configuration: configuration))
        }
        self.inputs = inputs
        var frames: [NormalizationStatistics] = []
        if let vision = configuration.vision {
            for camera in vision.cameras {
                frames.append(
                    try normalizer.statistics(
                        ofCamera: camera.name,
                        configuration: configuration,
                        frame: vision.frame
                    )
                )
            }
        }
        self.frames = frames
        action = try Self.unnormalizer(in: directory).statisticsOfAction(configuration: configuration)
        features = try Self.features(configuration, renameMap: renameMap, file: file)
        cameras = try Self.cameras(configuration, renameMap: renameMap, file: file)
        ignoredFeatures = Set(
            configuration.ignoredInputs.map { name in
                renameMap.first { $0.value == name }?.key ?? name
            }
        )
    }

    /// What normalises observations, and how they are renamed before, from the file of that name.
    private static func preprocessor(
        in directory: URL
    ) throws(PolicyError) -> (normalizer: NormalizerStep, renameMap: [String: String], file: String) {
        let pipeline = try ProcessorPipeline(
            contentsOf: directory.appendingPathComponent(ProcessorPipeline.preprocessorName)
        )
        var renameMap: [String: String] = [:]
        var normalizer: NormalizerStep?
        for step in pipeline.steps {
            switch step.name {
            case "rename_observations_processor":
                let names = try step.renameMap()
                guard renameMap.isEmpty || names.isEmpty, normalizer == nil || names.isEmpty else {
                    throw PolicyError(
                        pipeline.file,
                        step.reader.path,
                        found: "a rename after another rename or after the normaliser",
                        expected: "one rename_map, before the normaliser"
                    )
                }
                renameMap.merge(names) { first, _ in first }
            case "normalizer_processor":
                guard normalizer == nil else {
                    throw PolicyError(
                        pipeline.file,
                        step.reader.path,
                        found: "a second normalizer_processor",
                        expected: "one"
                    )
                }
                normalizer = try NormalizerStep(step, directory: directory)
            default:
                guard try step.movesDataOnly() else { throw step.unknown }
            }
        }
        guard let normalizer else {
            throw PolicyError(pipeline.file, "steps", found: "no normalizer_processor", expected: "one")
        }
        return (normalizer, renameMap, pipeline.file)
    }

    /// What brings actions to the robot's units.
    private static func unnormalizer(in directory: URL) throws(PolicyError) -> NormalizerStep {
        let pipeline = try ProcessorPipeline(
            contentsOf: directory.appendingPathComponent(ProcessorPipeline.postprocessorName)
        )
        var unnormalizer: NormalizerStep?
        for step in pipeline.steps {
            if step.name == "unnormalizer_processor", unnormalizer == nil {
                unnormalizer = try NormalizerStep(step, directory: directory)
            } else {
                guard try step.movesDataOnly() else { throw step.unknown }
            }
        }
        guard let unnormalizer else {
            throw PolicyError(pipeline.file, "steps", found: "no unnormalizer_processor", expected: "one")
        }
        return unnormalizer
    }

    /// The layout before LeRobot 0.4: buffers of the policy's own `normalize_inputs` and `unnormalize_outputs` modules.
    private init(
        buffersIn checkpoint: SafetensorsCheckpoint,
        configuration: PolicyConfiguration
    ) throws(PolicyError) {
        func source(_ module: String) -> StatisticsSource {
            StatisticsSource(
                tensors: checkpoint,
                epsilon: 1e-8,
                zeroRange: .hasEpsilonAdded,
                tensorName: { Self.bufferName(module: module, feature: $0, statistic: $1) }
            )
        }
        var inputs: [NormalizationStatistics] = []
        for input in configuration.inputs {
            let mode = configuration.normalizationMode(of: input.type)
            inputs.append(
                try source("normalize_inputs").statistics(of: input.name, mode: mode, shape: [input.count])
            )
        }
        self.inputs = inputs
        var frames: [NormalizationStatistics] = []
        for camera in configuration.vision?.cameras ?? [] {
            let mode = configuration.normalizationMode(of: .visual)
            frames.append(
                try source("normalize_inputs").statistics(of: camera.name, mode: mode, shape: [3, 1, 1])
            )
        }
        self.frames = frames
        action = try source("unnormalize_outputs").statistics(
            of: "action",
            mode: configuration.normalizationMode(of: .action),
            shape: [configuration.actionDim]
        )
        features = try Self.features(configuration, renameMap: [:], file: PolicyConfiguration.fileName)
        cameras = try Self.cameras(configuration, renameMap: [:], file: PolicyConfiguration.fileName)
        ignoredFeatures = Set(configuration.ignoredInputs)
    }

    /// Whether a tensor is one of those that the older layout may have beside the weights, used or not.
    static func isBufferName(_ name: String) -> Bool {
        ["normalize_inputs", "normalize_targets", "unnormalize_outputs"].contains { module in
            ["min", "max", "mean", "std"].contains { statistic in
                name.hasPrefix("\(module).buffer_") && name.hasSuffix(".\(statistic)")
            }
        }
    }

    private static func bufferName(module: String, feature: String, statistic: String) -> String {
        "\(module).buffer_\(feature.replacing(".", with: "_")).\(statistic)"
    }

    /// The inputs under the names the robot sends, which a renaming processor step turns into the policy's.
    private static func features(
        _ configuration: PolicyConfiguration,
        renameMap: [String: String],
        file: String
    ) throws(PolicyError) -> [ObservationFeature] {
        var features: [ObservationFeature] = []
        for input in configuration.inputs {
            features.append(
                ObservationFeature(
                    name: try sentName(of: input.name, renameMap: renameMap, file: file),
                    checkpointName: input.name,
                    type: input.type,
                    count: input.count
                )
            )
        }
        return features
    }

    /// The cameras under the names the robot sends.
    private static func cameras(
        _ configuration: PolicyConfiguration,
        renameMap: [String: String],
        file: String
    ) throws(PolicyError) -> [CameraFeature] {
        guard let vision = configuration.vision else { return [] }
        var cameras: [CameraFeature] = []
        for camera in vision.cameras {
            cameras.append(
                CameraFeature(
                    name: try sentName(of: camera.name, renameMap: renameMap, file: file),
                    checkpointName: camera.name,
                    size: vision.frame
                )
            )
        }
        return cameras
    }

    /// The name under which the robot sends what becomes an input.
    private static func sentName(
        of input: String,
        renameMap: [String: String],
        file: String
    ) throws(PolicyError) -> String {
        let names = renameMap.filter { $0.value == input }.keys.sorted()
        guard names.count <= 1, !names.isEmpty || renameMap[input] == nil else {
            throw PolicyError(
                file,
                "rename_map",
                found: names.isEmpty
                    ? "\(input) is renamed to \(renameMap[input, default: ""].quoted)"
                    : "\(names.map(\.quoted).joined(separator: " and ")) both become \(input)",
                expected: "one observation that is \(input) afterwards"
            )
        }
        return names.first ?? input
    }
}

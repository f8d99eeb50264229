import Foundation
import Safetensors
import StrictJSON

/// A `normalizer_processor` or `unnormalizer_processor`, a processor step: which features it changes, and by which statistics.
///
/// What LeRobot runs is this; `config.json` has its own copy of the mapping. Where the two disagree about a
/// feature the policy uses there is no telling which one the policy was trained with, so that is an error.
struct NormalizerStep {
    private let step: JSONReader
    private let normMap: [FeatureType: NormalizationMode]
    private let features: JSONReader?
    private let observationKeys: Set<String>?
    private let epsilon: Double
    private let directory: URL

    init(_ step: ProcessorPipeline.Step, directory: URL) throws(PolicyError) {
        self.step = step.reader
        self.directory = directory
        let config = try step.reader.required("config", expected: "an object with norm_map and features")
        try config.refuseOtherKeys(than: ["eps", "features", "norm_map", "normalize_observation_keys"])
        normMap = try config.required("norm_map", expected: "an object from feature types to modes")
            .normalizationMapping()
        features = try config.optional("features")
        epsilon =
            try config.optional("eps")?.number(expected: "a number greater than 0, at most 1") {
                $0 > 0 && $0 <= 1
            }
            ?? 1e-8
        if let keys = try config.optional("normalize_observation_keys"), !keys.isNull {
            var names: Set<String> = []
            for key in try keys.elements() { names.insert(try key.string()) }
            observationKeys = names
        } else {
            observationKeys = nil
        }
    }

    /// What it does to an observation.
    func statistics(
        ofInput input: PolicyConfiguration.Input,
        configuration: PolicyConfiguration
    ) throws(PolicyError) -> NormalizationStatistics {
        let mode = try agreedMode(of: input.type, configuration: configuration)
        if let observationKeys, !observationKeys.contains(input.name) { return .identity(count: input.count) }
        return try statistics(
            of: input.name,
            type: input.type,
            mode: mode,
            shape: [input.count],
            mustBeListed: true
        )
    }

    /// What it does to a camera's frames: the same to every pixel.
    func statistics(
        ofCamera name: String,
        configuration: PolicyConfiguration,
        frame: FrameSize
    ) throws(PolicyError) -> NormalizationStatistics {
        let mode = try agreedMode(of: .visual, configuration: configuration)
        if let observationKeys, !observationKeys.contains(name) { return .identity(count: 3) }
        return try statistics(
            of: name,
            type: .visual,
            mode: mode,
            shape: [3, frame.height, frame.width],
            mustBeListed: true
        )
    }

    /// What it does to an action, listed among its features or not.
    func statisticsOfAction(configuration: PolicyConfiguration) throws(PolicyError) -> NormalizationStatistics
    {
        let mode = try agreedMode(of: .action, configuration: configuration)
        let shape = [configuration.actionDim]
        return try statistics(of: "action", type: .action, mode: mode, shape: shape, mustBeListed: false)
    }

    private func agreedMode(
        of type: FeatureType,
        configuration: PolicyConfiguration
    ) throws(PolicyError) -> NormalizationMode {
        let mode = normMap[type] ?? .identity
        let configured = configuration.normalizationMode(of: type)
        guard mode == configured else {
            throw PolicyError(
                step.file,
                "\(step.path).config.norm_map.\(type.rawValue)",
                found: normMap[type]?.rawValue ?? "missing, which means IDENTITY",
                expected:
                    "\(configured.rawValue), as normalization_mapping in \(PolicyConfiguration.fileName) has it"
            )
        }
        return mode
    }

    private func statistics(
        of feature: String,
        type: FeatureType,
        mode: NormalizationMode,
        shape: [Int],
        mustBeListed: Bool
    ) throws(PolicyError) -> NormalizationStatistics {
        // Statistics of a picture are those of its colours.
        let statisticsShape = shape.count == 3 ? [shape[0], 1, 1] : shape
        if mode == .identity { return .identity(count: shape[0]) }
        if let listed = try features?.optional(feature) {
            let listedType = try listed.required("type", expected: "\"\(type.rawValue)\"")
            guard try listedType.choice(FeatureType.self) == type else {
                throw listedType.error(
                    expected: "\"\(type.rawValue)\", as in \(PolicyConfiguration.fileName)"
                )
            }
            let listedShape = try listed.required("shape", expected: "\(shape)")
            guard listedShape.node == .array(shape.map(JSONValue.integer)) else {
                throw listedShape.error(expected: "\(shape), as in \(PolicyConfiguration.fileName)")
            }
        } else if mustBeListed {
            throw PolicyError(
                step.file,
                "\(step.path).config.features.\(feature)",
                found: "missing, so that LeRobot would not normalise it",
                expected: "the feature, because norm_map says \(mode.rawValue)"
            )
        }
        return try source().statistics(of: feature, mode: mode, shape: statisticsShape)
    }

    private func source() throws(PolicyError) -> StatisticsSource {
        let expected = "the name of a .safetensors file in the same folder"
        let name = try step.required("state_file", expected: expected)
        let text = try name.string()
        guard text.isSafetensorsFileName else { throw name.error(expected: expected) }
        let file = try withPolicyError { () throws(SafetensorsError) in
            try SafetensorsFile(contentsOf: directory.appendingPathComponent(text))
        }
        return StatisticsSource(
            tensors: SafetensorsCheckpoint(file),
            epsilon: epsilon,
            zeroRange: .isEpsilon,
            tensorName: { "\($0).\($1)" }
        )
    }
}

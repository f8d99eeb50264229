/// The inputs and outputs that a `config.json` names, in the layout of any LeRobot release, and how each is normalised.
///
/// Since 2025 they are `input_features`, `output_features` and `normalization_mapping`, by feature type. Before, they were
/// `input_shapes`, `output_shapes`, `input_normalization_modes` and `output_normalization_modes`, by feature.
struct PolicyFeatures {
    /// A feature that the model reads or writes.
    struct Feature {
        let name: String
        let type: FeatureType
        /// Its only dimension.
        let count: Int
    }

    /// A camera that the model reads.
    struct Camera {
        let name: String
        let size: FrameSize
    }

    /// The inputs of numbers that the model reads: `observation.state`, then `observation.environment_state` if there is one.
    let inputs: [Feature]
    /// The cameras that the model reads, in the file's order: that is the condition's.
    let cameras: [Camera]
    /// `action`.
    let action: Feature
    /// How each feature type is normalised.
    let normalizationMapping: [FeatureType: NormalizationMode]
    /// The inputs that are named and that LeRobot's model does not read, in the file's order.
    let ignoredInputs: [String]
    /// The outputs that are named besides `action`.
    let ignoredOutputs: [String]

    static let keys: Set<String> = ["input_features", "output_features", "normalization_mapping"]
    static let keysBefore2025: Set<String> = [
        "input_shapes", "output_shapes", "input_normalization_modes", "output_normalization_modes",
    ]

    private static let state = "observation.state"
    private static let environment = "observation.environment_state"

    /// Reads the features of a configuration.
    /// - Throws: `PolicyError` with the key, its value and what was expected.
    init(_ root: JSONReader) throws(PolicyError) {
        let declared: (inputs: [Declared], outputs: [Declared])
        if try root.optional("input_shapes") != nil {
            for key in Self.keys.sorted() {
                guard let new = try root.optional(key), !new.isNull else { continue }
                throw PolicyError(
                    root.file,
                    key,
                    found: "a key of the layout since 2025, beside input_shapes",
                    expected: "the keys of one layout"
                )
            }
            declared = try (Self.shapes(root, "input_shapes"), Self.shapes(root, "output_shapes"))
            normalizationMapping = try Self.modes(root)
        } else {
            declared = try (
                Self.typed(root, "input_features", expected: "an object that names the inputs"),
                Self.typed(root, "output_features", expected: "an object with \"action\"")
            )
            normalizationMapping =
                try root.optional("normalization_mapping")?.normalizationMapping()
                ?? [.visual: .meanStd, .state: .minMax, .action: .minMax]
        }
        cameras = try Self.cameras(declared.inputs)
        (inputs, ignoredInputs) = try Self.inputs(declared.inputs, root)
        (action, ignoredOutputs) = try Self.action(declared.outputs, root)
    }

    // MARK: What the file names

    /// A feature as the file names it.
    private struct Declared {
        let name: String
        let type: FeatureType
        let reader: JSONReader
        let shape: JSONReader
    }

    private static func typed(
        _ root: JSONReader,
        _ key: String,
        expected: String
    ) throws(PolicyError) -> [Declared] {
        var declared: [Declared] = []
        for (name, feature) in try root.required(key, expected: expected).members() {
            declared.append(
                Declared(
                    name: name,
                    type: try feature.required("type", expected: "a feature type").choice(FeatureType.self),
                    reader: feature,
                    shape: try feature.required("shape", expected: "a list of one whole number")
                )
            )
        }
        return declared
    }

    private static func shapes(_ root: JSONReader, _ key: String) throws(PolicyError) -> [Declared] {
        try root.required(key, expected: "an object from features to shapes").members().map { name, shape in
            Declared(name: name, type: type(of: name), reader: shape, shape: shape)
        }
    }

    /// The type of a feature, from its name alone: names were the only types before 2025.
    private static func type(of name: String) -> FeatureType {
        if name == environment { return .environment }
        if name.hasPrefix("observation.image") { return .visual }
        return name.hasPrefix("observation.") ? .state : .action
    }

    private static func modes(_ root: JSONReader) throws(PolicyError) -> [FeatureType: NormalizationMode] {
        let used = [state, environment, "action"]
        var mapping: [FeatureType: NormalizationMode] = [:]
        for key in ["input_normalization_modes", "output_normalization_modes"] {
            for (name, mode) in try root.required(key, expected: "an object from features to modes").members()
            where used.contains(name) || type(of: name) == .visual {
                let text = try mode.string()
                guard let found = NormalizationMode(rawValue: text.uppercased()) else {
                    throw mode.error(expected: "\"min_max\" or \"mean_std\"")
                }
                if let other = mapping.updateValue(found, forKey: type(of: name)), other != found {
                    throw mode.error(expected: "\"\(other.rawValue.lowercased())\", as of the other cameras")
                }
            }
        }
        return mapping
    }

    // MARK: What the model uses

    /// The inputs that LeRobot's model reads: the state of that one name, the surroundings, and cameras.
    private static func inputs(
        _ declared: [Declared],
        _ root: JSONReader
    ) throws(PolicyError) -> ([Feature], ignored: [String]) {
        var found: [String: Feature] = [:]
        var ignored: [String] = []
        for input in declared {
            switch (input.type, input.name) {
            case (.visual, _): break
            case (.state, state), (.environment, environment):
                found[input.name] = try feature(input, limit: 16_384)
            case (.environment, _), (_, state), (_, environment):
                throw PolicyError(
                    root.file,
                    input.reader.path,
                    found: "an input of type \(input.type.rawValue)",
                    expected: "observation.state of type STATE, and observation.environment_state of type ENV"
                )
            default: ignored.append(input.name)
            }
        }
        guard let robot = found[state] else {
            throw PolicyError(
                root.file,
                "input_features.\(state)",
                found: "missing",
                expected: "a feature of type STATE"
            )
        }
        return ([robot] + [found[environment]].compactMap(\.self), ignored)
    }

    /// All cameras, which LeRobot wants to be of one shape.
    private static func cameras(_ declared: [Declared]) throws(PolicyError) -> [Camera] {
        var cameras: [Camera] = []
        for input in declared where input.type == .visual {
            let expected =
                "[3, height, width], at least 1 and at most \(FrameSize.largestSide) pixels high and wide"
            var shape: [Int] = []
            for dimension in try input.shape.elements() {
                shape.append(try dimension.integer(in: 1...FrameSize.largestSide))
            }
            guard shape.count == 3, shape[0] == 3 else { throw input.shape.error(expected: expected) }
            let size = FrameSize(height: shape[1], width: shape[2])
            if let first = cameras.first, first.size != size {
                throw input.shape.error(
                    expected: "[3, \(first.size.height), \(first.size.width)], as of \(first.name.quoted)"
                )
            }
            cameras.append(Camera(name: input.name, size: size))
        }
        return cameras
    }

    private static func action(
        _ declared: [Declared],
        _ root: JSONReader
    ) throws(PolicyError) -> (Feature, ignored: [String]) {
        guard let action = declared.first(where: { $0.name == "action" }) else {
            throw PolicyError(
                root.file,
                "output_features.action",
                found: "missing",
                expected: "a feature of type ACTION"
            )
        }
        guard action.type == .action else {
            throw try action.reader.required("type", expected: "\"ACTION\"").error(expected: "\"ACTION\"")
        }
        let ignored = declared.map(\.name).filter { $0 != "action" }
        return (try feature(action, limit: 4096), ignored)
    }

    private static func feature(_ declared: Declared, limit: Int) throws(PolicyError) -> Feature {
        let dimensions = try declared.shape.elements()
        guard dimensions.count == 1 else {
            throw declared.shape.error(expected: "a list of one whole number")
        }
        let count = try dimensions[0].integer(in: 1...limit)
        return Feature(name: declared.name, type: declared.type, count: count)
    }
}

import Compute
import Networks
import Robotics
import Foundation
import Safetensors
import Stalls
import StrictJSON

/// A trained policy as it lies on disk, read and checked: a LeRobot diffusion checkpoint folder.
///
/// Two layouts are read. LeRobot 0.4 and later: `config.json`, `model.safetensors` (or its sharded form),
/// `policy_preprocessor.json`, `policy_postprocessor.json` and the statistics files these name. Before: `config.json`
/// and `model.safetensors` with the statistics in it.
public struct PolicyBundle: Sendable {
    /// The folder.
    public let directory: URL
    /// What people call the policy: its run's, repository's or folder's name; see ``PolicyFolder/name``.
    public let name: String
    /// What `config.json` says.
    public let configuration: PolicyConfiguration
    /// What the policy observes, under the names the robot sends, in condition order.
    public let observationFeatures: [ObservationFeature]
    /// What the policy sees through, under the names the robot sends, in condition order.
    public let cameras: [CameraFeature]
    /// What the robot may send besides: inputs that the configuration names and that the model does not read.
    public let ignoredFeatures: Set<String>
    /// How each feature is normalised, by LeRobot feature name; `action` is among them.
    public let normalizationModes: [String: NormalizationMode]
    /// Element types in which the weights are stored.
    public let weightDTypes: Set<DType>

    let normalizer: Normalizer
    /// How each camera's colours are normalised.
    private let frameMaps: [AffineMap]
    private let checkpoint: SafetensorsCheckpoint
    /// The name under which the checkpoint has each tensor of the network, by LeRobot's name.
    private let storedNames: [String: String]

    /// Reads and checks a bundle, as ``init(folder:)`` does.
    ///
    /// - Parameter given: the policy's folder, or one that a ``PolicyFolder`` finds it from.
    /// - Throws: `PolicyError` with file, field or tensor, what was found and what was expected.
    public init(directory given: URL) throws(PolicyError) {
        try self.init(folder: PolicyFolder(resolving: given))
    }

    /// Reads and checks a bundle: the configuration, the statistics, and name, shape and dtype of every weight. The
    /// weights themselves are read when a `DiffusionPolicy` is made.
    ///
    /// - Throws: `PolicyError` with file, field or tensor, what was found and what was expected.
    public init(folder: PolicyFolder) throws(PolicyError) {
        let directory = folder.url
        self.directory = directory
        name = folder.name
        configuration = try PolicyConfiguration(
            contentsOf: directory.appendingPathComponent(PolicyConfiguration.fileName)
        )
        checkpoint = try withPolicyError { () throws(SafetensorsError) in
            try SafetensorsCheckpoint(directory: directory)
        }
        let normalization = try PolicyNormalization(
            directory: directory,
            configuration: configuration,
            checkpoint: checkpoint
        )
        observationFeatures = normalization.features
        cameras = normalization.cameras
        ignoredFeatures = normalization.ignoredFeatures
        frameMaps = normalization.frames.map(AffineMap.init(normalizing:))
        normalizer = Normalizer(
            inputs: normalization.inputs.map(AffineMap.init(normalizing:)),
            visionCount: configuration.vision?.featureCount ?? 0,
            actionUnnormalization: AffineMap(unnormalizing: normalization.action)
        )
        var modes = ["action": normalization.action.mode]
        for (feature, statistics) in zip(normalization.features, normalization.inputs) {
            modes[feature.checkpointName] = statistics.mode
        }
        for (camera, statistics) in zip(normalization.cameras, normalization.frames) {
            modes[camera.checkpointName] = statistics.mode
        }
        normalizationModes = modes
        storedNames = try Self.storedNames(checkpoint)
        let hasProcessors = PolicyNormalization.hasProcessors(directory)
        let isUnused = configuration.isUnused
        weightDTypes = try Self.checkWeights(
            checkpoint,
            storedNames,
            configuration.parameters,
            isOther: { !hasProcessors && PolicyNormalization.isBufferName($0) || isUnused($0) }
        )
    }

    /// The observation that normalises to zeros: the middle of the data's range, or its mean. For warming up and for
    /// benchmarks. Cameras see grey.
    public var middleObservation: Observation {
        var values: [String: [Float]] = [:]
        for (feature, map) in zip(observationFeatures, normalizer.inputs) {
            values[feature.name] = map.middle
        }
        var frames: [String: CameraFrame] = [:]
        for camera in cameras {
            let (height, width) = (camera.size.height, camera.size.width)
            let grey = [UInt8](repeating: 128, count: camera.size.count)
            frames[camera.name] = CameraFrame(height: height, width: width, pixels: grey)
        }
        return Observation(values: values, frames: frames)
    }

    /// Makes conditions of made-up observations of a robot that rests: every step of the history is the same.
    ///
    /// A frame need not be made up. In place of a camera's features the numbers of an observation have the positions of its
    /// keypoints, x and y, and the encoder's last layer makes features of them.
    ///
    /// - Returns: what makes a condition, [conditionDim], of an observation's normalised numbers, [numbers of a step]. Keypoints
    ///   beyond -1...1 are taken to lie at the frame's edge.
    /// - Throws: `PolicyError` for weights that cannot be read or are not finite.
    package func restingConditions() throws(PolicyError) -> (_ numbers: [Float]) -> [Float] {
        var projections: [FeatureProjection] = []
        if let vision = configuration.vision {
            var ofEncoders: [FeatureProjection] = []
            for prefix in vision.encoderPrefixes {
                ofEncoders.append(
                    try FeatureProjection(vision.encoder) { parameter throws(PolicyError) in
                        try values(of: parameter, in: prefix)
                    }
                )
            }
            projections = vision.encoderOfCamera.map { ofEncoders[$0] }
        }
        let range = normalizer.visionRange(step: 0)
        let nObsSteps = configuration.nObsSteps
        return { numbers in
            var step = numbers
            var span = step.mutableSpan
            var first = range.lowerBound
            for var projection in projections {
                for index in first..<first + projection.count { span[index] = min(max(span[index], -1), 1) }
                var row = span._mutatingExtracting(first..<first + projection.count)
                projection.apply(to: &row)
                first += projection.count
            }
            return (0..<nObsSteps).flatMap { _ in step }
        }
    }

    /// Tells policies apart by their sizes and their small parameters, which training changes along with the large ones. 0
    /// for weights that cannot be read.
    package var fingerprint: UInt64 {
        var hash = FNV1a()
        var parameters = configuration.architecture.parameters.map { ($0, PolicyConfiguration.networkPrefix) }
        if let vision = configuration.vision {
            for prefix in vision.encoderPrefixes {
                parameters += vision.encoder.parameters.map { ($0, prefix) }
            }
        }
        for (parameter, prefix) in parameters {
            hash.add(UInt64(parameter.count))
            guard parameter.count <= 4096 else { continue }
            guard let values = try? values(of: parameter, in: prefix) else { return 0 }
            for value in values { hash.add(value.bitPattern) }
        }
        return hash.value
    }

    /// A history that is empty, for a robot that this policy is to drive.
    public func makeHistory() -> ObservationHistory {
        ObservationHistory(
            features: observationFeatures,
            cameras: cameras,
            nObsSteps: configuration.nObsSteps
        )
    }

    /// Reads the weights and builds the network alone, without sampler or normalisation.
    ///
    /// - Parameters:
    ///   - timesteps: the timesteps it will be asked for.
    ///   - maximumBatch: at least 1.
    ///   - maximumConditions: how many observations it is conditioned on at once, at least 1.
    ///   - threads: threads for its arithmetic, at least 1.
    ///   - kernel: what computes it.
    ///   - locksWeights: keeps the weights in memory if the system allows it.
    ///   - stallWatch: watches the predictions that have a time; not on OpenBLAS.
    /// - Throws: `PolicyError` for weights that cannot be read or are not finite.
    public func network(
        timesteps: [Int],
        maximumBatch: Int,
        maximumConditions: Int = 1,
        threads: Int,
        kernel: Kernel = .exact,
        locksWeights: Bool = false,
        stallWatch: StallWatch? = nil
    ) throws(PolicyError) -> UNet1D {
        try UNet1D(
            architecture: configuration.architecture,
            timesteps: timesteps,
            maximumBatch: maximumBatch,
            maximumConditions: maximumConditions,
            threads: threads,
            kernel: kernel,
            locksWeights: locksWeights,
            stallWatch: stallWatch
        ) { parameter throws(PolicyError) in
            try values(of: parameter, in: PolicyConfiguration.networkPrefix)
        }
    }

    /// Reads the weights and builds what encodes frames; nil: the policy has no cameras.
    ///
    /// - Parameters:
    ///   - histories: how many histories are at hand at once, at least 1: the features of so many are kept.
    ///   - threads, kernel, locksWeights: as for the network.
    /// - Throws: `PolicyError` for weights that cannot be read or are not finite.
    func frameEncoder(
        kernel: Kernel,
        threads: Int,
        locksWeights: Bool = false,
        histories: Int
    ) throws(PolicyError) -> FrameEncoder? {
        guard let vision = configuration.vision else { return nil }
        var encoders: [ResNetEncoder] = []
        for prefix in vision.encoderPrefixes {
            encoders.append(
                try ResNetEncoder(
                    architecture: vision.encoder,
                    maximumFrames: 1,
                    threads: threads,
                    kernel: kernel,
                    locksWeights: locksWeights
                ) { parameter throws(PolicyError) in try values(of: parameter, in: prefix) }
            )
        }
        return FrameEncoder(
            encoders: encoders,
            encoderOfCamera: vision.encoderOfCamera,
            preparations: frameMaps.map {
                FramePreparation(input: vision.frame, resize: vision.resize, crop: vision.crop, map: $0)
            },
            cameras: cameras,
            capacity: histories * configuration.nObsSteps * vision.cameras.count
        )
    }

    /// The values of a parameter, all of them finite.
    ///
    /// - Parameter prefix: LeRobot's name of the network that it is of.
    private func values(of parameter: NetworkParameter, in prefix: String) throws(PolicyError) -> [Float] {
        let name = storedNames[prefix + parameter.name] ?? prefix + parameter.name
        let (file, values) = try withPolicyError { () throws(SafetensorsError) in
            (try checkpoint.file(of: name).name, try checkpoint.floats(name))
        }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw PolicyError(
                file,
                "tensor \(name.quoted)",
                found: "\(values[index]) at index \(index)",
                expected: "finite numbers"
            )
        }
        return values
    }

    /// The checkpoint's tensors by LeRobot's names. A policy that was trained with `compile_model` has `_orig_mod` in the
    /// place at which `torch.compile` wrapped a module.
    private static func storedNames(_ checkpoint: SafetensorsCheckpoint) throws(PolicyError) -> [String:
        String]
    {
        var stored: [String: String] = [:]
        for name in checkpoint.names {
            let plain = name.split(separator: ".", omittingEmptySubsequences: false)
                .filter { $0 != "_orig_mod" }.joined(separator: ".")
            if let other = stored.updateValue(name, forKey: plain) {
                throw PolicyError(
                    checkpoint.name,
                    "tensor \(name.quoted)",
                    found: "\(other.quoted) as well",
                    expected: "one tensor that is \(plain.quoted) without _orig_mod"
                )
            }
        }
        return stored
    }

    /// Compares the checkpoint's tensors with the ones the policy's networks have.
    ///
    /// - Parameters:
    ///   - parameters: under LeRobot's names.
    ///   - isOther: whether a tensor that is none of these may be there.
    private static func checkWeights(
        _ checkpoint: SafetensorsCheckpoint,
        _ storedNames: [String: String],
        _ parameters: [NetworkParameter],
        isOther: (String) -> Bool
    ) throws(PolicyError) -> Set<DType> {
        var expectedNames: Set<String> = []
        var dtypes: Set<DType> = []
        for parameter in parameters {
            let plain = parameter.name
            expectedNames.insert(plain)
            guard let name = storedNames[plain] else {
                throw PolicyError(
                    checkpoint.name,
                    "tensor \(plain.quoted)",
                    found: "missing",
                    expected: "shape \(parameter.shape), as \(PolicyConfiguration.fileName) has it"
                )
            }
            let (file, tensor) = try withPolicyError { () throws(SafetensorsError) in
                (try checkpoint.file(of: name).name, try checkpoint.description(of: name))
            }
            guard tensor.shape == parameter.shape else {
                throw PolicyError(
                    file,
                    "tensor \(name.quoted)",
                    found: "shape \(tensor.shape)",
                    expected: "shape \(parameter.shape), as \(PolicyConfiguration.fileName) has it"
                )
            }
            guard [.f64, .f32, .f16, .bf16].contains(tensor.dtype) else {
                throw PolicyError(
                    file,
                    "tensor \(name.quoted)",
                    found: "dtype \(tensor.dtype.rawValue)",
                    expected: "F32, F16, BF16 or F64"
                )
            }
            dtypes.insert(tensor.dtype)
        }
        if let extra = storedNames.keys.filter({ !expectedNames.contains($0) && !isOther($0) }).min() {
            throw PolicyError(
                checkpoint.name,
                "tensor \(extra.quoted)",
                found: "a tensor that the policy of \(PolicyConfiguration.fileName) does not have",
                expected: "only the \(parameters.count) tensors of its networks"
            )
        }
        return dtypes
    }
}

extension NormalizationStatistics {
    fileprivate var mode: NormalizationMode {
        switch values {
        case .identity: .identity
        case .meanStd: .meanStd
        case .minMax: .minMax
        }
    }
}

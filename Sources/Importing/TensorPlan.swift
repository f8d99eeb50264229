import Compute
import Policy
import Safetensors
import StrictJSON

/// Where each tensor of a LeRobot policy comes from in a checkpoint of Diffusion Policy.
///
/// The networks are the same and their tensors have the same shapes. Names differ, and the columns of the condition.
struct TensorPlan {
    /// What becomes a tensor.
    enum Source {
        case copy(TorchFile.Tensor)
        /// A linear layer whose input is the timestep's embedding and then the condition, [out, in].
        case conditioned(TorchFile.Tensor)
        /// The x and y of the keypoints' maps, [1, points] each.
        case grid(x: TorchFile.Tensor, y: TorchFile.Tensor)
    }

    /// A tensor to write.
    struct Target {
        /// LeRobot's name.
        let name: String
        /// The checkpoint's name, for errors.
        let sourceName: String
        let source: Source
        let dtype: DType
        let shape: [Int]

        var byteCount: Int { shape.reduce(dtype.byteCount, *) }
    }

    /// The tensors to write, by LeRobot's names.
    private(set) var targets: [String: Target] = [:]

    private let state: StateDictionary
    private let cameras: [FeatureLayout.Camera]
    private let hasSeparateEncoders: Bool
    /// The checkpoint's tensors that are accounted for.
    private var used: Set<String> = []

    private static let network = "diffusion.unet."
    private static let encoders = "diffusion.rgb_encoder."

    /// - Parameter configuration: of the policy to write.
    /// - Throws: `ImportError` for a tensor that is missing, too many, or of another shape or type.
    init(
        _ state: StateDictionary,
        configuration: PolicyConfiguration,
        layout: FeatureLayout
    ) throws(ImportError) {
        self.state = state
        cameras = layout.cameras
        hasSeparateEncoders = cameras.count > 1
        for parameter in configuration.parameters {
            if let rest = Self.rest(of: parameter.name, after: Self.network) {
                try addNetwork(parameter, rest)
            } else {
                try addEncoder(parameter)
            }
        }
        for camera in cameras { try checkEncoder(of: camera) }
        try checkOthers()
        let total = targets.values.reduce(0) { $0 + $1.byteCount }
        // Storages that many tensors share could otherwise fill a disk.
        guard total <= state.file.archive.byteCount else {
            throw ImportError(
                state.file.archive.name,
                found: "tensors of \(total) bytes in a file of \(state.file.archive.byteCount)",
                expected: "tensors that have storages of their own"
            )
        }
    }

    // MARK: The denoising network

    private mutating func addNetwork(_ parameter: NetworkParameter, _ name: String) throws(ImportError) {
        let sourceName = "model.\(Self.networkName(name))"
        let tensor = try tensor(sourceName, shape: parameter.shape)
        let isConditioned = name.hasSuffix(".cond_encoder.1.weight")
        add(parameter.name, sourceName, isConditioned ? .conditioned(tensor) : .copy(tensor), tensor)
    }

    /// The name inside `ConditionalUnet1D`: its blocks are members of lists, and its halving and doubling convolutions members
    /// of modules.
    static func networkName(_ name: String) -> String {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        if let index = parts.firstIndex(where: { $0 == "conv1" || $0 == "conv2" }) {
            parts.replaceSubrange(index...index, with: ["blocks", parts[index] == "conv1" ? "0" : "1"])
        } else if parts.count == 4, ["down_modules", "up_modules"].contains(parts[0]), parts[2] == "2" {
            parts.insert("conv", at: 3)
        }
        return parts.joined(separator: ".")
    }

    // MARK: The encoders of cameras

    private static func prefix(of camera: FeatureLayout.Camera) -> String {
        "obs_encoder.obs_nets.\(camera.key)."
    }

    private mutating func addEncoder(_ parameter: NetworkParameter) throws(ImportError) {
        var rest = Self.rest(of: parameter.name, after: Self.encoders) ?? parameter.name
        var camera = cameras[0]
        if hasSeparateEncoders, let dot = rest.firstIndex(of: "."), let index = Int(rest[..<dot]) {
            camera = cameras[index]
            rest = String(rest[rest.index(after: dot)...])
        }
        let prefix = Self.prefix(of: camera)
        guard rest != "pool.pos_grid" else {
            let points = parameter.shape[0]
            let x = try tensor("\(prefix)nets.1.pos_x", shape: [1, points])
            let y = try tensor("\(prefix)nets.1.pos_y", shape: [1, points])
            guard x.dtype == y.dtype else {
                throw state.error(
                    "\(prefix)nets.1.pos_y",
                    found: y.dtype.rawValue,
                    expected: x.dtype.rawValue
                )
            }
            targets[parameter.name] = Target(
                name: parameter.name,
                sourceName: "\(prefix)nets.1.pos_x",
                source: .grid(x: x, y: y),
                dtype: x.dtype,
                shape: parameter.shape
            )
            return
        }
        let sourceName = prefix + Self.encoderName(rest)
        let tensor = try tensor(sourceName, shape: parameter.shape)
        add(parameter.name, sourceName, .copy(tensor), tensor)
        // A batch norm counts its batches, which LeRobot's policy keeps as well.
        let counter = "\(sourceName.dropLast("running_var".count))num_batches_tracked"
        if sourceName.hasSuffix(".running_var"), state.contains(counter) {
            let count = try state.tensor(counter)
            guard count.dtype == .i64, count.shape.isEmpty else {
                throw state.error(
                    counter,
                    found: "\(count.dtype.rawValue) \(count.shape)",
                    expected: "I64 []"
                )
            }
            used.insert(counter)
            add(
                "\(parameter.name.dropLast("running_var".count))num_batches_tracked",
                counter,
                .copy(count),
                count
            )
        }
    }

    /// The name inside robomimic's `VisualCore`, whose `nets` are the ResNet, the spatial softmax, a flattening and a linear
    /// layer.
    static func encoderName(_ name: String) -> String {
        for (ours, theirs) in ["backbone.": "nets.0.nets.", "pool.": "nets.1.", "out.": "nets.3."] {
            if let rest = rest(of: name, after: ours) { return theirs + rest }
        }
        return name
    }

    /// Checks what an encoder has besides its weights.
    private mutating func checkEncoder(of camera: FeatureLayout.Camera) throws(ImportError) {
        let prefix = Self.prefix(of: camera)
        let temperature = "\(prefix)nets.1.temperature"
        let values = try state.numbers(temperature)
        guard values == [1] else {
            throw state.error(
                temperature,
                found: "\(values.prefix(4))",
                expected: "[1.0]: LeRobot's spatial softmax has no temperature"
            )
        }
        used.insert(temperature)
        // Backbone and pool are there twice, as members and in the list of nets.
        for name in state.names where name.hasPrefix(prefix) {
            let aliases = ["\(prefix)backbone.": "\(prefix)nets.0.", "\(prefix)pool.": "\(prefix)nets.1."]
            for (alias, original) in aliases {
                guard let rest = Self.rest(of: name, after: alias) else { continue }
                try checkIsSame(name, original + rest)
                used.insert(name)
            }
        }
    }

    private func checkIsSame(_ name: String, _ original: String) throws(ImportError) {
        let (copy, tensor) = try (state.tensor(name), state.tensor(original))
        guard copy != tensor else { return }
        guard copy.shape == tensor.shape, copy.dtype == tensor.dtype,
            try state.file.bytes(of: copy) == state.file.bytes(of: tensor)
        else {
            throw state.error(name, found: "other numbers than in \(original.quoted)", expected: "the same")
        }
    }

    // MARK: All tensors

    private mutating func add(
        _ name: String,
        _ sourceName: String,
        _ source: Source,
        _ tensor: TorchFile.Tensor
    ) {
        targets[name] = Target(
            name: name,
            sourceName: sourceName,
            source: source,
            dtype: tensor.dtype,
            shape: tensor.shape
        )
    }

    /// A floating-point tensor, which is accounted for from now on.
    private mutating func tensor(_ name: String, shape: [Int]) throws(ImportError) -> TorchFile.Tensor {
        let tensor = try state.tensor(name)
        guard tensor.shape == shape else {
            throw state.error(
                name,
                found: "shape \(tensor.shape)",
                expected: "shape \(shape), as the configuration has it"
            )
        }
        guard [.f64, .f32, .f16, .bf16].contains(tensor.dtype) else {
            throw state.error(
                name,
                found: "numbers of type \(tensor.dtype.rawValue)",
                expected: "floating-point numbers"
            )
        }
        used.insert(name)
        return tensor
    }

    /// Throws an error that names a tensor that the policy to write has no place for.
    private func checkOthers() throws(ImportError) {
        for name in state.names where !used.contains(name) {
            let isKnown =
                name == "_dummy_variable" || name.hasSuffix("._dummy_variable")
                || name.hasPrefix("normalizer.")
            guard isKnown else {
                throw state.error(
                    name,
                    found: "a tensor that the policy of the configuration does not have",
                    expected: "only those of its networks and its normaliser"
                )
            }
        }
    }

    /// What follows a prefix; nil: the text does not begin with it.
    private static func rest(of text: String, after prefix: String) -> String? {
        text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : nil
    }
}

extension TensorPlan {
    /// The bytes of a tensor to write.
    ///
    /// - Parameters:
    ///   - embedding: numbers of the timestep's embedding, before the condition.
    ///   - columns: for each column of a step of LeRobot's condition, the source's.
    /// - Throws: `ImportError` for a number that is not finite, or a damaged archive.
    func bytes(of target: Target, embedding: Int, columns: [Int]) throws(ImportError) -> [UInt8] {
        let bytes: [UInt8]
        switch target.source {
        case .copy(let tensor): bytes = try state.file.bytes(of: tensor)
        case .conditioned(let tensor):
            bytes = Self.permute(
                try state.file.bytes(of: tensor),
                tensor,
                embedding: embedding,
                columns: columns
            )
        case .grid(let x, let y):
            bytes = Self.interleave(
                try state.file.bytes(of: x),
                try state.file.bytes(of: y),
                size: target.dtype.byteCount
            )
        }
        if let index = Self.firstNotFinite(bytes, target.dtype) {
            throw state.error(
                target.sourceName,
                found: "a number that is not finite, at index \(index)",
                expected: "finite numbers"
            )
        }
        return bytes
    }

    /// Takes the columns of every step of the condition in LeRobot's order.
    private static func permute(
        _ bytes: [UInt8],
        _ tensor: TorchFile.Tensor,
        embedding: Int,
        columns: [Int]
    ) -> [UInt8] {
        guard columns != Array(columns.indices) else { return bytes }
        let size = tensor.dtype.byteCount
        let (rows, width) = (tensor.shape[0], tensor.shape[1])
        let order =
            Array(0..<embedding)
            + stride(from: embedding, to: width, by: columns.count).flatMap { first in
                columns.map { first + $0 }
            }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for row in 0..<rows {
            for column in order {
                let first = (row * width + column) * size
                for index in first..<first + size { result.append(bytes[index]) }
            }
        }
        return result
    }

    private static func interleave(_ x: [UInt8], _ y: [UInt8], size: Int) -> [UInt8] {
        stride(from: 0, to: x.count, by: size).flatMap { x[$0..<$0 + size] + y[$0..<$0 + size] }
    }

    /// The index of the first number that is infinite or none: all bits of its exponent are set.
    private static func firstNotFinite(_ bytes: [UInt8], _ dtype: DType) -> Int? {
        let mask: (high: UInt8, low: UInt8)
        switch dtype {
        case .f64: mask = (0x7f, 0xf0)
        case .f32, .bf16: mask = (0x7f, 0x80)
        case .f16: mask = (0x7c, 0)
        default: return nil
        }
        let size = dtype.byteCount
        var high = size - 1
        while high < bytes.count {
            if bytes[high] & mask.high == mask.high, bytes[high - 1] & mask.low == mask.low {
                return high / size
            }
            high += size
        }
        return nil
    }
}

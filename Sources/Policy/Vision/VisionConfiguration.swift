import Compute
import Networks

/// What a policy's `config.json` says about cameras: how frames are prepared and which network encodes them.
public struct VisionConfiguration: Sendable, Hashable {
    /// A camera: LeRobot's feature name.
    public struct Camera: Sendable, Hashable {
        /// `observation.image`, `observation.images.front`: the name under which the statistics are stored.
        public let name: String
    }

    /// The cameras in the order in which the condition has them.
    public let cameras: [Camera]
    /// Size of every camera's frames.
    public let frame: FrameSize
    /// What frames are resized to (`resize_shape`); nil: they are not.
    public let resize: FrameSize?
    /// What is cut out of the middle (`crop_shape`); nil: all.
    public let crop: FrameSize?
    /// The network that encodes a frame.
    public let encoder: ResNetArchitecture
    /// Whether each camera has a network of its own (`use_separate_rgb_encoder_per_camera`).
    public let hasSeparateEncoders: Bool

    /// Numbers that the frames of one observation become.
    var featureCount: Int { cameras.count * encoder.featureCount }

    /// Reads what concerns cameras, with the defaults of LeRobot 0.4.4.
    ///
    /// - Parameter cameras: at least one, all of one size.
    /// - Throws: `PolicyError` with the key, its value and what was expected.
    init(_ root: JSONReader, cameras: [PolicyFeatures.Camera]) throws(PolicyError) {
        self.cameras = cameras.map { Camera(name: $0.name) }
        frame = cameras[0].size
        resize = try root.optional("resize_shape")?.frameSize()
        let ratio = try root.optional("crop_ratio")?.number(expected: "a number greater than 0, at most 1") {
            $0 > 0 && $0 <= 1
        }
        if let resize {
            // LeRobot overwrites crop_shape.
            crop = try Self.crop(of: resize, ratio: ratio ?? 1, root)
        } else if let reader = try root.optional("crop_shape") {
            crop = try reader.frameSize()
        } else {
            crop = FrameSize(height: 84, width: 84)
        }
        let size = crop ?? resize ?? frame
        let usesGroups = try root.optional("use_group_norm")?.bool() ?? true
        encoder = ResNetArchitecture(
            backbone: try root.optional("vision_backbone")?.choice(ResNetArchitecture.Backbone.self)
                ?? .resnet18,
            norm: usesGroups ? .group : .batch,
            height: size.height,
            width: size.width,
            keypoints: try root.optional("spatial_softmax_num_keypoints")?.integer(in: 1...1024) ?? 32
        )
        hasSeparateEncoders = try root.optional("use_separate_rgb_encoder_per_camera")?.bool() ?? false
    }

    /// What a ratio leaves of a resized frame, rounded down as LeRobot does; nil: all of it.
    private static func crop(of size: FrameSize, ratio: Double, _ root: JSONReader) throws(PolicyError)
        -> FrameSize?
    {
        guard ratio < 1 else { return nil }
        let crop = FrameSize(height: Int(Double(size.height) * ratio), width: Int(Double(size.width) * ratio))
        guard crop.height >= 1, crop.width >= 1 else {
            throw PolicyError(
                root.file,
                "crop_ratio",
                found: "\(ratio), which leaves nothing of \(size)",
                expected: "a ratio that leaves at least one pixel"
            )
        }
        return crop
    }

    /// The index of the encoder of each camera.
    var encoderOfCamera: [Int] { cameras.indices.map { hasSeparateEncoders ? $0 : 0 } }

    /// The prefixes of the encoders' tensors.
    var encoderPrefixes: [String] {
        hasSeparateEncoders
            ? cameras.indices.map { "diffusion.rgb_encoder.\($0)." } : ["diffusion.rgb_encoder."]
    }

    /// The keys of `config.json` that it reads.
    static let keys: Set<String> = [
        "vision_backbone", "resize_shape", "crop_ratio", "crop_shape", "use_group_norm",
        "spatial_softmax_num_keypoints", "use_separate_rgb_encoder_per_camera",
    ]
}

extension JSONReader {
    /// A list of height and width; nil for null.
    fileprivate func frameSize() throws(PolicyError) -> FrameSize? {
        if isNull { return nil }
        let elements = try elements()
        guard elements.count == 2 else { throw error(expected: "null or a list of height and width") }
        let sides = 1...FrameSize.largestSide
        return FrameSize(
            height: try elements[0].integer(in: sides),
            width: try elements[1].integer(in: sides)
        )
    }
}

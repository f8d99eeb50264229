import Synchronization

/// What a camera saw at one moment, as it came.
///
/// Copies share their bytes, and all have the frame's number, by which one who has worked on a frame knows it again.
public struct CameraFrame: Sendable {
    /// The bytes of a frame.
    public enum Content: Sendable, Hashable {
        /// Red, green and blue of each pixel, row by row from the top: [height, width, 3].
        case pixels([UInt8], height: Int, width: Int)
        /// A compressed picture, which nobody has looked into.
        case picture([UInt8], format: Format)
    }

    /// How a picture is compressed; raw values are those of the message.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        case jpeg
        case png
    }

    /// Tells frames of this process apart.
    public let number: UInt64
    /// What came.
    public let content: Content

    private static let made = Atomic<UInt64>(0)

    /// A new frame.
    ///
    /// - Precondition: pixels are [height, width, 3].
    public init(_ content: Content) {
        if case .pixels(let pixels, let height, let width) = content {
            precondition(pixels.count == height * width * 3, "a frame is [height, width, 3]")
        }
        number = Self.made.wrappingAdd(1, ordering: .relaxed).newValue
        self.content = content
    }

    /// A new frame of pixels, [height, width, 3].
    public init(height: Int, width: Int, pixels: [UInt8]) {
        self.init(.pixels(pixels, height: height, width: width))
    }

    /// Bytes of what came.
    public var byteCount: Int {
        switch content {
        case .pixels(let bytes, _, _), .picture(let bytes, _): bytes.count
        }
    }
}

extension CameraFrame: Hashable {
    /// Whether both are the same bytes.
    public static func == (first: CameraFrame, second: CameraFrame) -> Bool {
        first.number == second.number || first.content == second.content
    }

    /// Feeds the frame's bytes into a hasher.
    public func hash(into hasher: inout Hasher) { hasher.combine(content) }
}

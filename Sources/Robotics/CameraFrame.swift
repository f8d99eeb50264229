import Synchronization

/// What a camera saw at one moment: red, green and blue of each pixel, row by row from the top.
///
/// Copies share their pixels, and all have the frame's number, by which one who has worked on a frame knows it again.
public struct CameraFrame: Sendable {
    /// Tells frames of this process apart.
    public let number: UInt64
    /// Rows.
    public let height: Int
    /// Pixels in a row.
    public let width: Int
    /// [height, width, 3]
    public let pixels: [UInt8]

    private static let made = Atomic<UInt64>(0)

    /// A new frame.
    ///
    /// - Precondition: `pixels` are [height, width, 3].
    public init(height: Int, width: Int, pixels: [UInt8]) {
        precondition(pixels.count == height * width * 3, "a frame is [height, width, 3]")
        self.number = Self.made.wrappingAdd(1, ordering: .relaxed).newValue
        self.height = height
        self.width = width
        self.pixels = pixels
    }
}

extension CameraFrame: Hashable {
    /// Whether both show the same.
    public static func == (first: CameraFrame, second: CameraFrame) -> Bool {
        first.number == second.number
            || first.height == second.height && first.width == second.width && first.pixels == second.pixels
    }

    /// Feeds the frame's pixels into a hasher.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(height)
        hasher.combine(pixels)
    }
}

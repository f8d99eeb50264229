/// Rows and positions of a picture.
public struct FrameSize: Sendable, Hashable, CustomStringConvertible {
    /// Rows.
    public let height: Int
    /// Pixels in a row.
    public let width: Int

    /// A picture's size.
    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// Far above any camera's.
    static let largestSide = 8192

    /// Numbers of a picture in red, green and blue.
    public var count: Int { height * width * 3 }

    /// The shape of a picture in red, green and blue: `[480, 640, 3]`.
    package var shape: String { "[\(height), \(width), 3]" }

    /// Height and width: `480 x 640`.
    public var description: String { "\(height) x \(width)" }
}

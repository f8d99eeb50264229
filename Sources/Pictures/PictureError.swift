/// Why a picture is refused, or cannot be written.
public struct PictureError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The rule that was broken.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The bytes are another format than the one named, or no picture.
        case mislabelled
        /// The bytes end before the picture does, or parts of the picture were never sent.
        case truncated
        /// The bytes contradict each other, a checksum, or the format.
        case corrupt
        /// The picture is sound and of a kind that is not read here.
        case unsupported
        /// Height or width is zero or too large, or is not that of the pixels.
        case size
        /// The picture takes more work than one of its size may.
        case limit
        /// The system has no memory for the decoder or the encoder.
        case memory
        /// A quality or a level is outside its range.
        case setting
    }

    /// The rule that was broken.
    public let reason: Reason
    /// The format as which the bytes were read or written.
    public let format: PictureFormat
    /// What the picture has.
    public let found: String
    /// What it should have.
    public let expected: String

    init(_ reason: Reason, _ format: PictureFormat, found: String, expected: String) {
        self.reason = reason
        self.format = format
        self.found = found
        self.expected = expected
    }

    /// One line: the format, what was found and what was expected.
    public var description: String { "\(format.name) picture: \(found); expected \(expected)" }
}

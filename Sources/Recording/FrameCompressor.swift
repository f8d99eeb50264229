import Pictures
import Robotics

/// Makes the pictures that a recording has of frames.
///
/// A frame that came as a picture stays as it is, also one that cannot be decoded. Pixels are compressed.
final class FrameCompressor {
    /// As good as what cameras send that compress themselves, in a seventh of the pixels' bytes.
    private static let jpegQuality = 90
    /// The quickest that compresses, in three quarters of the pixels' bytes.
    private static let pngLevel = 1

    private let pixelFormat: CameraFrame.Format
    private var encoder: PictureEncoder

    /// - Parameter pixelFormat: how pixels are compressed: `png` loses nothing.
    /// - Throws: `PictureError` if there is no memory.
    init(pixelFormat: CameraFrame.Format) throws(PictureError) {
        self.pixelFormat = pixelFormat
        encoder = try PictureEncoder()
    }

    /// The frame as it is recorded.
    ///
    /// - Throws: `PictureError` for pixels that cannot be compressed: sides that are too long, no memory.
    func recorded(_ frame: CameraFrame) throws(PictureError) -> RecordedFrame {
        switch frame.content {
        case .picture(let bytes, let format):
            return RecordedFrame(number: frame.number, picture: bytes, format: format, isLossy: false)
        case .pixels(let pixels, let height, let width):
            let picture =
                switch pixelFormat {
                case .jpeg:
                    try encoder.jpeg(pixels.span, height: height, width: width, quality: Self.jpegQuality)
                case .png:
                    try encoder.png(pixels.span, height: height, width: width, level: Self.pngLevel)
                }
            return RecordedFrame(
                number: frame.number,
                picture: picture,
                format: pixelFormat,
                isLossy: pixelFormat == .jpeg
            )
        }
    }
}

import Drawing
import Pictures
import PushT
import Robotics

/// What the robot's camera sent, as the daemon decodes it. It keeps the pixels of one frame.
final class CameraPanel {
    private let frames: [CameraFrame?]
    private var decoder: PictureDecoder
    private var decoded: (number: UInt64, height: Int, width: Int, pixels: [UInt8])?

    /// Pixels of the line below the picture.
    static let captionHeight = 20.0

    /// - Throws: `PictureError` if there is no memory.
    init(_ frames: [CameraFrame?]) throws {
        self.frames = frames
        decoder = try PictureDecoder()
    }

    /// Draws the newest frame at a control step, and says if it is an older one because those since were lost.
    ///
    /// - Parameters:
    ///   - corner: the upper left corner.
    ///   - side: pixels of the square that the frame fills.
    /// - Throws: `PictureError` if the frame cannot be decoded.
    func draw(on canvas: Canvas, step: Int, at corner: SIMD2<Double>, side: Double) throws {
        // After the last control step nothing was looked at.
        let newest = min(step, frames.count - 1)
        let shown = frames.prefix(newest + 1).lastIndex { $0 != nil }
        let caption: String
        if let shown, let frame = frames[shown] {
            try decode(frame)
            guard let decoded else { return }
            let scale = side / Double(max(decoded.height, decoded.width))
            canvas.picture(
                decoded.pixels.span,
                height: decoded.height,
                width: decoded.width,
                at: corner,
                scale: scale
            )
            let lost = newest - shown
            let size = "camera, \(decoded.width) x \(decoded.height)"
            caption =
                lost == 0
                ? size : "\(size): frame lost, the last one is \(lost) step\(lost == 1 ? "" : "s") old"
        } else {
            canvas.rectangle(corner, size: SIMD2(side, side), EpisodeStyle.faint)
            caption = "camera: no frame yet"
        }
        canvas.text(
            caption,
            at: corner + SIMD2(0, side + Self.captionHeight - 6),
            size: EpisodeCharts.textSize,
            EpisodeStyle.ink
        )
    }

    private func decode(_ frame: CameraFrame) throws {
        guard decoded?.number != frame.number else { return }
        switch frame.content {
        case .pixels(let pixels, let height, let width):
            decoded = (frame.number, height, width, pixels)
        case .picture(let bytes, let format):
            let header = try PictureHeader(reading: bytes.span, as: format == .jpeg ? .jpeg : .png)
            var pixels = [UInt8](repeating: 0, count: header.pixelByteCount)
            var span = pixels.mutableSpan
            try decoder.decode(bytes.span, header, into: &span)
            decoded = (frame.number, header.height, header.width, pixels)
        }
    }
}

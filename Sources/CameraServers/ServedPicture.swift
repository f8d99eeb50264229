import Pictures
import Robotics

/// Turns pictures of a camera server into frames.
struct ServedPictureDecoder: ~Copyable {
    private var decoder: PictureDecoder?

    init() {}

    /// The frame that LeRobot's `ZMQCamera` makes of a picture.
    ///
    /// LeRobot's server hands OpenCV red, green and blue, which takes them for blue, green and red; so in its files red and blue are
    /// exchanged. LeRobot's client reads them by OpenCV too, in the same order, which exchanges them back. So is done here. A policy
    /// that was trained on frames of a `ZMQCamera` sees what it was trained with, whatever server they came from.
    ///
    /// - Parameters:
    ///   - jpeg: the file.
    ///   - camera: what the policy expects.
    ///   - field: the picture's place, for errors.
    /// - Throws: `MessageError` `bad_array` for a picture of another size, `bad_image` for one that cannot be read.
    mutating func frame(
        of jpeg: [UInt8],
        for camera: CameraDescription,
        field: String
    ) throws(MessageError) -> CameraFrame {
        let header: PictureHeader
        do throws(PictureError) {
            header = try PictureHeader(reading: jpeg.span, as: .jpeg)
        } catch {
            throw MessageError(.badImage, field: field, error.description)
        }
        guard header.height == camera.height, header.width == camera.width else {
            throw MessageError(
                .badArray,
                field: field,
                "a picture of \(header.height) x \(header.width) pixels, \(camera.name) is "
                    + "\(camera.height) x \(camera.width), as in training: frames are not resized"
            )
        }
        do throws(PictureError) {
            if decoder == nil { decoder = try PictureDecoder() }
            var pixels = [UInt8](repeating: 0, count: header.pixelByteCount)
            var span = pixels.mutableSpan
            try decoder?.decode(jpeg.span, header, into: &span)
            for pixel in stride(from: 0, to: pixels.count, by: 3) { pixels.swapAt(pixel, pixel + 2) }
            return CameraFrame(height: header.height, width: header.width, pixels: pixels)
        } catch {
            throw MessageError(.badImage, field: field, error.description)
        }
    }
}

import Foundation
import Pictures
import Robotics
import Synchronization

/// Makes the small pictures of frames that the live page shows.
///
/// A picture that came small enough goes on as it came. What is longer, and pixels, are made smaller and compressed, on the thread
/// of whoever asks, a bounded number of times a second for all who ask together.
final class Thumbnails: Sendable {
    /// A picture as a page shows it.
    struct Picture: Sendable, Hashable {
        /// The picture's media type, a comma and its bytes in base 64: what follows `data:` in a URL. Empty if there is none.
        var url: String
        /// Why there is no picture; empty if there is one.
        var problem: String
    }

    /// A picture of at most so many bytes goes on as it came.
    static let mostBytesAsTheyCame = 96 << 10
    /// The longest side of a picture that is made smaller, in pixels.
    static let longestSide = 320
    /// Pictures that are made a second, at most.
    static let picturesPerSecond = 8
    /// Pixels of a frame that is made smaller, at most: decoding takes 20 ms for so many.
    static let mostPixels = 4 << 20
    fileprivate static let quality = 70
    private static let kept = 16

    fileprivate struct State: ~Copyable {
        var encoder: PictureEncoder?
        var decoder: PictureDecoder?
        /// The newest that were made, by the number of the frame.
        var made: [(number: UInt64, picture: Picture)] = []
        /// When the second began in which `count` were made, in nanoseconds of the monotonic clock.
        var secondNs: UInt64 = 0
        var count = 0
    }

    private let state = Mutex(State())

    /// The picture of a frame; nil if so many have been made in this second that it has to wait.
    func picture(of frame: CameraFrame, nowNs: UInt64) -> Picture? {
        if case .picture(let bytes, let format) = frame.content, bytes.count <= Self.mostBytesAsTheyCame {
            return Picture(url: Self.url(bytes, format), problem: "")
        }
        return state.withLock { state in
            if let made = state.made.last(where: { $0.number == frame.number }) { return made.picture }
            if nowNs >= state.secondNs + 1_000_000_000 { (state.secondNs, state.count) = (nowNs, 0) }
            guard state.count < Self.picturesPerSecond else { return nil }
            state.count += 1
            let picture = state.make(frame)
            if state.made.count == Self.kept { state.made.removeFirst() }
            state.made.append((frame.number, picture))
            return picture
        }
    }

    fileprivate static func url(_ bytes: [UInt8], _ format: CameraFrame.Format) -> String {
        "image/\(format.rawValue);base64,\(Data(bytes).base64EncodedString())"
    }
}

extension Thumbnails.State {
    /// Makes the picture of a frame, or says why there is none.
    fileprivate mutating func make(_ frame: CameraFrame) -> Thumbnails.Picture {
        do throws(PictureError) {
            switch frame.content {
            case .pixels(let pixels, let height, let width):
                return try compress(pixels, height: height, width: width)
            case .picture(let bytes, let format):
                let header = try PictureHeader(reading: bytes.span, as: format == .jpeg ? .jpeg : .png)
                guard header.height * header.width <= Thumbnails.mostPixels else {
                    return .init(
                        url: "",
                        problem: "\(header.width)x\(header.height) pixels are too many to show"
                    )
                }
                var pixels = [UInt8](repeating: 0, count: header.pixelByteCount)
                if decoder == nil { decoder = try PictureDecoder() }
                var span = pixels.mutableSpan
                try decoder?.decode(bytes.span, header, into: &span)
                return try compress(pixels, height: header.height, width: header.width)
            }
        } catch {
            return .init(url: "", problem: "\(error)")
        }
    }

    private mutating func compress(
        _ pixels: [UInt8],
        height: Int,
        width: Int
    ) throws(PictureError) -> Thumbnails.Picture {
        let factor = (max(height, width) + Thumbnails.longestSide - 1) / Thumbnails.longestSide
        let small =
            factor > 1
            ? Thumbnails.shrunk(pixels, height: height, width: width, by: factor) : (pixels, height, width)
        if encoder == nil { encoder = try PictureEncoder() }
        let bytes =
            try encoder?.jpeg(
                small.0.span,
                height: small.1,
                width: small.2,
                quality: Thumbnails.quality
            ) ?? []
        return .init(url: Thumbnails.url(bytes, .jpeg), problem: "")
    }
}

extension Thumbnails {
    /// A picture made smaller: each pixel is the mean of `factor` by `factor`. What is left over at the right and below is cut off,
    /// unless nothing else is there.
    ///
    /// - Parameter pixels: [height, width, 3].
    /// - Returns: the pixels, the height and the width.
    static func shrunk(
        _ pixels: [UInt8],
        height: Int,
        width: Int,
        by factor: Int
    ) -> ([UInt8], Int, Int) {
        let (rows, columns) = (max(height / factor, 1), max(width / factor, 1))
        let (down, across) = (min(factor, height), min(factor, width))
        let small = [UInt8](unsafeUninitializedCapacity: rows * columns * 3) { small, count in
            pixels.withUnsafeBufferPointer { pixels in
                for row in 0..<rows {
                    for column in 0..<columns {
                        for channel in 0..<3 {
                            var sum = 0
                            for y in 0..<down {
                                let start = ((row * factor + y) * width + column * factor) * 3 + channel
                                for x in 0..<across { sum += Int(pixels[start + 3 * x]) }
                            }
                            small[(row * columns + column) * 3 + channel] = UInt8(sum / (down * across))
                        }
                    }
                }
            }
            count = rows * columns * 3
        }
        return (small, rows, columns)
    }
}

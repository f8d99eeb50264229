/// How many chroma samples a JPEG has for its pixels.
public enum ChromaSubsampling: String, Sendable, Hashable, CaseIterable {
    /// Chroma for every pixel.
    case full = "4:4:4"
    /// Chroma for every square of 2x2 pixels, as cameras send it.
    case quarter = "4:2:0"
}

/// Compresses RGB pixels, for recordings and for tests.
public struct PictureEncoder: ~Copyable, Sendable {
    private var jpeg: JPEGCompressor

    /// - Throws: `.memory` if the system has none.
    public init() throws(PictureError) {
        jpeg = try JPEGCompressor()
    }

    /// The JPEG of `pixels`, baseline, with JFIF's header.
    ///
    /// - Parameters:
    ///   - pixels: RGB [height, width, 3].
    ///   - height: rows of pixels.
    ///   - width: pixels in a row.
    ///   - quality: 1...100, as libjpeg counts it.
    ///   - subsampling: how much chroma is kept.
    /// - Throws: `.setting` for a quality outside its range; `.size` for a side outside 1...`PictureHeader.largestSide` or
    ///   pixels that are not height x width x 3 bytes; `.memory`.
    public mutating func jpeg(
        _ pixels: Span<UInt8>,
        height: Int,
        width: Int,
        quality: Int = 95,
        subsampling: ChromaSubsampling = .quarter
    ) throws(PictureError) -> [UInt8] {
        try Self.check(quality, in: 1...100, "quality", .jpeg)
        let header = try Self.header(of: pixels, height, width, .jpeg)
        return try jpeg.encode(pixels, header, quality: quality, subsampling: subsampling)
    }

    /// The PNG of `pixels`, lossless, of 8 bits, RGB.
    ///
    /// - Parameters:
    ///   - pixels: RGB [height, width, 3].
    ///   - height: rows of pixels.
    ///   - width: pixels in a row.
    ///   - level: zlib's compression level: 0 stores, 9 makes the smallest. 1 is quickest: it also tries one filter alone.
    /// - Throws: as `jpeg`.
    public mutating func png(
        _ pixels: Span<UInt8>,
        height: Int,
        width: Int,
        level: Int = 6
    ) throws(PictureError) -> [UInt8] {
        try Self.check(level, in: 0...9, "compression level", .png)
        let header = try Self.header(of: pixels, height, width, .png)
        return try PNGWriter.encode(pixels, header, level: level)
    }

    private static func check(
        _ value: Int,
        in range: ClosedRange<Int>,
        _ name: String,
        _ format: PictureFormat
    ) throws(PictureError) {
        guard !range.contains(value) else { return }
        throw PictureError(
            .setting,
            format,
            found: "\(name) \(value)",
            expected: "\(range.lowerBound) to \(range.upperBound)"
        )
    }

    private static func header(
        of pixels: Span<UInt8>,
        _ height: Int,
        _ width: Int,
        _ format: PictureFormat
    ) throws(PictureError) -> PictureHeader {
        let header = try PictureHeader(
            format: format,
            height: height,
            width: width,
            colour: format == .jpeg ? .yCbCr : .rgb,
            bitsPerSample: 8
        )
        guard pixels.count == header.pixelByteCount else {
            throw PictureError(
                .size,
                format,
                found: "\(pixels.count) bytes of pixels",
                expected: "\(header.pixelByteCount) for \(width)x\(height) RGB"
            )
        }
        return header
    }
}

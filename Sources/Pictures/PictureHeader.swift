/// What a picture's colours are made of.
public enum PictureColour: String, Sendable, Hashable, CaseIterable {
    /// One sample a pixel.
    case grey
    /// A grey sample and an alpha sample a pixel.
    case greyWithAlpha
    /// Red, green and blue.
    case rgb
    /// Red, green, blue and alpha.
    case rgbWithAlpha
    /// An index into a list of RGB colours.
    case palette
    /// JPEG's luma and two chroma components.
    case yCbCr
}

/// What a picture's header says, read before anything is decoded.
///
/// A caller compares height and width with what it wants, and allocates the pixels only then.
public struct PictureHeader: Sendable, Hashable {
    /// The largest height and width that are read or written: JPEG's limit, kept for PNG too.
    public static let largestSide = 65_535

    /// The picture's format.
    public let format: PictureFormat
    /// Rows of pixels, 1...`largestSide`. An orientation in EXIF data is ignored, as Pillow does.
    public let height: Int
    /// Pixels in a row, 1...`largestSide`.
    public let width: Int
    /// What the colours are made of.
    public let colour: PictureColour
    /// Bits of a sample (of an index if there is a palette): 8 in JPEG; 1, 2, 4, 8 or 16 in PNG.
    public let bitsPerSample: Int

    /// Bytes of the decoded pixels, RGB [height, width, 3].
    public var pixelByteCount: Int { height * width * 3 }

    /// Reads the header of `bytes`; of a JPEG everything before the first scan, of a PNG the signature and the chunk `IHDR`.
    ///
    /// Nothing that is allocated depends on the stated size.
    ///
    /// - Throws: `.mislabelled` if the bytes are no picture of `format`; `.truncated` and `.corrupt` if there is no whole
    ///   header; `.size` if a side is zero or beyond `largestSide`; `.unsupported` if the picture is of a kind that
    ///   `PictureDecoder` does not read.
    public init(reading bytes: Span<UInt8>, as format: PictureFormat) throws(PictureError) {
        try Signature.check(bytes, is: format)
        switch format {
        case .jpeg: self = try JPEGFrame(reading: bytes).header
        case .png: self = try PNGChunks.header(of: bytes)
        }
    }

    init(
        format: PictureFormat,
        height: Int,
        width: Int,
        colour: PictureColour,
        bitsPerSample: Int
    ) throws(PictureError) {
        for (name, side) in [("height", height), ("width", width)]
        where !(1...Self.largestSide).contains(side) {
            throw PictureError(
                .size,
                format,
                found: "\(name) \(side)",
                expected: "1 to \(Self.largestSide) pixels"
            )
        }
        self.format = format
        self.height = height
        self.width = width
        self.colour = colour
        self.bitsPerSample = bitsPerSample
    }
}

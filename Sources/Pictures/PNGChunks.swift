/// The chunks of a PNG (third edition, section 5), as far as they are looked at before libspng decodes them.
enum PNGChunks {
    /// Reads the signature and `IHDR`, with its checksum.
    static func header(of bytes: Span<UInt8>) throws(PictureError) -> PictureHeader {
        guard bytes.count >= 33 else { throw truncated(bytes) }
        guard number(in: bytes, at: 8) == 13, hasType("IHDR", at: 8, in: bytes) else {
            throw corrupt("another first chunk", expected: "IHDR of 13 bytes")
        }
        guard checksum(of: bytes.extracting(12..<29)) == UInt32(number(in: bytes, at: 29)) else {
            throw corrupt("a wrong checksum of chunk IHDR", expected: "the checksum of its bytes")
        }
        guard bytes[26] == 0, bytes[27] == 0, bytes[28] <= 1 else {
            throw corrupt(
                "compression, filter and interlace methods \(bytes[26]), \(bytes[27]), \(bytes[28])",
                expected: "0, 0, and 0 or 1"
            )
        }
        let bits = Int(bytes[24])
        return try PictureHeader(
            format: .png,
            height: number(in: bytes, at: 20),
            width: number(in: bytes, at: 16),
            colour: colour(type: bytes[25], bits: bits),
            bitsPerSample: bits
        )
    }

    /// The colours of a colour type at so many bits, which the format allows only in some pairs.
    ///
    /// Grey of 16 bits is refused: depth cameras send it, its numbers are no brightness, and Pillow clips them to 255.
    private static func colour(type: UInt8, bits: Int) throws(PictureError) -> PictureColour {
        switch (type, bits) {
        case (0, 1), (0, 2), (0, 4), (0, 8): return .grey
        case (2, 8), (2, 16): return .rgb
        case (3, 1), (3, 2), (3, 4), (3, 8): return .palette
        case (4, 8), (4, 16): return .greyWithAlpha
        case (6, 8), (6, 16): return .rgbWithAlpha
        case (0, 16):
            throw PictureError(
                .unsupported,
                .png,
                found: "grey samples of 16 bits, as of a depth camera",
                expected: "a picture in colour, or grey of at most 8 bits"
            )
        default:
            throw corrupt("colour type \(type) with \(bits) bits", expected: "a pair that PNG allows")
        }
    }

    /// Walks the chunks up to `IEND`, and throws if they end before, or if they hold more compressed pixels than a picture of
    /// this size may have. Checksums are left to libspng.
    ///
    /// - Returns: The number of bytes up to and with `IEND`. What follows it is no part of the picture.
    static func check(_ bytes: Span<UInt8>, _ header: PictureHeader) throws(PictureError) -> Int {
        var offset = 8
        var compressed = 0
        while true {
            guard bytes.count - offset >= 12 else { throw truncated(bytes) }
            let length = number(in: bytes, at: offset)
            guard length <= bytes.count - offset - 12 else { throw truncated(bytes) }
            if hasType("IDAT", at: offset, in: bytes) { compressed += length }
            let isLast = hasType("IEND", at: offset, in: bytes)
            offset += 12 + length
            if isLast { break }
        }
        let limit = compressedLimit(header)
        guard compressed <= limit else {
            throw PictureError(
                .limit,
                .png,
                found: "\(compressed) bytes of compressed pixels for \(header.width)x\(header.height)",
                expected: "at most \(limit)"
            )
        }
        return offset
    }

    /// More bytes than any encoder makes of a picture of this size. Deflate adds a few bytes to a block that it cannot compress;
    /// the allowance has room for a block for each row. Interlaced rows are less than twice as many bytes.
    private static func compressedLimit(_ header: PictureHeader) -> Int {
        let samples =
            switch header.colour {
            case .grey, .palette: 1
            case .greyWithAlpha: 2
            case .rgb, .yCbCr: 3
            case .rgbWithAlpha: 4
            }
        let row = (header.width * samples * header.bitsPerSample + 7) / 8 + 32
        return 2 * row * header.height + 4096
    }

    private static func hasType(_ type: StaticString, at chunk: Int, in bytes: Span<UInt8>) -> Bool {
        type.withUTF8Buffer { type in (0..<4).allSatisfy { bytes[chunk + 4 + $0] == type[$0] } }
    }

    private static func number(in bytes: Span<UInt8>, at offset: Int) -> Int {
        (0..<4).reduce(0) { $0 << 8 | Int(bytes[offset + $1]) }
    }

    /// CRC-32 as PNG defines it (annex D), a bit at a time: it is taken of 17 bytes.
    private static func checksum(of bytes: Span<UInt8>) -> UInt32 {
        var sum = UInt32.max
        for index in bytes.indices {
            sum ^= UInt32(bytes[index])
            for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xedb8_8320 }
        }
        return ~sum
    }

    private static func truncated(_ bytes: Span<UInt8>) -> PictureError {
        PictureError(
            .truncated,
            .png,
            found: "\(bytes.count) bytes that end within a chunk or before IEND",
            expected: "a whole PNG"
        )
    }

    private static func corrupt(_ found: String, expected: String) -> PictureError {
        PictureError(.corrupt, .png, found: found, expected: expected)
    }
}

/// What the first bytes of a picture say that it is.
enum Signature {
    /// Throws `.mislabelled` unless `bytes` start as a picture of `format` does.
    static func check(_ bytes: Span<UInt8>, is format: PictureFormat) throws(PictureError) {
        let ownStart: [UInt8] =
            switch format {
            case .jpeg: jpeg
            case .png: png
            }
        if starts(bytes, with: ownStart) { return }
        guard !bytes.isEmpty else {
            throw PictureError(.truncated, format, found: "no bytes", expected: "a \(format.name)")
        }
        let isStart = (0..<min(bytes.count, ownStart.count)).allSatisfy { bytes[$0] == ownStart[$0] }
        guard !isStart else {
            throw PictureError(
                .truncated,
                format,
                found: "\(bytes.count) bytes",
                expected: "a whole \(format.name)"
            )
        }
        throw PictureError(
            .mislabelled,
            format,
            found: name(of: bytes) ?? "bytes that start with \(hexadecimal(bytes, upTo: 8))",
            expected: "a \(format.name), which starts with \(hexadecimal(ownStart.span, upTo: 8))"
        )
    }

    private static let jpeg: [UInt8] = [0xff, 0xd8, 0xff]
    private static let png: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

    /// Starts of what clients send by mistake; the first that fits counts.
    private static let known: [(start: [UInt8], name: String)] = [
        (jpeg, "a JPEG"),
        (png, "a PNG"),
        (Array("GIF8".utf8), "a GIF"),
        (Array("BM".utf8), "a BMP"),
        ([0x49, 0x49, 0x2a, 0x00], "a TIFF"),
        ([0x4d, 0x4d, 0x00, 0x2a], "a TIFF"),
        (Array("P5".utf8), "a PGM"),
        (Array("P6".utf8), "a PPM"),
        ([0xff, 0x4f, 0xff, 0x51], "a JPEG 2000 codestream"),
        ([0, 0, 0, 12] + Array("jP  ".utf8), "a JPEG 2000"),
        ([0xff, 0x0a], "a JPEG XL codestream"),
        ([0, 0, 0, 12] + Array("JXL ".utf8), "a JPEG XL"),
        ([0x93] + Array("NUMPY".utf8), "a NumPy array"),
        (Array("/9j/".utf8), "the Base64 text of a JPEG"),
        (Array("iVBORw0KGgo".utf8), "the Base64 text of a PNG"),
        (Array("data:".utf8), "a data URL"),
    ]

    /// Brands of the files whose first box is `ftyp` (ISO/IEC 14496-12).
    private static let brands: [(brand: String, name: String)] = [
        ("avif", "an AVIF"), ("avis", "an AVIF"), ("heic", "a HEIC"), ("heix", "a HEIC"), ("hevc", "a HEIC"),
        ("heim", "a HEIC"), ("heis", "a HEIC"), ("mif1", "a HEIF"), ("msf1", "a HEIF"),
    ]

    /// The format of `bytes` with its article, if it is one of those known.
    private static func name(of bytes: Span<UInt8>) -> String? {
        for entry in known where starts(bytes, with: entry.start) { return entry.name }
        if starts(bytes, with: Array("RIFF".utf8)), starts(bytes, with: Array("WEBP".utf8), at: 8) {
            return "a WebP"
        }
        guard starts(bytes, with: Array("ftyp".utf8), at: 4) else { return nil }
        for entry in brands where starts(bytes, with: Array(entry.brand.utf8), at: 8) { return entry.name }
        return "an ISO media file, such as MP4"
    }

    private static func starts(_ bytes: Span<UInt8>, with start: [UInt8], at offset: Int = 0) -> Bool {
        bytes.count >= offset + start.count && start.indices.allSatisfy { bytes[offset + $0] == start[$0] }
    }

    private static func hexadecimal(_ bytes: Span<UInt8>, upTo count: Int) -> String {
        (0..<min(count, bytes.count)).map { index in
            let digits = String(bytes[index], radix: 16)
            return digits.count < 2 ? "0" + digits : digits
        }.joined(separator: " ")
    }
}

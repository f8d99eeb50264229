import CTurboJPEG

/// libjpeg-turbo's decoder.
///
/// `@unchecked Sendable` holds because the handle has one owner, which cannot be copied, and the library keeps all state of a
/// handle in it.
struct JPEGDecompressor: ~Copyable, @unchecked Sendable {
    private let handle: tjhandle

    init() throws(PictureError) {
        guard let handle = tjInitDecompress() else {
            throw PictureError(
                .memory,
                .jpeg,
                found: "no memory for a decoder",
                expected: "some kilobytes"
            )
        }
        self.handle = handle
    }

    deinit { tjDestroy(handle) }

    /// As `PictureDecoder.decode`. `pixels` has the header's size.
    @_lifetime(pixels: copy pixels)
    mutating func decode(
        _ bytes: Span<UInt8>,
        _ header: PictureHeader,
        into pixels: inout MutableSpan<UInt8>
    ) throws(PictureError) {
        let frame = try JPEGFrame(reading: bytes)
        try PictureDecoder.require(frame.header, is: header)
        let count = try JPEGScans.check(bytes, frame)
        let handle = handle
        // The library scales a picture down that is larger than asked for, so it writes no pixel beyond these.
        let status = bytes.withUnsafeBufferPointer { bytes in
            pixels.withUnsafeMutableBufferPointer { pixels in
                tjDecompress2(
                    handle,
                    bytes.baseAddress,
                    UInt(count),
                    pixels.baseAddress,
                    CInt(header.width),
                    CInt(header.width * 3),
                    CInt(header.height),
                    CInt(TJPF_RGB.rawValue),
                    TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS
                )
            }
        }
        guard status == 0 else { throw error() }
    }

    /// What the library says of its last failure.
    private func error() -> PictureError {
        let text = tjGetErrorStr2(handle).map { String(cString: $0) } ?? "an error without a text"
        // The library has no codes. These are texts of libjpeg's list of messages (jerror.h); the second ends those of kinds of JPEG
        // that libjpeg cannot read, such as lossless ones.
        let reason: PictureError.Reason =
            if text.hasPrefix("Insufficient memory") {
                .memory
            } else if text.hasSuffix("not implemented yet") {
                .unsupported
            } else {
                .corrupt
            }
        return PictureError(
            reason,
            .jpeg,
            found: "libjpeg: \(text)",
            expected: "a picture without errors and warnings"
        )
    }
}

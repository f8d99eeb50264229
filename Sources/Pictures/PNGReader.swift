import CSPNG

/// libspng's decoder. A context reads one picture, and is made anew for each.
enum PNGReader {
    /// What profiles, texts and other ancillary chunks may take together, in bytes, as they come and inflated.
    private static let ancillaryLimit = 1 << 20

    /// As `PictureDecoder.decode`. `pixels` has the header's size.
    @_lifetime(pixels: copy pixels)
    static func decode(
        _ bytes: Span<UInt8>,
        _ header: PictureHeader,
        into pixels: inout MutableSpan<UInt8>
    ) throws(PictureError) {
        try PictureDecoder.require(PNGChunks.header(of: bytes), is: header)
        let count = try PNGChunks.check(bytes, header)
        guard let context = spng_ctx_new(0) else { throw error(SPNG_EMEM.rawValue) }
        defer { spng_ctx_free(context) }
        let status = bytes.withUnsafeBufferPointer { bytes in
            pixels.withUnsafeMutableBufferPointer { pixels in
                decode(context, bytes.baseAddress, count, header, pixels)
            }
        }
        guard status == 0 else { throw error(status) }
    }

    /// libspng's status: 0 if the whole picture is sound. Rows are inflated one by one, and data beyond the last one is not, so
    /// a stream that would inflate to more than the picture costs nothing.
    private static func decode(
        _ context: OpaquePointer,
        _ bytes: UnsafePointer<UInt8>?,
        _ count: Int,
        _ header: PictureHeader,
        _ pixels: UnsafeMutableBufferPointer<UInt8>
    ) -> CInt {
        let failed = CInt(SPNG_CRC_ERROR.rawValue)
        let format = CInt(SPNG_FMT_RGB8.rawValue)
        let steps: [() -> CInt] = [
            { spng_set_image_limits(context, UInt32(header.width), UInt32(header.height)) },
            { spng_set_chunk_limits(context, ancillaryLimit, ancillaryLimit) },
            { spng_set_crc_action(context, failed, failed) },
            { spng_set_png_buffer(context, bytes, count) },
            { spng_decode_image(context, pixels.baseAddress, pixels.count, format, 0) },
            // The checksums of what follows the pixels, up to IEND.
            { spng_decode_chunks(context) },
        ]
        for step in steps {
            let status = step()
            if status != 0 { return status }
        }
        return 0
    }

    private static func error(_ status: CInt) -> PictureError {
        let reason: PictureError.Reason =
            switch status {
            case SPNG_EMEM.rawValue: .memory
            case SPNG_ECHUNK_LIMITS.rawValue: .limit
            case SPNG_IO_EOF.rawValue, SPNG_EIDAT_TOO_SHORT.rawValue: .truncated
            default: .corrupt
            }
        let text = spng_strerror(status).map { String(cString: $0) } ?? "status \(status)"
        return PictureError(
            reason,
            .png,
            found: "libspng: \(text)",
            expected: "a picture without errors, every checksum right"
        )
    }
}

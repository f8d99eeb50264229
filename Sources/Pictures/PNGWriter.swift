import CSPNG

/// libspng's encoder. A context writes one picture, and is made anew for each.
enum PNGWriter {
    /// As `PictureEncoder.png`. `pixels` has the header's size.
    static func encode(
        _ pixels: Span<UInt8>,
        _ header: PictureHeader,
        level: Int
    ) throws(PictureError) -> [UInt8] {
        guard let context = spng_ctx_new(CInt(SPNG_CTX_ENCODER.rawValue)) else {
            throw error(SPNG_EMEM.rawValue)
        }
        defer { spng_ctx_free(context) }
        var ihdr = spng_ihdr()
        ihdr.width = UInt32(header.width)
        ihdr.height = UInt32(header.height)
        ihdr.bit_depth = 8
        ihdr.color_type = UInt8(SPNG_COLOR_TYPE_TRUECOLOR.rawValue)
        var status = spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1)
        if status == 0 { status = spng_set_option(context, SPNG_IMG_COMPRESSION_LEVEL, CInt(level)) }
        if status == 0, level == 1 { status = setQuick(context) }
        if status == 0 { status = spng_set_ihdr(context, &ihdr) }
        if status == 0 {
            status = pixels.withUnsafeBufferPointer { pixels in
                spng_encode_image(
                    context,
                    pixels.baseAddress,
                    pixels.count,
                    CInt(SPNG_FMT_PNG.rawValue),
                    CInt(SPNG_ENCODE_FINALIZE.rawValue)
                )
            }
        }
        guard status == 0 else { throw error(status) }
        var count = 0
        guard let buffer = spng_get_png_buffer(context, &count, &status) else { throw error(status) }
        // The buffer is the caller's once it was asked for.
        defer { free(buffer) }
        return Array(UnsafeRawBufferPointer(start: buffer, count: count))
    }

    /// One filter for all rows, and runs of a byte as the only matches: a third of the time, for a picture of a camera at most a
    /// twentieth larger. Returns a status.
    private static func setQuick(_ context: OpaquePointer) -> CInt {
        let status = spng_set_option(context, SPNG_FILTER_CHOICE, CInt(SPNG_FILTER_CHOICE_AVG.rawValue))
        guard status == 0 else { return status }
        // Z_RLE of zlib.
        return spng_set_option(context, SPNG_IMG_COMPRESSION_STRATEGY, 3)
    }

    private static func error(_ status: CInt) -> PictureError {
        let text = spng_strerror(status).map { String(cString: $0) } ?? "status \(status)"
        return PictureError(.memory, .png, found: "libspng: \(text)", expected: "a PNG")
    }
}

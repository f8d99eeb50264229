import CCairo
import Drawing

/// A picture that is drawn on with cairo. Lengths are pixels, x to the right and y down.
///
/// Nothing that is drawn throws. If cairo fails, what follows has no effect, and ``withPixels(_:)`` throws.
package final class Canvas {
    /// Where a text stands, seen from its place.
    package enum Anchor: Double, Sendable {
        case start = 0
        case middle = 0.5
        case end = 1
    }

    /// Pixels in a row.
    package let width: Int
    /// Rows.
    package let height: Int

    private let surface: OpaquePointer
    private let context: OpaquePointer

    /// A white picture.
    ///
    /// - Parameters:
    ///   - width: pixels in a row, 1...16383: more does WebP not have.
    ///   - height: rows, likewise.
    /// - Throws: `RenderingError` if there is no memory.
    package init(width: Int, height: Int) throws(RenderingError) {
        precondition((1...16383).contains(width) && (1...16383).contains(height), "a side is 1...16383")
        // Where cairo has no memory, what it returns is an object that says so, and that may be destroyed.
        surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, CInt(width), CInt(height))
        context = cairo_create(surface)
        (self.width, self.height) = (width, height)
        let face = TextFace.make()
        cairo_set_font_face(context, face)
        cairo_font_face_destroy(face)
        let options = TextFace.options()
        cairo_set_font_options(context, options)
        cairo_font_options_destroy(options)
        cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
        fill(Color(0xff_ffff))
        try check()
    }

    deinit {
        cairo_destroy(context)
        cairo_surface_destroy(surface)
    }

    /// Calls `body` with the pixels, 0xRRGGBB each, row by row from the top, [height, width].
    ///
    /// - Throws: `RenderingError` if something could not be drawn.
    package func withPixels<Result>(_ body: (Span<UInt32>) throws -> Result) throws -> Result {
        cairo_surface_flush(surface)
        try check()
        precondition(Int(cairo_image_surface_get_stride(surface)) == 4 * width, "rows have no gaps")
        guard let start = cairo_image_surface_get_data(surface) else {
            throw RenderingError("cairo", "the picture has no pixels")
        }
        // The fourth byte of a pixel is undefined, and is set to zero.
        let count = width * height
        return try start.withMemoryRebound(to: UInt32.self, capacity: count) { start in
            let pixels = UnsafeMutableBufferPointer(start: start, count: count)
            for index in pixels.indices { pixels[index] &= 0xff_ffff }
            return try body(UnsafeBufferPointer(pixels).span)
        }
    }

    private func check() throws(RenderingError) {
        for status in [cairo_surface_status(surface), cairo_status(context)]
        where status != CAIRO_STATUS_SUCCESS {
            throw RenderingError("cairo", String(cString: cairo_status_to_string(status)))
        }
    }

    // MARK: - Drawing

    /// Draws in other units: `body`'s origin is at `origin`, and its unit is `scale` pixels.
    package func within(_ origin: SIMD2<Double>, scale: Double = 1, degrees: Double = 0, _ body: () -> Void) {
        cairo_save(context)
        cairo_translate(context, origin.x, origin.y)
        cairo_rotate(context, degrees * .pi / 180)
        cairo_scale(context, scale, scale)
        body()
        cairo_restore(context)
    }

    /// Covers everything.
    package func fill(_ color: Color) {
        setColor(color, 1)
        cairo_paint(context)
    }

    /// A filled rectangle.
    package func rectangle(_ corner: SIMD2<Double>, size: SIMD2<Double>, _ color: Color, opacity: Double = 1)
    {
        setColor(color, opacity)
        cairo_rectangle(context, corner.x, corner.y, size.x, size.y)
        cairo_fill(context)
    }

    /// A line through points.
    ///
    /// - Parameter hasRoundEnds: whether its ends are half discs beyond the points, and not cut off there.
    package func line(
        _ points: some Sequence<SIMD2<Double>>,
        _ color: Color,
        width: Double = 1,
        opacity: Double = 1,
        dashes: [Double] = [],
        hasRoundEnds: Bool = false
    ) {
        cairo_new_path(context)
        for point in points { cairo_line_to(context, point.x, point.y) }
        setColor(color, opacity)
        cairo_set_line_width(context, width)
        cairo_set_dash(context, dashes, CInt(dashes.count), 0)
        cairo_set_line_cap(context, hasRoundEnds ? CAIRO_LINE_CAP_ROUND : CAIRO_LINE_CAP_BUTT)
        cairo_stroke(context)
    }

    /// A filled disc.
    package func disc(_ centre: SIMD2<Double>, radius: Double, _ color: Color, opacity: Double = 1) {
        cairo_new_path(context)
        cairo_arc(context, centre.x, centre.y, radius, 0, 2 * .pi)
        setColor(color, opacity)
        cairo_fill(context)
    }

    /// Polygons that share an outline. It is drawn first and the fill covers its inner half, so that no seam shows between
    /// two polygons.
    ///
    /// - Parameter opacity: of outline and fill together.
    package func shape(
        _ polygons: [[SIMD2<Double>]],
        fill: Color,
        stroke: Color,
        outline: Double,
        opacity: Double = 1
    ) {
        if opacity < 1 { cairo_push_group(context) }
        cairo_new_path(context)
        for polygon in polygons {
            for point in polygon { cairo_line_to(context, point.x, point.y) }
            cairo_close_path(context)
        }
        setColor(stroke, 1)
        cairo_set_line_width(context, outline)
        cairo_set_dash(context, nil, 0, 0)
        cairo_stroke_preserve(context)
        setColor(fill, 1)
        cairo_fill(context)
        if opacity < 1 {
            cairo_pop_group_to_source(context)
            cairo_paint_with_alpha(context, opacity)
        }
    }

    /// One line of text, its baseline at `place`.
    ///
    /// - Parameter size: the font's, in pixels.
    package func text(
        _ text: String,
        at place: SIMD2<Double>,
        size: Double,
        _ color: Color,
        anchor: Anchor = .start
    ) {
        cairo_set_font_size(context, size)
        let start = place.x - anchor.rawValue * textWidth(text, size: size)
        setColor(color, 1)
        cairo_move_to(context, start, place.y)
        cairo_show_text(context, text)
    }

    /// How far a line of text reaches, in pixels.
    package func textWidth(_ text: String, size: Double) -> Double {
        cairo_set_font_size(context, size)
        var extents = cairo_text_extents_t()
        cairo_text_extents(context, text, &extents)
        return extents.x_advance
    }

    /// A picture, enlarged or made smaller without smoothing.
    ///
    /// - Parameters:
    ///   - pixels: RGB [height, width, 3].
    ///   - height: its rows.
    ///   - width: pixels in its rows.
    ///   - corner: where its upper left corner is.
    ///   - scale: pixels of the canvas for a pixel of the picture.
    package func picture(
        _ pixels: Span<UInt8>,
        height: Int,
        width: Int,
        at corner: SIMD2<Double>,
        scale: Double,
        opacity: Double = 1
    ) {
        precondition(pixels.count == height * width * 3, "a picture is [height, width, 3]")
        let picture = cairo_image_surface_create(CAIRO_FORMAT_RGB24, CInt(width), CInt(height))
        defer { cairo_surface_destroy(picture) }
        cairo_surface_flush(picture)
        if let start = cairo_image_surface_get_data(picture) {
            let stride = Int(cairo_image_surface_get_stride(picture))
            for row in 0..<height {
                let target = UnsafeMutableRawPointer(start + row * stride)
                for column in 0..<width {
                    let source = (row * width + column) * 3
                    let pixel =
                        UInt32(pixels[source]) << 16 | UInt32(pixels[source + 1]) << 8
                        | UInt32(pixels[source + 2])
                    target.storeBytes(of: pixel, toByteOffset: 4 * column, as: UInt32.self)
                }
            }
        }
        cairo_surface_mark_dirty(picture)
        cairo_save(context)
        cairo_translate(context, corner.x, corner.y)
        cairo_scale(context, scale, scale)
        cairo_set_source_surface(context, picture, 0, 0)
        cairo_pattern_set_filter(cairo_get_source(context), CAIRO_FILTER_NEAREST)
        cairo_rectangle(context, 0, 0, Double(width), Double(height))
        cairo_clip(context)
        cairo_paint_with_alpha(context, opacity)
        cairo_restore(context)
    }

    private func setColor(_ color: Color, _ opacity: Double) {
        let channels = color.channels
        cairo_set_source_rgba(context, channels.x, channels.y, channels.z, opacity)
    }
}

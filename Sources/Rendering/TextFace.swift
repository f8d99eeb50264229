import CCairo

/// The font of all text.
enum TextFace {
    /// DejaVu Sans if the system has it, else whatever font it has. A system without any font has the one that cairo carries
    /// inside, which draws ASCII with strokes. So there is always text.
    ///
    /// - Returns: a font face that the caller destroys.
    static func make() -> OpaquePointer? {
        let face = face("DejaVu Sans")
        if works(face) { return face }
        cairo_font_face_destroy(face)
        return self.face("@cairo:")
    }

    /// Letters have the same shape wherever they stand, and grey edges: the colours of subpixels belong to one kind of screen.
    ///
    /// - Returns: options that the caller destroys.
    static func options() -> OpaquePointer? {
        let options = cairo_font_options_create()
        cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
        cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
        cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
        return options
    }

    private static func face(_ family: String) -> OpaquePointer? {
        cairo_toy_font_face_create(family, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL)
    }

    /// Whether the font can be loaded, at any size.
    private static func works(_ face: OpaquePointer?) -> Bool {
        var (size, identity) = (cairo_matrix_t(), cairo_matrix_t())
        cairo_matrix_init_scale(&size, 12, 12)
        cairo_matrix_init_identity(&identity)
        let options = options()
        let font = cairo_scaled_font_create(face, &size, &identity, options)
        defer {
            cairo_scaled_font_destroy(font)
            cairo_font_options_destroy(options)
        }
        return cairo_scaled_font_status(font) == CAIRO_STATUS_SUCCESS
    }
}

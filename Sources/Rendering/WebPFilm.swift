import CWebP

/// An animated WebP, nearly lossless. The encoder keeps two pictures and what it has compressed.
final class WebPFilm: FilmWriter {
    private let encoder: OpaquePointer
    private var configuration: WebPConfig
    private var end: CInt = 0

    /// - Parameters:
    ///   - width: pixels in a row of each picture.
    ///   - height: rows of each picture.
    ///   - isMixed: whether a part that changes may be compressed with a loss, if that makes it smaller: right for pictures of a
    ///     camera, wrong for drawings.
    /// - Throws: `RenderingError` if there is no memory.
    init(width: Int, height: Int, isMixed: Bool) throws(RenderingError) {
        var options = WebPAnimEncoderOptions()
        var configuration = WebPConfig()
        guard WebPAnimEncoderOptionsInit(&options) != 0, WebPConfigInit(&configuration) != 0 else {
            throw RenderingError("libwebp", "another version than the one denoised was built with")
        }
        options.anim_params.loop_count = 0
        // A film is played from its start, so that no other picture need be whole.
        options.kmin = 0
        options.kmax = 0
        options.allow_mixed = isMixed ? 1 : 0
        configuration.lossless = 1
        // Colours may be off by 3 of 255, where that makes the file smaller: a fifth, for a drawing.
        configuration.near_lossless = 60
        // Little effort: for drawings more takes longer and gains nothing. Where there is a loss, it is also the quality.
        configuration.quality = 60
        configuration.method = 2
        self.configuration = configuration
        guard let encoder = WebPAnimEncoderNew(CInt(width), CInt(height), &options) else {
            throw RenderingError("libwebp", "no memory for pictures of \(width)x\(height)")
        }
        self.encoder = encoder
    }

    deinit { WebPAnimEncoderDelete(encoder) }

    func add(_ canvas: Canvas, until end: Int) throws {
        var picture = WebPPicture()
        guard WebPPictureInit(&picture) != 0 else {
            throw RenderingError("libwebp", "another version than the one denoised was built with")
        }
        defer { WebPPictureFree(&picture) }
        picture.use_argb = 1
        picture.width = CInt(canvas.width)
        picture.height = CInt(canvas.height)
        let isImported = try canvas.withPixels { pixels in
            pixels.withUnsafeBytes { bytes in
                WebPPictureImportBGRX(
                    &picture,
                    bytes.bindMemory(to: UInt8.self).baseAddress,
                    CInt(4 * canvas.width)
                )
            }
        }
        guard isImported != 0, WebPAnimEncoderAdd(encoder, &picture, self.end, &configuration) != 0 else {
            throw failure(picture.error_code)
        }
        self.end = CInt(end)
    }

    func finish() throws -> [UInt8] {
        var file = WebPData()
        defer { WebPDataClear(&file) }
        guard WebPAnimEncoderAdd(encoder, nil, end, nil) != 0, WebPAnimEncoderAssemble(encoder, &file) != 0
        else { throw failure(VP8_ENC_OK) }
        return Array(UnsafeBufferPointer(start: file.bytes, count: file.size))
    }

    private func failure(_ code: WebPEncodingError) -> RenderingError {
        let text = WebPAnimEncoderGetError(encoder).map { String(cString: $0) } ?? ""
        let reason = text.isEmpty || text.hasPrefix("OK") ? "encoding error \(code.rawValue)" : text
        return RenderingError("libwebp", reason)
    }
}

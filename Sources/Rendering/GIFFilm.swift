import CGIF

/// An animated GIF. After the first picture, each holds the rectangle that changes, and in it only the pixels that do.
///
/// The times of a GIF are hundredths of a second: the ends of pictures are rounded to them.
final class GIFFilm: FilmWriter {
    private let sink = Sink()
    private var file: UnsafeMutablePointer<GifFileType>?
    private let width: Int
    private let height: Int
    private var palette: GIFPalette
    /// What the last picture shows, in places of the palette.
    private var shown: [UInt8] = []
    private var line: [UInt8] = []
    private var end = 0

    /// The place of the palette that means "as before".
    private static let unchanged: UInt8 = 255

    /// Where giflib's bytes go.
    private final class Sink {
        var bytes: [UInt8] = []
    }

    /// - Parameters:
    ///   - width: pixels in a row of each picture, at most 65535.
    ///   - height: rows of each picture, likewise.
    ///   - palette: the colours.
    /// - Throws: `RenderingError` if there is no memory.
    init(width: Int, height: Int, palette: GIFPalette) throws(RenderingError) {
        (self.width, self.height, self.palette) = (width, height, palette)
        line.reserveCapacity(width)
        var code: CInt = 0
        // The sink lives as long as this object, which closes the file.
        file = EGifOpen(
            Unmanaged.passUnretained(sink).toOpaque(),
            { file, bytes, count in
                guard let sink = file?.pointee.UserData else { return 0 }
                let buffer = UnsafeBufferPointer(start: bytes, count: Int(count))
                Unmanaged<Sink>.fromOpaque(sink).takeUnretainedValue().bytes += buffer
                return count
            },
            &code
        )
        guard file != nil else { throw Self.failure(code) }
        try writeHead()
    }

    deinit {
        var code: CInt = 0
        if let file { EGifCloseFile(file, &code) }
    }

    private func writeHead() throws(RenderingError) {
        var colors = palette.colors.map { rgb in
            GifColorType(
                Red: UInt8(truncatingIfNeeded: rgb >> 16),
                Green: UInt8(truncatingIfNeeded: rgb >> 8),
                Blue: UInt8(truncatingIfNeeded: rgb)
            )
        }
        colors += Array(repeating: GifColorType(), count: 256 - colors.count)
        guard let map = GifMakeMapObject(256, colors) else {
            throw RenderingError("giflib", "no memory for a palette")
        }
        defer { GifFreeMapObject(map) }
        EGifSetGifVersion(file, true)
        try check(EGifPutScreenDesc(file, CInt(width), CInt(height), 8, 0, map))
        // Netscape's extension: repeat for ever.
        try check(EGifPutExtensionLeader(file, CInt(APPLICATION_EXT_FUNC_CODE)))
        try check(EGifPutExtensionBlock(file, 11, "NETSCAPE2.0"))
        try check(EGifPutExtensionBlock(file, 3, [1, 0, 0] as [UInt8]))
        try check(EGifPutExtensionTrailer(file))
    }

    func add(_ canvas: Canvas, until end: Int) throws {
        precondition(canvas.width == width && canvas.height == height, "pictures are of one size")
        let before = shown
        try canvas.withPixels { pixels in
            shown = [UInt8](unsafeUninitializedCapacity: pixels.count) { indices, count in
                var last = (rgb: UInt32.max, index: UInt8(0))
                for pixel in 0..<pixels.count {
                    let rgb = pixels[pixel]
                    if rgb != last.rgb { last = (rgb, palette.index(of: rgb)) }
                    indices[pixel] = last.index
                }
                count = pixels.count
            }
        }
        let centiseconds = (end + 5) / 10
        let area =
            before.isEmpty ? Area(left: 0, top: 0, right: width, bottom: height) : changed(from: before)
        try put(area, over: before, centiseconds: centiseconds - self.end)
        self.end = centiseconds
    }

    /// A rectangle of pixels; right and bottom are the first beyond it.
    private struct Area {
        var left: Int
        var top: Int
        var right: Int
        var bottom: Int
    }

    /// What is not as it was; if nothing is, one pixel, because a picture without any is not allowed.
    private func changed(from before: [UInt8]) -> Area {
        var area = Area(left: width, top: height, right: 0, bottom: 0)
        for row in 0..<height {
            let start = row * width
            guard let first = (0..<width).first(where: { shown[start + $0] != before[start + $0] }),
                let last = (0..<width).last(where: { shown[start + $0] != before[start + $0] })
            else { continue }
            area.left = min(area.left, first)
            area.right = max(area.right, last + 1)
            area.top = min(area.top, row)
            area.bottom = row + 1
        }
        return area.right == 0 ? Area(left: 0, top: 0, right: 1, bottom: 1) : area
    }

    private func put(_ area: Area, over before: [UInt8], centiseconds: Int) throws(RenderingError) {
        var control = GraphicsControlBlock(
            DisposalMode: DISPOSE_DO_NOT,
            UserInputFlag: false,
            DelayTime: CInt(min(centiseconds, 0xffff)),
            TransparentColor: CInt(before.isEmpty ? NO_TRANSPARENT_COLOR : CInt(Self.unchanged))
        )
        var extensionBytes = [UInt8](repeating: 0, count: 4)
        EGifGCBToExtension(&control, &extensionBytes)
        try check(EGifPutExtension(file, CInt(GRAPHICS_EXT_FUNC_CODE), 4, extensionBytes))
        let columns = area.right - area.left
        try check(
            EGifPutImageDesc(
                file,
                CInt(area.left),
                CInt(area.top),
                CInt(columns),
                CInt(area.bottom - area.top),
                false,
                nil
            )
        )
        for row in area.top..<area.bottom {
            let places = (row * width + area.left)..<(row * width + area.right)
            line.removeAll(keepingCapacity: true)
            if before.isEmpty {
                line += shown[places]
            } else {
                for place in places {
                    line.append(shown[place] == before[place] ? Self.unchanged : shown[place])
                }
            }
            try check(EGifPutLine(file, &line, CInt(columns)))
        }
    }

    func finish() throws -> [UInt8] {
        var code: CInt = 0
        // The file is freed, whether this works or not.
        let status = EGifCloseFile(file, &code)
        file = nil
        guard status == GIF_OK else { throw Self.failure(code) }
        return sink.bytes
    }

    private func check(_ status: CInt) throws(RenderingError) {
        guard status != GIF_OK else { return }
        throw Self.failure(file?.pointee.Error ?? 0)
    }

    private static func failure(_ code: CInt) -> RenderingError {
        RenderingError("giflib", GifErrorString(code).map { String(cString: $0) } ?? "error \(code)")
    }
}

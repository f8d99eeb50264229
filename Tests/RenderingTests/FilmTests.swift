import Drawing
import Testing

@testable import Rendering

@Suite struct FilmFormatTests {
    @Test(arguments: [("a.webp", FilmFormat.webp), ("a/b.GIF", .gif), ("a.b.png", .png), ("x y.WebP", .webp)])
    func `the extension says which`(path: String, format: FilmFormat) {
        #expect(FilmFormat(path: path) == format)
    }

    @Test(arguments: ["", "a", "webp", ".webp", "a.svg", "a.webp/", "a.webp.mp4", "folder.gif/file"])
    func `others are none`(path: String) {
        // A folder is told apart when the file is written.
        #expect(FilmFormat(path: path) == (path == "a.webp/" ? .webp : nil))
    }

    @Test func `people read what there is`() {
        #expect(FilmFormat.extensions == ".webp, .gif or .png")
    }
}

@Suite struct FilmTimingTests {
    @Test func `an episode of PushT is shown step by step at twice its speed`() {
        let timing = FilmTiming(stepCount: 300, rate: 10, mostPictures: 400)
        #expect(timing.steps == Array(0...300))
        #expect(timing.ends == Array(1...300).map { 50 * $0 } + [17_000])
    }

    @Test(arguments: [0, 1, 2, 7, 397, 398, 399, 400, 401, 5000, 1_000_000], [1.0, 10, 30, 50, 1000])
    func `however long, there are few pictures, at the same speed`(stepCount: Int, rate: Double) {
        let timing = FilmTiming(stepCount: stepCount, rate: rate, mostPictures: 400)
        #expect(timing.steps.count <= 400)
        #expect(timing.ends.count == timing.steps.count)
        #expect(timing.steps.first == 0 && timing.steps.last == stepCount)
        let shown = Double(stepCount) / rate / FilmTiming.speed * 1000
        #expect(abs(Double(timing.ends[timing.ends.count - 1]) - 2000 - shown) <= 1)
        let durations = zip(timing.ends, [0] + timing.ends).map { $0 - $1 }
        // The last stride may be short.
        #expect(durations.dropLast(2).allSatisfy { $0 >= 39 })
        #expect(durations.allSatisfy { $0 > 0 })
        #expect(durations.last == 2000)
    }
}

@Suite struct FilmWriterTests {
    private static let (width, height) = (60, 40)

    /// Pictures of a square that moves, then stands still for one, before a disc.
    private static func encode(_ film: some FilmWriter) throws -> [UInt8] {
        let canvas = try Canvas(width: width, height: height)
        for (index, end) in [40, 80, 133, 183, 2183].enumerated() {
            draw(canvas, index)
            try film.add(canvas, until: end)
        }
        return try film.finish()
    }

    private static func draw(_ canvas: Canvas, _ index: Int) {
        canvas.fill(Color(0xff_ffff))
        canvas.disc(SIMD2(45, 20), radius: 8, Color(0x12_3456))
        canvas.rectangle(SIMD2(2 + 4 * Double(min(index, 3)), 10), size: SIMD2(6, 6), Color(0xaa_0000))
    }

    private static func palette() throws -> GIFPalette {
        let canvas = try Canvas(width: width, height: height)
        draw(canvas, 0)
        var histogram = ColorHistogram()
        try canvas.withPixels { histogram.add($0) }
        return GIFPalette(of: histogram)
    }

    @Test func `a GIF has its pictures, times and repeats`() throws {
        let film = try GIFFilm(width: Self.width, height: Self.height, palette: Self.palette())
        let bytes = try Self.encode(film)
        let head = try FilmHead(gif: bytes)
        #expect((head.width, head.height, head.repeats) == (60, 40, 0))
        // Hundredths of a second, whose sum is not off by more than half of one.
        #expect(head.durations == [40, 40, 50, 50, 2000])
        // The whole, then what moved, then one pixel when nothing did.
        #expect(head.areas == [60 * 40, 10 * 6, 10 * 6, 10 * 6, 1])
    }

    @Test(arguments: [false, true])
    func `a WebP has its pictures, times and repeats`(isMixed: Bool) throws {
        let film = try WebPFilm(width: Self.width, height: Self.height, isMixed: isMixed)
        let head = try FilmHead(webp: Self.encode(film))
        #expect((head.width, head.height, head.repeats) == (60, 40, 0))
        // A picture that is as the one before only makes that one longer.
        #expect(head.durations == [40, 40, 53, 2050])
        #expect(head.areas[0] == 60 * 40)
        #expect(head.areas.dropFirst().allSatisfy { $0 < 200 })
    }

    @Test func `the same pictures give the same bytes`() throws {
        let gifs = try (0..<2).map { _ in
            try Self.encode(GIFFilm(width: Self.width, height: Self.height, palette: Self.palette()))
        }
        #expect(gifs[0] == gifs[1])
        let webps = try (0..<2).map { _ in
            try Self.encode(WebPFilm(width: Self.width, height: Self.height, isMixed: false))
        }
        #expect(webps[0] == webps[1])
    }

    @Test func `a film that is given up leaves nothing behind`() throws {
        for _ in 0..<10 {
            let canvas = try Canvas(width: Self.width, height: Self.height)
            let films: [any FilmWriter] = [
                try GIFFilm(width: Self.width, height: Self.height, palette: Self.palette()),
                try WebPFilm(width: Self.width, height: Self.height, isMixed: false),
            ]
            for film in films { try film.add(canvas, until: 40) }
        }
    }
}

@Suite struct GIFPaletteTests {
    private static func histogram(_ colors: [UInt32]) -> ColorHistogram {
        var histogram = ColorHistogram()
        histogram.add(colors.span)
        return histogram
    }

    private static func distance(_ a: UInt32, _ b: UInt32) -> Int {
        [16, 8, 0].reduce(0) { sum, shift in
            let apart = Int(a >> UInt32(shift) & 0xff) - Int(b >> UInt32(shift) & 0xff)
            return sum + apart * apart
        }
    }

    @Test func `few colours are all there`() {
        let colors = (0..<255).map { (index: UInt32) in index * 65_793 ^ 0x12_3456 }
        var palette = GIFPalette(of: Self.histogram(colors + [colors[3], colors[3]]))
        #expect(Set(palette.colors) == Set(colors))
        for color in colors { #expect(palette.colors[Int(palette.index(of: color))] == color) }
    }

    @Test func `a hundred thousand colours have near ones, and large areas keep theirs`() {
        let areas: [UInt32] = [0xff_ffff, 0x7d_93ab, 0xe9_f2e9, 0xc4_694b]
        var colors = areas.flatMap { Array(repeating: $0, count: 50_000) }
        // A Weyl sequence: every corner of the cube, one time each.
        let noise = (1...100_000).map { UInt32(truncatingIfNeeded: $0 &* 10_368_889) & 0xff_ffff }
        colors += noise
        var palette = GIFPalette(of: Self.histogram(colors))
        #expect(palette.colors.count == GIFPalette.mostColors)
        for color in areas { #expect(palette.colors[Int(palette.index(of: color))] == color) }
        var sum = 0
        for color in noise {
            let found = palette.colors[Int(palette.index(of: color))]
            sum += Self.distance(color, found)
        }
        // 255 cubes that share the space evenly have sides of 40, and a mean squared error of 3 x 40^2 / 12.
        #expect(Double(sum) / Double(noise.count) < 1.3 * 400)
        for color in noise.prefix(200) {
            let nearest = palette.colors.map { Self.distance(color, $0) }.min()
            #expect(Self.distance(color, palette.colors[Int(palette.index(of: color))]) == nearest)
        }
    }
}

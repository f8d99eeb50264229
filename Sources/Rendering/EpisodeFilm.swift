import Pictures

/// Episodes as a file that shows them: a film, or a picture of their end.
///
/// Pictures are drawn and compressed one after the other, so that memory does not grow with the episode's length but for the
/// compressed file.
package struct EpisodeFilm {
    private let page: any FilmPage

    /// Episodes that a grid shows at most.
    package static let mostInGrid = 16

    /// Pictures that a film has at most, so that its file stays small; half as many if each takes much room.
    private static let mostPictures = 400

    private static let note = "shown at \(fixed(FilmTiming.speed, 0))x speed"

    /// Pictures whose colours a GIF's palette is made of, evenly spread over the film.
    private static let picturesForPalette = 24

    /// One episode: the table, the camera's frames if there are any, coverage and latencies.
    ///
    /// - Throws: `PictureError` if there is no memory.
    package init(_ episode: RenderedEpisode) throws {
        page = try EpisodePage(episode)
    }

    /// Episodes side by side: tables and coverage. All begin at the same moment.
    ///
    /// - Parameter episodes: 1...``mostInGrid``.
    package init(grid episodes: [RenderedEpisode]) {
        precondition((1...Self.mostInGrid).contains(episodes.count), "a grid has 1 to 16 episodes")
        page = GridPage(episodes)
    }

    /// The whole file.
    ///
    /// - Parameter progress: is told how many of a film's pictures are in it, and of how many.
    /// - Throws: `RenderingError` or `PictureError` if it cannot be drawn or encoded.
    package func encoded(
        as format: FilmFormat,
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> [UInt8] {
        let canvas = try Canvas(width: page.width, height: page.height)
        switch format {
        case .png:
            try page.draw(on: canvas, step: page.lastStep, note: "")
            return try png(canvas)
        case .webp:
            let film = try WebPFilm(width: page.width, height: page.height, isMixed: page.hasPhotographs)
            return try encoded(by: film, timing(isLarge: page.isGrid), on: canvas, progress)
        case .gif:
            let timing = timing(isLarge: page.isGrid || page.hasPhotographs)
            let palette = try palette(of: timing.steps, canvas)
            let film = try GIFFilm(width: page.width, height: page.height, palette: palette)
            return try encoded(by: film, timing, on: canvas, progress)
        }
    }

    /// - Parameter isLarge: whether each picture takes much room.
    private func timing(isLarge: Bool) -> FilmTiming {
        FilmTiming(
            stepCount: page.lastStep,
            rate: page.rate,
            mostPictures: Self.mostPictures / (isLarge ? 2 : 1)
        )
    }

    private func encoded(
        by film: some FilmWriter,
        _ timing: FilmTiming,
        on canvas: Canvas,
        _ progress: (_ done: Int, _ total: Int) -> Void
    ) throws -> [UInt8] {
        for (index, (step, end)) in zip(timing.steps, timing.ends).enumerated() {
            try page.draw(on: canvas, step: step, note: Self.note)
            try film.add(canvas, until: end)
            progress(index + 1, timing.steps.count)
        }
        return try film.finish()
    }

    private func palette(of steps: [Int], _ canvas: Canvas) throws -> GIFPalette {
        var histogram = ColorHistogram()
        let stride = max(1, steps.count / Self.picturesForPalette)
        for index in Swift.stride(from: steps.count - 1, through: 0, by: -stride) {
            try page.draw(on: canvas, step: steps[index], note: Self.note)
            try canvas.withPixels { histogram.add($0) }
        }
        return GIFPalette(of: histogram)
    }

    private func png(_ canvas: Canvas) throws -> [UInt8] {
        var pixels = [UInt8]()
        pixels.reserveCapacity(3 * canvas.width * canvas.height)
        try canvas.withPixels { colors in
            for index in 0..<colors.count {
                let rgb = colors[index]
                pixels.append(UInt8(truncatingIfNeeded: rgb >> 16))
                pixels.append(UInt8(truncatingIfNeeded: rgb >> 8))
                pixels.append(UInt8(truncatingIfNeeded: rgb))
            }
        }
        var encoder = try PictureEncoder()
        return try encoder.png(pixels.span, height: canvas.height, width: canvas.width, level: 9)
    }
}

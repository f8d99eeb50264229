import Foundation
import PushT
import Rendering

/// The file that `sim --render` writes: the first episode, or several side by side.
struct RenderedFile {
    private let path: String
    private let format: FilmFormat
    /// How many episodes are shown side by side; nil: the first one is shown alone.
    private let gridCount: Int?
    private var episodes: [RenderedEpisode] = []
    private var isWritten = false

    /// Checks, before the work, that the file can be written.
    ///
    /// - Parameters:
    ///   - path: a name whose extension is a format's.
    ///   - gridCount: how many episodes to show side by side; nil: the first one alone.
    /// - Throws: `Failure` that names the path.
    init(_ path: String, shows gridCount: Int?) throws {
        guard let format = FilmFormat(path: path) else {
            throw Failure.input("\(path): expected a name that ends with \(FilmFormat.extensions)")
        }
        try DrawingFile.check(path)
        (self.path, self.format, self.gridCount) = (path, format, gridCount)
    }

    /// Whether the next episode's results should have what the camera sent.
    var wantsFrames: Bool { gridCount == nil && !isWritten }

    /// Adds an episode, and writes the file once it has all that it shows.
    ///
    /// - Parameter budget: the latency that the daemon keeps, in milliseconds; nil: it has no budget.
    /// - Throws: `Failure` that names the path.
    mutating func add(_ result: EpisodeResult, budget: Double?) throws {
        guard !isWritten else { return }
        episodes.append(
            RenderedEpisode(
                result.recording,
                arrivals: result.chunks.map {
                    RenderedEpisode.Arrival($0.chunk, step: $0.step, isCarriedOut: $0.isCarriedOut)
                },
                budget: budget,
                frames: result.frames
            )
        )
        guard episodes.count == gridCount ?? 1 else { return }
        let bytes = try Failure.asRun(path: path) {
            let film = try gridCount == nil ? EpisodeFilm(episodes[0]) : EpisodeFilm(grid: episodes)
            let bar = ProgressBar("drawing")
            return try film.encoded(as: format) { bar.advance(to: $0, of: $1) }
        }
        try DrawingFile.write(Data(bytes), to: path)
        isWritten = true
        episodes = []
    }
}

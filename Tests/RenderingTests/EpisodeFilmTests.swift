import Drawing
import Pictures
import PushT
import Robotics
import Testing

@testable import Rendering

/// Where things are on the page of one episode.
private enum Place {
    static let margin = 16
    static let tableTop = 40
    static let side = 384.0

    /// A place on the table as a pixel: the walls' outer edges, from 3 to 508, fill the table's side.
    static func pixel(_ place: SIMD2<Double>) -> (x: Int, y: Int) {
        let within = (place - 3) * side / (508 - 3)
        return (margin + Int(within.x.rounded(.down)), tableTop + Int(within.y.rounded(.down)))
    }
}

extension Pixels {
    fileprivate subscript(table place: SIMD2<Double>) -> UInt32 {
        let pixel = Place.pixel(place)
        return self[pixel.x, pixel.y]
    }
}

@Suite struct EpisodePageTests {
    private static let paper = EpisodeStyle.paper.rgb
    private static let agent = EpisodeStyle.agent.rgb
    private static let bar = EpisodeStyle.block.fill.rgb

    private static func end(_ episode: RenderedEpisode) throws -> Pixels {
        try Pixels(png: EpisodeFilm(episode).encoded(as: .png))
    }

    private static func page(_ episode: RenderedEpisode, step: Int) throws -> Pixels {
        let page = try EpisodePage(episode)
        let canvas = try Canvas(width: page.width, height: page.height)
        try page.draw(on: canvas, step: step)
        return try Pixels(canvas)
    }

    @Test func `goal, block and agent are where the simulator has them`() throws {
        let recording = try quietEpisode(steps: 20)
        let pixels = try Self.end(RenderedEpisode(recording))
        #expect(pixels.width == 416)
        // In the middle of the goal's bar; the block is elsewhere.
        let goal = recording.scenario.goal
        #expect(pixels[table: goal.position + SIMD2(-10, 10)] == EpisodeStyle.goal.fill.rgb)
        let last = recording.frames[20]
        #expect(pixels[table: last.blockPosition + SIMD2(40, 15)] == EpisodeStyle.block.fill.rgb)
        #expect(pixels[table: last.blockPosition + SIMD2(0, 80)] == EpisodeStyle.block.fill.rgb)
        #expect(pixels[table: last.agentPosition] == Self.agent)
        #expect(pixels[table: SIMD2(450, 450)] == Self.paper)
        // The path from where the agent began, faintly.
        let start = pixels[table: SIMD2(recording.frames[0].agentPosition.x + 2, 60)]
        #expect(start != Self.paper && start != Self.agent)
        // A title, and its time.
        #expect(pixels.darkest(x: 16..<120, y: 16..<32) < 400)
        #expect(pixels.darkest(x: 300..<400, y: 16..<32) < 400)
    }

    @Test func `the plan begins at the step that is shown, fades, and stays on the table`() throws {
        let recording = try quietEpisode(steps: 20)
        let places: [SIMD2<Float>] = [SIMD2(300, 400), SIMD2(340, 400), SIMD2(380, 400), SIMD2(420, 400)]
        let episode = RenderedEpisode(
            recording,
            arrivals: [
                .init(
                    chunk(places, beyond: [SIMD2(9999, 450)], firstStep: 8, milliseconds: 5),
                    step: 9,
                    isCarriedOut: true
                ),
                .init(chunk([SIMD2(50, 400)], firstStep: 10, milliseconds: 5), step: 11, isCarriedOut: false),
                // Nobody carries it out, but a daemon may send what it likes.
                .init(
                    chunk([SIMD2(1, 2), SIMD2(3, 4)], firstStep: .max, milliseconds: 5, actionDim: 4),
                    step: 19,
                    isCarriedOut: true
                ),
            ]
        )
        #expect(episode.plan(at: 8) == [])
        #expect(episode.plan(at: 9) == [SIMD2(340, 400), SIMD2(380, 400), SIMD2(420, 400), SIMD2(512, 450)])
        #expect(episode.plan(at: 11) == [SIMD2(420, 400), SIMD2(512, 450)])
        #expect(episode.plan(at: 12) == [SIMD2(512, 450)])
        #expect(episode.plan(at: 13) == [])
        #expect(episode.plan(at: 19) == [])

        let before = try Self.page(episode, step: 8)
        let shown = try Self.page(episode, step: 9)
        #expect(before[table: SIMD2(340, 400)] == Self.paper)
        #expect(shown[table: SIMD2(300, 400)] == Self.paper)
        let dots = [340.0, 380, 420].map { shown[table: SIMD2($0, 400)] & 0xff }
        #expect(dots[0] < 0x60)
        #expect(dots == dots.sorted() && Set(dots).count == 3)
        #expect(shown[table: SIMD2(50, 400)] == Self.paper)
    }

    @Test func `latencies stand against the budget, as far as they are known`() throws {
        let recording = try quietEpisode(steps: 20)
        let episode = RenderedEpisode(
            recording,
            arrivals: [(0, 10.0), (8, 40), (16, 20)].map { step, milliseconds in
                .init(
                    chunk([SIMD2(60, 60)], firstStep: UInt64(step), milliseconds: milliseconds),
                    step: step,
                    isCarriedOut: true
                )
            },
            budget: 20
        )
        let end = try Self.end(episode)
        // Below the second heading; bars are 6 wide, and the largest latency fills the chart but for a pixel.
        let top = 40 + 384 + 20 + 20 + 52 + 14 + 20
        let axis = 16..<400
        func bars(_ pixels: Pixels, y: Int, _ color: UInt32) -> Int {
            pixels.count(color, x: axis, y: top + y..<top + y + 1)
        }
        #expect(bars(end, y: 5, Self.agent) == 6, "the one that is late")
        #expect(bars(end, y: 5, Self.bar) == 0)
        #expect(bars(end, y: 30, Self.bar) >= 5, "the one that just keeps the budget")
        #expect(bars(end, y: 45, Self.bar) >= 10, "and the quick one")
        // The budget is a line from side to side.
        let dashes = axis.count { x in (24...28).contains { end[x, top + $0] != Self.paper } }
        #expect(dashes > 190)

        let early = try Self.page(episode, step: 3)
        #expect(bars(early, y: 5, Self.agent) == 0)
        #expect(bars(early, y: 45, Self.bar) >= 5)
        let without = try Self.end(RenderedEpisode(recording, arrivals: episode.arrivals))
        #expect(bars(without, y: 5, Self.bar) == 6, "no budget, none late")
        #expect((24...28).allSatisfy { without[300, top + $0] == Self.paper })
    }

    @Test func `an episode without steps or chunks is shown`() throws {
        let recording = EpisodeRecording(of: PushTSimulation(), seed: nil)
        let film = try EpisodeFilm(RenderedEpisode(recording))
        let gif = try FilmHead(gif: film.encoded(as: .gif))
        #expect((gif.width, gif.durations) == (416, [2000]))
        // libwebp makes a still picture of a film that has one.
        let webp = try film.encoded(as: .webp)
        #expect(Array(webp[8..<16]) == Array("WEBPVP8L".utf8))
        _ = try Self.end(RenderedEpisode(recording, frames: []))
    }
}

@Suite struct CameraPanelTests {
    private static let (red, green): ([UInt8], [UInt8]) = ([200, 10, 10], [10, 200, 10])

    private static func frame(_ color: [UInt8]) -> CameraFrame {
        CameraFrame(
            height: 96,
            width: 96,
            pixels: (0..<96 * 96).flatMap { $0 < 48 * 96 ? color : [0, 0, 0] }
        )
    }

    private static func compressed(_ color: [UInt8]) throws -> CameraFrame {
        var encoder = try PictureEncoder()
        guard case .pixels(let pixels, let height, let width) = frame(color).content else {
            return frame(color)
        }
        return CameraFrame(
            .picture(try encoder.jpeg(pixels.span, height: height, width: width, quality: 90), format: .jpeg)
        )
    }

    @Test func `the camera's frames are shown as they came`() throws {
        let recording = try quietEpisode(steps: 5)
        let frames = [nil, Self.frame(Self.red), nil, nil, try Self.compressed(Self.green)]
        let page = try EpisodePage(RenderedEpisode(recording, frames: frames))
        #expect(page.width == 16 + 384 + 16 + 384 + 16)
        let canvas = try Canvas(width: page.width, height: page.height)
        func pixels(_ step: Int) throws -> Pixels {
            try page.draw(on: canvas, step: step)
            return try Pixels(canvas)
        }
        // In the upper half of the frame and in the lower.
        let (x, upper, lower) = (416 + 190, 40 + 100, 40 + 300)
        #expect(try pixels(0)[x, upper] == EpisodeStyle.faint.rgb)
        for step in 1...3 {
            #expect(try pixels(step)[x, upper] == 0xc8_0a0a)
            #expect(try pixels(step)[x, lower] == 0)
        }
        // After the last step nothing is looked at.
        for step in 4...5 {
            let found = try pixels(step)[x, upper]
            #expect(abs(Int(found >> 8 & 0xff) - 200) < 6 && found >> 16 < 20)
        }
        // The caption of a frame that is lost is longer.
        func captionEnd(_ step: Int) throws -> Int {
            let found = try pixels(step)
            return (416..<800).last { found.darkest(x: $0..<$0 + 1, y: 426..<446) < 600 } ?? 0
        }
        #expect(try captionEnd(2) > captionEnd(1) + 60)
    }

    @Test func `noise makes no large file`() throws {
        let recording = try quietEpisode(steps: 40)
        var state: UInt32 = 1
        let frames: [CameraFrame?] = (0..<40).map { _ in
            CameraFrame(
                height: 96,
                width: 96,
                pixels: (0..<96 * 96 * 3).map { _ in
                    state = state &* 1_664_525 &+ 1_013_904_223
                    return UInt8(state >> 24)
                }
            )
        }
        let film = try EpisodeFilm(RenderedEpisode(recording, frames: frames))
        for format in FilmFormat.allCases {
            let bytes = try film.encoded(as: format)
            #expect(bytes.count < 41 * 120_000, "\(format)")
        }
    }
}

@Suite struct GridPageTests {
    @Test(arguments: [(1, 352, 1), (2, 692, 2), (4, 692, 2), (5, 888, 3), (16, 924, 4)])
    func `episodes stand side by side`(count: Int, width: Int, columns: Int) throws {
        let steps = 12
        let episodes = try (0..<count).map {
            RenderedEpisode(try quietEpisode(steps: $0 == 0 ? 3 : steps, seed: UInt64($0)))
        }
        let page = GridPage(episodes)
        #expect((page.width, page.lastStep) == (width, count == 1 ? 3 : steps))
        let pixels = try Pixels(png: EpisodeFilm(grid: episodes).encoded(as: .png))
        #expect((pixels.width, pixels.height) == (page.width, page.height))
        let side = (width - 32 + 20) / columns - 20
        for (index, episode) in episodes.enumerated() {
            let left = 16 + index % columns * (side + 20)
            let top = 16 + 20 + index / columns * (side + 20 + 8 + 28 + 20)
            let corner = SIMD2(Double(left), Double(top))
            let frame = try #require(episode.recording.frames.last)
            let place = corner + (frame.agentPosition - 3) * Double(side) / 505
            #expect(pixels[Int(place.x), Int(place.y)] == EpisodeStyle.agent.rgb, "\(index)")
        }
        let gif = try FilmHead(gif: EpisodeFilm(grid: episodes).encoded(as: .gif))
        #expect(gif.durations.count == page.lastStep + 1)
    }
}

import Foundation
import PolicyFixtures
import Testing

extension EndToEndToSee {
    /// `sim --render`. What it writes is opened with Pillow, if DENOISED_TEST_PYTHON names an interpreter that has it, as
    /// `make test` sees to.
    @Suite struct RenderTests {
        /// What Tests/Oracles/films.py finds in a file.
        private struct Film: Decodable {
            let format: String
            let size: [Int]
            let pictures: Int
            let milliseconds: [Int]
            let repeats: Int?
            let changes: Int
            let darkest: Int
            let colours: Int
            let deviation: Int
        }

        private static let pictureSize = [416, 638]
        /// Left, top, right and bottom of the table of one episode.
        private static let table = [16, 40, 400, 424]
        private static let title = [16, 16, 200, 34]

        private static func opened(_ files: [String], crop: [Int] = table) async throws -> [Film] {
            let python = try #require(ExampleRobot.pythonPath)
            let ended = try await RunningProgram(
                [SourceTree.path("Tests/Oracles/films.py"), "--crop"] + crop.map(String.init) + files,
                executable: URL(filePath: python)
            ).end()
            try #require(ended.exitCode == 0, "\(ended)")
            return try SourceTree.decode([Film].self, from: Data(ended.output.utf8))
        }

        private static func size(of path: String) throws -> Int {
            try Data(contentsOf: URL(filePath: path)).count
        }

        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func `Pillow opens each format, and sees the same`() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            let files = ["end.png", "film.webp", "film.GIF"].map(folder.path)
            for file in files {
                let ended = try await succeed([
                    "sim", "--policy", policy.path, "--window", "1", "--seed", "3", "--render", file,
                    "--json",
                ])
                try EndToEnd.EpisodeTests.check(ended.json(), seeds: 3...3, evaluations: 5)
                #expect(ended.error == "")
            }
            let films = try await Self.opened(files)
            #expect(films.map(\.format) == ["PNG", "WEBP", "GIF"])
            for film in films {
                #expect(film.size == Self.pictureSize)
                #expect(film.darkest < 100)
            }
            #expect(films[0].pictures == 1)
            for film in films[1...] {
                // 300 control steps at 20 a second, and two seconds at the end.
                #expect(film.milliseconds.reduce(0, +) == 17_000)
                #expect(film.repeats == 0)
                #expect(film.changes > 250)
            }
            #expect(films[2].pictures == 301)
            #expect(films[2].milliseconds == Array(repeating: 50, count: 300) + [2000])
            #expect(films[1].deviation <= 3, "WebP is nearly lossless")
            #expect(films[2].deviation <= 16, "GIF has 255 colours")
            // This policy's plans are all over the table; those of a trained one take a third.
            for file in files { #expect(try Self.size(of: file) < 4_000_000) }
        }

        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func `a grid shows the first sixteen, one file the first`() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            let sim = ["sim", "--policy", policy.path, "--steps", "1", "--json"]
            let grid = folder.path("grid.png")
            let many = try await succeed(sim + ["--episodes", "18", "--render", grid, "--render-grid"])
            #expect(try many.json()["episodes"] as? Int == 18)
            #expect(try await Self.opened([grid])[0].size == [924, 4 * (208 + 56 + 20) - 20 + 32 + 32])

            let (first, alone) = (folder.path("first.png"), folder.path("alone.png"))
            _ = try await succeed(sim + ["--episodes", "2", "--render", first])
            _ = try await succeed(sim + ["--episodes", "1", "--render", alone])
            let both = try await Self.opened([first, alone])
            #expect(both[1].deviation == 0)

            let two = folder.path("two.gif")
            _ = try await succeed(sim + ["--episodes", "2", "--render", two, "--render-grid"])
            let film = try await Self.opened([two])[0]
            #expect(film.size == [692, 320 + 56 + 32 + 32])
            #expect(film.pictures == 151)
        }

        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func `what a poor camera sees is shown, with a daemon elsewhere and a budget`() async throws {
            let fixture = try ImageFixture("one-camera")
            let folder = try TemporaryFolder()
            let daemon = try await RunningDaemon(
                policy: fixture.copy.directory.path(percentEncoded: false),
                "--threads",
                "1",
                "--budget-ms",
                "1000"
            )
            let file = folder.path("film.gif")
            _ = try await succeed([
                "sim", "--connect", daemon.endpoints.requests, "--seed", "11", "--jpeg", "80", "--disturb",
                SourceTree.path("sim/disturbances/poor-camera.json"), "--render", file, "--json",
            ])
            _ = try await daemon.stop()
            let camera = [416, 40, 800, 424]
            let film = try await Self.opened([file], crop: camera)[0]
            #expect(film.size == [816, Self.pictureSize[1] + 16])
            #expect(film.pictures == 151)
            // Noise and JPEG have many colours; a drawing of the table would have a few.
            #expect(film.colours > 60)
            #expect(try Self.size(of: file) < 20_000_000)
        }

        @Test func `the world goes on in real time while chunks are kept for the film`() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            let film = folder.path("film.webp")
            let ended = try await RunningProgram([
                "sim", "--policy", policy.path, "--realtime", "--steps", "1", "--render", film, "--json",
            ]).end()
            #expect(ended.exitCode == 0, "\(ended)")
            let bytes = try Data(contentsOf: folder.file("film.webp"))
            #expect(bytes.prefix(4) == Data("RIFF".utf8) && bytes[8..<12] == Data("WEBP".utf8))
            // Nothing else was left in the folder on the way.
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("")) == ["film.webp"])
        }

        /// A container may have neither a font nor a place for fontconfig's cache.
        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func `there is text without a font`() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            let settings = """
                <?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
                <fontconfig><dir>\(folder.path("none"))</dir></fontconfig>
                """
            try Data(settings.utf8).write(to: folder.file("fonts.conf"))
            let files = ["with.png", "without.png", "broken.png"].map(folder.path)
            let environments = [
                [:],
                ["FONTCONFIG_FILE": folder.path("fonts.conf"), "HOME": "/nonexistent"],
                ["FONTCONFIG_FILE": "/dev/null", "HOME": "/nonexistent"],
            ]
            for (file, environment) in zip(files, environments) {
                let ended = try await RunningProgram(
                    [
                        "sim", "--policy", policy.path, "--steps", "1", "--seed", "3", "--render", file,
                        "--json",
                    ],
                    environment: environment
                ).end()
                #expect(ended.exitCode == 0, "\(ended)")
            }
            let titles = try await Self.opened(files, crop: Self.title)
            for title in titles { #expect(title.darkest < 180) }
            #expect(titles[1].deviation > 0, "another font")
        }

        private func refuse(_ arguments: [String], code: Int32 = 2, names parts: String...) async throws {
            let ended = try await RunningProgram(arguments).end()
            #expect(ended.exitCode == code, "\(ended)")
            #expect(ended.output == "")
            for part in parts { #expect(ended.error.contains(part), "no \"\(part)\" in \(ended.error)") }
        }

        @Test func `what cannot be written is refused before any work`() async throws {
            let folder = try TemporaryFolder()
            // There is no such policy, which would be the next error.
            let sim = ["sim", "--policy", folder.path("no policy")]
            let extensions = "expected a name that ends with .webp, .gif or .png; SVG is for --draw"
            for name in ["film.mp4", "film", "film.svg", ".webp"] {
                try await refuse(sim + ["--render", name], names: "--render is \(name), \(extensions)")
            }
            try await refuse(
                sim + ["--render", folder.path("none/film.webp")],
                code: 1,
                names: folder.path("none/film.webp"),
                "cannot be written"
            )
            try FileManager.default.createDirectory(
                at: folder.file("folder.gif"),
                withIntermediateDirectories: true
            )
            try await refuse(
                sim + ["--render", folder.path("folder.gif")],
                code: 1,
                names: "folder.gif: cannot be written; it is a folder"
            )
            try await refuse(sim + ["--render-grid"], names: "--render-grid is for --render, expected both")
            for option in [["--render", "film.gif"], ["--render-grid", "--render", "film.gif"]] {
                try await refuse(
                    ["sim", "--print-reset", "1"] + option,
                    names: "--render is for episodes, expected none beside --replay and --print-reset"
                )
            }
        }
    }
}

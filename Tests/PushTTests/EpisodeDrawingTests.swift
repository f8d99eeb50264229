import Foundation
import FoundationXML
import PushT
import Testing

/// A recorded episode of the longest length, with a block that is pushed about and turned through a full
/// turn.
private func longEpisode(seed: UInt64 = 3) throws -> (recording: EpisodeRecording, rewards: [Double]) {
    let simulation = PushTSimulation()
    simulation.reset(seed: seed)
    var recording = EpisodeRecording(of: simulation, seed: seed)
    var rewards: [Double] = []
    for step in 0..<simulation.scenario.episode.maxSteps {
        let around = SIMD2(cos(Double(step) / 4), sin(Double(step) / 4)) * 50
        let target = simulation.scenario.world.clamp(simulation.observation.blockPosition + around)
        let outcome = try simulation.step(target)
        recording.append(outcome)
        rewards.append(outcome.reward)
    }
    return (recording, rewards)
}

@Suite struct EpisodeRecordingTests {
    @Test func scoreIsTheLargestReward() throws {
        let (recording, rewards) = try longEpisode()
        #expect(recording.stepCount == 300)
        #expect(recording.score == rewards.max())
        #expect(recording.score > 0)
        #expect(recording.isSuccess == (recording.maxCoverage > 0.95))
    }

    /// A block that starts on its goal has not been pushed there.
    @Test func startDoesNotCount() throws {
        let simulation = PushTSimulation()
        // Turning by the goal's angle about the centre of gravity, 45 pixels from the origin, brings it to
        // (256, 256).
        let turn = Double.pi / 4
        let start = SIMD2(256, 256) - 45 * SIMD2(sin(turn), 1 - cos(turn))
        try simulation.reset(to: [60, 60, start.x, start.y, turn])
        var recording = EpisodeRecording(of: simulation, seed: nil)
        #expect(abs(recording.frames[0].coverage - 1) < 1e-9)
        #expect(recording.maxCoverage == 0)
        #expect(!recording.isSuccess)
        recording.append(try simulation.step(SIMD2(60, 60)))
        #expect(recording.score == 1)
        #expect(recording.isSuccess)
    }
}

@Suite struct EpisodeDrawingTests {
    /// Every element's attributes, in document order; nil where the text is not well-formed XML.
    final class Elements: NSObject, XMLParserDelegate {
        private(set) var all: [(name: String, attributes: [String: String])] = []
        private(set) var text = ""

        init?(_ svg: String) {
            super.init()
            let parser = XMLParser(data: Data(svg.utf8))
            parser.delegate = self
            guard parser.parse() else { return nil }
        }

        func parser(
            _ parser: XMLParser,
            didStartElement name: String,
            namespaceURI: String?,
            qualifiedName: String?,
            attributes: [String: String]
        ) {
            all.append((name, attributes))
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) {
            text += string
        }
    }

    @Test func isSmallSelfContainedAndWellFormed() throws {
        let recording = try longEpisode().recording
        let svg = EpisodeDrawing(recording).animation()
        let elements = try #require(Elements(svg))
        #expect(svg.utf8.count < 100_000)
        #expect(
            elements.all.compactMap { $0.attributes["href"] }.allSatisfy {
                ["#block", "#table"].contains($0)
            }
        )
        #expect(!elements.all.contains { ["script", "image", "style"].contains($0.name) })
        #expect(elements.text.contains("seed 3: coverage 0."))
        #expect(EpisodeDrawing(recording).animation() == svg)
    }

    @Test func episodeWithoutStepsCanBeDrawn() throws {
        let recording = EpisodeRecording(of: PushTSimulation(), seed: nil)
        let svg = EpisodeDrawing(recording).animation()
        #expect(Elements(svg) != nil)
        #expect(!svg.contains("nan"))
        #expect(svg.contains("a given start"))
    }

    @Test func nameIsEscaped() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../sim/pusht.json"
        )
        let json = try String(contentsOf: folder, encoding: .utf8).replacing(
            "\"pusht\"",
            with: #""a<b>&\"c\"""#
        )
        let scenario = try Scenario(json: Data(json.utf8), source: "edited")
        let recording = EpisodeRecording(of: PushTSimulation(scenario: scenario), seed: 1)
        let svg = EpisodeDrawing(recording).animation()
        #expect(try #require(Elements(svg)).text.contains(#"a<b>&"c", seed 1"#))
    }

    @Test func animationHasEveryFrameAndTurnsTheShortWay() throws {
        let recording = try longEpisode().recording
        let elements = try #require(Elements(EpisodeDrawing(recording).animation(speed: 4)))
        let animations = elements.all.filter { $0.name.hasPrefix("animate") }
        // 301 frames at 40 a second, and two seconds more.
        #expect(animations.count == 5)
        #expect(animations.allSatisfy { $0.attributes["values"]?.split(separator: ";").count == 301 + 80 })
        #expect(animations.allSatisfy { $0.attributes["dur"] == "9.5s" })

        let turns = try #require(animations.first { $0.attributes["type"] == "rotate" }?.attributes["values"])
        let degrees = turns.split(separator: ";").compactMap { Double($0) }
        let raw = recording.frames.map { $0.blockAngle * 180 / .pi }
        #expect(
            zip(raw, raw.dropFirst()).contains { abs($0 - $1) > 180 },
            "the episode must pass a full turn"
        )
        #expect(zip(degrees, degrees.dropFirst()).allSatisfy { abs($0 - $1) < 180 })
    }
}

import Foundation
import FoundationXML
import Robotics
import Testing

@testable import Reporting

/// Results as files have them.
enum Samples {
    /// What `denoised sim --json` prints.
    ///
    /// - Parameters:
    ///   - scores: of the episodes, whose seeds follow one another.
    ///   - extra: members that replace others, or come on top; null: the member is left out.
    static func simulation(
        scores: [Double],
        firstSeed: UInt64 = 700_000,
        passes: Int = 25,
        extra: [String: Any] = [:]
    ) throws -> [UInt8] {
        let latency: [String: Any] = ["p50": 5.25, "p90": 6.5, "p99": 9.75, "max": 12.5]
        let stages = ["decode", "queue", "condition", "sample", "encode", "total"]
        let histogram: [String: Any] = ["first_bucket": 190, "counts": [3, 0, 9, 20, 4, 1]]
        var object: [String: Any] = [
            "version": "0.3.0", "policy": "pusht",
            "sampler": [
                "solver": "ddpm", "steps": 100, "method": "quasi-newton", "window": 6, "tolerance": 0.005,
                "kernel": "int8 on avx2",
            ],
            "episodes": scores.count,
            "mean_score": scores.reduce(0, +) / Double(max(scores.count, 1)),
            "mean_max_coverage": 0.9, "success_rate": 0.5,
            "chunks": 37, "chunk_latency_ms": latency, "iterations_mean": 22.5, "evaluations_mean": 130.25,
            "stage_latency_ms": Dictionary(uniqueKeysWithValues: stages.map { ($0, latency) }),
            "qualities": ["converged": 37],
            "latency_histograms": [
                "buckets_per_octave": 16,
                "stages": Dictionary(uniqueKeysWithValues: (stages + ["round_trip"]).map { ($0, histogram) }),
            ],
            "example_chunks": ["median": chunk(passes: passes), "slowest": chunk(passes: passes)],
            "per_episode": scores.enumerated().map { index, score in
                [
                    "seed": firstSeed + UInt64(index), "score": score, "max_coverage": score * 0.95,
                    "success": score == 1, "steps": 120 + index % 180,
                ] as [String: Any]
            },
        ]
        for (name, value) in extra { object[name] = value is NSNull ? nil : value }
        return Array(try JSONSerialization.data(withJSONObject: object))
    }

    private static func chunk(passes: Int) -> [String: Any] {
        let stages = [
            "decode": 12_000, "queue": 20_000, "condition": 210_000, "sample": 4_800_000, "encode": 30_000,
            "total": 5_072_000,
        ]
        return [
            "episode": "700004", "step": 16, "stages_ns": stages, "round_trip_ms": 5.4, "window": 6,
            "steps": 100,
            "iterations": passes, "evaluations": 6 * passes, "quality": "converged",
            "passes": [
                "first_step": (0..<passes).map { $0 * 4 }, "end_step": (0..<passes).map { $0 * 4 + 6 },
                "evaluations": [Int](repeating: 6, count: passes),
                "ns": [Int](repeating: 180_000, count: passes),
            ],
        ]
    }

    static func file(_ bytes: [UInt8], _ name: String = "run.json") throws -> (path: String, file: RunFile) {
        (name, try RunFile(json: bytes, file: name))
    }

    /// Scores that differ, some of them 1.
    static func scores(_ count: Int, _ salt: Int = 0) -> [Double] {
        (0..<count).map { index in
            let value = Double((index * 7919 + salt * 104_729) % 1000) / 1000
            return value > 0.4 ? 1 : 0.8 + value / 4
        }
    }

    static func page(_ files: [(path: String, file: RunFile)], title: String? = nil) -> String {
        Report(files, title: title, version: "9.9.9").html
    }
}

/// The elements of a page, and its text.
final class PageElements: NSObject, XMLParserDelegate {
    private(set) var names: [String] = []
    private(set) var attributes: [(element: String, name: String, value: String)] = []
    /// The text of each cell and other element that has some, without white space around it.
    private(set) var texts: [String] = []
    private(set) var ids: [String] = []

    /// Nil for what is not well-formed.
    init?(_ page: String) {
        super.init()
        let parser = XMLParser(data: Data(page.utf8))
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
        names.append(name)
        self.attributes += attributes.map { (name, $0.key, $0.value) }
        if let id = attributes["id"] { ids.append(id) }
        text = ""
    }

    private var text = ""

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(
        _ parser: XMLParser,
        didEndElement name: String,
        namespaceURI: String?,
        qualifiedName: String?
    ) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        if !trimmed.isEmpty { texts.append(trimmed) }
        text = ""
    }
}

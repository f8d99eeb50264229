import Foundation
import FoundationXML
import Harness

@testable import Reporting

/// The files that `denoised report` reads: a recording, or up to four JSON files with a zero byte between them. What is accepted
/// makes a page that is well-formed, runs nothing, and has no number that is none. Shards are joined without losing an episode.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    let isRecording = bytes.first == 0x89
    var files: [(path: String, file: RunFile)] = []
    for (index, part) in (isRecording ? [bytes] : parts(bytes, limit: 4)).enumerated() {
        let path = ScratchFolder.write(part, as: "run\(index)").path(percentEncoded: false)
        do throws(RunFileError) {
            let file = try RunFile(path)
            require(!file.runs.isEmpty || !file.deviations.isEmpty, "an accepted file without a result")
            files.append((path, file))
        } catch {
            requireOneLine(error)
        }
    }
    guard !files.isEmpty else { return 0 }
    do throws(RunFileError) {
        let join = try ShardJoin(files)
        for run in join.runs { check(run) }
        for warning in join.warnings {
            require(!warning.contains("\n") && warning.utf8.count < 16_384, "a warning of several lines")
        }
        check(Report(join.files, title: nil, version: "0").html)
    } catch {
        requireOneLine(error)
    }
    return 0
}

/// What a joined run counts is what its shards have, and its own file says the same.
private func check(_ run: Run) {
    guard let joining = run.joining else { fail("a joined run that does not say so") }
    require(
        run.episodes.count + joining.missingSeeds.count == joining.episodes,
        "\(run.episodes.count) episodes and \(joining.missingSeeds.count) missing ones of \(joining.episodes)"
    )
    require(Set(run.episodes.map(\.seed)).count == run.episodes.count, "a seed twice")
    do {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let again = try RunFile(json: Array(try encoder.encode(JoinedFile(run))), file: run.file)
        require(again.runs.first?.episodes == run.episodes, "other episodes")
        require(again.runs.first?.joining == run.joining, "joined in another way")
        require(again.runs.first?.latency == run.latency, "other times")
        require(again.runs.first?.histograms == run.histograms, "other histograms")
    } catch {
        fail("what was joined is refused: \(error)")
    }
}

private func check(_ page: String) {
    let check = PageCheck()
    let parser = XMLParser(data: Data(page.utf8))
    parser.delegate = check
    require(parser.parse(), "a page that is not well-formed")
    require(check.problem == nil, check.problem ?? "")
}

/// Looks at each element of a page.
private final class PageCheck: NSObject, XMLParserDelegate {
    private static let places: Set = [
        "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d", "points",
    ]
    private static let refused: Set = [
        "script", "link", "img", "iframe", "object", "embed", "base", "form", "foreignObject", "a",
    ]
    private(set) var problem: String?

    func parser(
        _ parser: XMLParser,
        didStartElement name: String,
        namespaceURI: String?,
        qualifiedName: String?,
        attributes: [String: String]
    ) {
        if Self.refused.contains(name) { problem = "the element \(name)" }
        for (attribute, value) in attributes {
            if attribute.hasPrefix("on") || attribute == "href" || attribute == "src" {
                problem = "the attribute \(attribute) of \(name)"
            }
            // `nan` and `inf` have one, and no path or percentage does.
            if Self.places.contains(attribute), value.contains("n") {
                problem = "\(attribute) of \(name) is \(value)"
            }
            if ["width", "height", "r"].contains(attribute), value.hasPrefix("-") {
                problem = "\(attribute) of \(name) is \(value)"
            }
        }
    }
}

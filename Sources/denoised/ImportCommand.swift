import ArgumentParser
import ForeignText
import Foundation
import Importing

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Turn a checkpoint of Diffusion Policy into a LeRobot policy folder.",
        discussion: """
            Reads a .ckpt that a workspace of real-stanford/diffusion_policy saved: DiffusionUnetLowdimPolicy, or \
            DiffusionUnetHybridImagePolicy with its cameras. Its pickle is read as data and nothing in it is run. \
            The folder is written whole or not at all; `denoised inspect` shows it. docs/POLICIES.md says what is \
            refused, and why.

            The numbers of an observation become observation.state. LeRobot itself also wants a camera or an \
            observation.environment_state: with --state 18-19, numbers 18 and 19 become observation.state and the \
            others observation.environment_state.
            """
    )

    @Argument(help: ArgumentHelp("The checkpoint.", valueName: "file"))
    var file: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The folder to write. It must not be there yet.", valueName: "dir")
    )
    var output: String

    /// Which weights, by the names people have for them.
    enum Weights: String, ExpressibleByArgument, CaseIterable {
        case ema, model
    }

    @Option(
        help: "ema: averaged weights; model: those of the last step. (default: ema, if the file has them)"
    )
    var weights: Weights?

    @Option(
        help: ArgumentHelp(
            "Which numbers of an observation become observation.state, counted from 0: 18-19, or 0,3-5.",
            valueName: "numbers"
        ),
        transform: Self.indices
    )
    var state: [Int]?

    @Flag(help: "Take actions whose rotations are six numbers. The robot's side converts them.")
    var rawRotations = false

    @Flag(help: "Print one JSON object.")
    var json = false

    /// The numbers of `18-19` or `0,3-5`.
    static func indices(_ text: String) throws -> [Int] {
        var indices: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
                part.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }), first <= last, last < 65_536
            else {
                throw ValidationError("\"\(printable(text, limit: 64))\" is no list such as 18-19 or 0,3-5")
            }
            indices += first...last
            guard indices.count <= 65_536 else { throw ValidationError("more than 65536 numbers") }
        }
        return indices
    }

    private struct Report: Encodable {
        struct Feature: Encodable {
            let name: String
            let shape: [Int]
            let source: String
        }
        let folder: String
        let file: String
        let sha256: String
        let policyClass: String
        let weights: String
        let epoch: Int?
        let globalStep: Int?
        let features: [Feature]
        let leftOut: [String]
        let notes: [String]
    }

    func run() throws {
        let options = ImportOptions(
            weights: weights.map { $0 == .ema ? .averaged : .trained },
            state: state,
            keepsRotations: rawRotations
        )
        let progress = ProgressBar("importing")
        let isEnding = try EndingFlag()
        let report: ImportReport
        do throws(ImportError) {
            let source = try DiffusionPolicyImport(contentsOf: URL(filePath: file), options: options)
            report = try source.write(to: URL(filePath: output, directoryHint: .isDirectory)) {
                progress.advance(to: Int($0 * 1000), of: 1000)
                return !isEnding.isSet
            }
        } catch {
            throw failure(error)
        }
        progress.advance(to: 1000, of: 1000)
        try show(report)
    }

    /// An error with the path as it was given in the place of the file's name.
    private func failure(_ error: ImportError) -> Failure {
        var text = error.description
        for path in [file, output] {
            let name = URL(filePath: path).lastPathComponent + ":"
            if text.hasPrefix(name) {
                text = "\(path):\(text.dropFirst(name.count))"
                break
            }
        }
        return error.isOfOutput ? Failure.run(text) : Failure.input(text)
    }

    private func show(_ report: ImportReport) throws {
        if json {
            return try Console.json(
                Report(
                    folder: output,
                    file: report.file,
                    sha256: report.sha256,
                    policyClass: report.policyClass,
                    weights: report.weights.rawValue,
                    epoch: report.epoch,
                    globalStep: report.globalStep,
                    features: report.features.map {
                        Report.Feature(name: $0.name, shape: $0.shape, source: $0.source)
                    },
                    leftOut: report.leftOut,
                    notes: report.notes
                )
            )
        }
        let weights = report.weights == .averaged ? "averaged weights" : "weights as trained"
        let epoch = report.epoch.map { ", epoch \($0)" } ?? ""
        Console.result("\(printable(output, limit: 4096)): \(report.policyClass), \(weights)\(epoch)")
        Console.result("")
        var features = Table("feature", "shape", "in the checkpoint")
        for feature in report.features {
            features.add(feature.name, "\(feature.shape)", printable(feature.source, limit: 200))
        }
        features.print()
        for note in report.notes { Console.warn(printable(note, limit: 1024)) }
    }
}

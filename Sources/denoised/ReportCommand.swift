import ArgumentParser
import Foundation
import Reporting
import Robotics

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Make a page of what runs reached and what they took.",
        discussion: """
            Each FILE is what `denoised sim --json` printed, a recording of `denoised serve --record`, or what `denoised bench paper \
            --json` or `denoised bench chunk --json` printed. What it is, its content says, not its name. Runs are compared with the \
            first.

            The page has scores and success rates with 95 % intervals, differences seed by seed, times of chunks stage by stage, the \
            course of the median chunk and of the slowest, and the deviation from sequential sampling, as far as the files tell. It \
            is one HTML file that fetches nothing and runs no script. docs/REPORTS.md says more.

            What `denoised sim --shard` printed for the shards of a run is joined into one run, and what is missing is said. Shards of \
            other settings stay a run of their own, with the reason. --joined writes the run that was joined. docs/CLUSTERS.md says more.

            Exit codes: 0 the page is written, 1 it cannot be written, or --complete was given and episodes are missing, 2 a file that is \
            no such result, or shards that contradict each other.
            """
    )

    @Argument(help: ArgumentHelp("The results to compare.", valueName: "file"))
    var files: [String]

    @Option(name: [.short, .long], help: ArgumentHelp("The page to write.", valueName: "file"))
    var output = "report.html"

    @Option(help: ArgumentHelp("The page's heading. Default: what the files are.", valueName: "text"))
    var title: String?

    @Option(
        help: ArgumentHelp(
            "Also write the run that the shards make, as `denoised sim --json` would have printed it. For the shards of one run.",
            valueName: "file"
        )
    )
    var joined: String?

    @Flag(
        help: "End with exit code 1 if a run lacks shards or episodes. What is there is written all the same."
    )
    var complete = false

    func run() throws {
        try DrawingFile.check(output)
        if let joined { try DrawingFile.check(joined) }
        let paths = try distinctFiles()
        let contents = try paths.map { path in
            (path: path, file: try Failure.asInput { try RunFile(path) })
        }
        let join = try Failure.asInput { try ShardJoin(contents) }
        for warning in join.warnings { Console.warn(warning) }
        if let joined {
            let run = try Failure.asInput { try join.onlyRun() }
            try DrawingFile.write(try Console.encoded(JoinedFile(run)) + "\n", to: joined)
        }
        let report = Report(join.files, title: title, version: daemonVersion)
        let page = report.html
        try DrawingFile.write(page, to: output)
        let count = paths.count == 1 ? "1 file" : "\(paths.count) files"
        Console.result("\(output): \(count), \((page.utf8.count + 1023) / 1024) KiB")
        print(report.scores)
        let lacking = report.incompleteRuns
        guard !complete || lacking.isEmpty else {
            throw Failure.run(
                "--complete is given, and episodes are missing of \(lacking.joined(separator: ", "))"
            )
        }
    }

    private func print(_ scores: [Report.Score]) {
        guard !scores.isEmpty else { return }
        Console.result("")
        var table = Table("run", "episodes", "mean score", "95 % interval", "success", "95 % interval")
        for score in scores {
            table.add(
                score.run,
                score.episodes,
                score.mean,
                score.meanInterval,
                score.success,
                score.successInterval
            )
        }
        table.print()
    }

    /// The files without those that were given before.
    ///
    /// - Throws: `Failure` if one of them is a file to write, which would replace it.
    private func distinctFiles() throws -> [String] {
        func identity(_ path: String) -> String {
            URL(filePath: path).resolvingSymlinksInPath().standardizedFileURL.path(percentEncoded: false)
        }
        let written = [("--output", output)] + (joined.map { [("--joined", $0)] } ?? [])
        if let joined, identity(joined) == identity(output) {
            throw Failure.input("--joined and --output are both \(output), expected two names")
        }
        var seen: Set<String> = []
        return try files.filter { path in
            let file = identity(path)
            if let (option, name) = written.first(where: { identity($0.1) == file }) {
                throw Failure.input(
                    "\(option) is \(name), which is one of the files to report on; expected another name"
                )
            }
            guard seen.insert(file).inserted else {
                Console.warn("\(path) is given twice; it is in the report once")
                return false
            }
            return true
        }
    }
}

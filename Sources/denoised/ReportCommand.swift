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

            Exit codes: 0 the page is written, 1 it cannot be written, 2 a file that is no such result.
            """
    )

    @Argument(help: ArgumentHelp("The results to compare.", valueName: "file"))
    var files: [String]

    @Option(name: [.short, .long], help: ArgumentHelp("The page to write.", valueName: "file"))
    var output = "report.html"

    @Option(help: ArgumentHelp("The page's heading. Default: what the files are.", valueName: "text"))
    var title: String?

    func run() throws {
        try DrawingFile.check(output)
        let paths = try distinctFiles()
        let contents = try paths.map { path in
            (path: path, file: try Failure.asInput { try RunFile(path) })
        }
        let report = Report(contents, title: title, version: daemonVersion)
        let page = report.html
        try DrawingFile.write(page, to: output)
        let count = paths.count == 1 ? "1 file" : "\(paths.count) files"
        Console.result("\(output): \(count), \((page.utf8.count + 1023) / 1024) KiB")
    }

    /// The files without those that were given before.
    ///
    /// - Throws: `Failure` if one of them is the page to write, which would replace it.
    private func distinctFiles() throws -> [String] {
        func identity(_ path: String) -> String {
            URL(filePath: path).resolvingSymlinksInPath().standardizedFileURL.path(percentEncoded: false)
        }
        let page = identity(output)
        var seen: Set<String> = []
        return try files.filter { path in
            let file = identity(path)
            guard file != page else {
                throw Failure.input(
                    "--output is \(output), which is one of the files to report on; expected another name"
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

import StrictJSON

/// The README.md of an imported policy: where it comes from.
struct ImportCard {
    private let report: ImportReport
    private let policy: SourcePolicy
    private let options: ImportOptions

    init(_ report: ImportReport, policy: SourcePolicy, options: ImportOptions) {
        self.report = report
        self.policy = policy
        self.options = options
    }

    /// Markdown.
    var text: String {
        let weights = report.weights == .averaged ? "averaged (`ema_model`)" : "as trained (`model`)"
        var lines = [
            "# An imported policy",
            "",
            "A LeRobot policy folder that `denoised import` made of a checkpoint of the Diffusion Policy code base.",
            "",
            "| | |",
            "| --- | --- |",
            "| file | \(cell(report.file)) |",
            "| SHA-256 | `\(report.sha256)` |",
            "| class | `\(report.policyClass)` |",
            "| epoch | \(report.epoch.map(String.init) ?? "not said") |",
            "| steps of the optimiser | \(report.globalStep.map(String.init) ?? "not said") |",
            "| weights | \(weights) |",
            "| left out | \(cell(report.leftOut.joined(separator: ", "))) |",
            "",
            "## Features",
            "",
            "| feature | shape | in the checkpoint |",
            "| --- | --- | --- |",
        ]
        lines += report.features.map { "| `\($0.name)` | \($0.shape) | \(cell($0.source)) |" }
        lines += [
            "",
            "All are normalised by `MIN_MAX`, with the range that the normaliser's scale and offset take to [-1, 1].",
            "",
            "The first of \(policy.nActionSteps) actions is for the newest of \(policy.nObsSteps) observations.",
        ]
        if !report.notes.isEmpty {
            lines += ["", "## Notes", ""] + report.notes.map { "- \(cell($0))" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Text from a file, fit for a cell of a table.
    private func cell(_ text: String) -> String {
        text.inOneLine.replacing("|", with: "\\|").replacing("<", with: "&lt;")
    }
}

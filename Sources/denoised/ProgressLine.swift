import Foundation

/// The line that shows how far a piece of work has come, for any width from 20 columns on.
struct ProgressLine {
    /// What is being done: `episodes`, say.
    let work: String
    /// The share that is done, 0 to 1.
    let share: Double
    /// Since the work began.
    let elapsed: Duration
    /// What has come of it so far; nothing: "".
    var remark = ""

    /// What is left at the pace so far; nil before anything is done.
    var left: Duration? {
        guard share > 0 else { return nil }
        return elapsed * ((1 - share) / share)
    }

    /// The line, at most as wide as the terminal. If it is narrow the remark goes, then the times; the bar takes what the text leaves.
    func text(columns: Int, isColored: Bool) -> String {
        let times = Self.clock(elapsed) + (left.map { ", \(Self.clock($0)) left" } ?? "")
        let percent = String(format: "%3d %%", Int((share * 100).rounded(.down)))
        var parts = [percent, times]
        if !remark.isEmpty { parts.append(remark) }
        func width(_ parts: [String]) -> Int { parts.reduce(work.count) { $0 + 2 + $1.count } }
        while width(parts) > columns && parts.count > 1 { parts.removeLast() }
        let barWidth = min(columns - width(parts) - 2, Self.widestBar)
        if barWidth >= Self.narrowestBar { parts.insert(bar(barWidth, isColored: isColored), at: 0) }
        let text = ([work] + parts).joined(separator: "  ")
        return parts.count > 1 ? text : String(text.prefix(columns))
    }

    /// The same as a line of a log.
    var logLine: String {
        "\(work): \(Int((share * 100).rounded(.down))) %" + (left.map { ", \(Self.clock($0)) left" } ?? "")
    }

    private static let widestBar = 30
    private static let narrowestBar = 6

    private func bar(_ width: Int, isColored: Bool) -> String {
        let filled = Int((min(max(share, 0), 1) * Double(width)).rounded(.down))
        let (full, empty) = (
            String(repeating: "█", count: filled), String(repeating: "░", count: width - filled)
        )
        return isColored ? "\u{1b}[32m\(full)\u{1b}[0m\(empty)" : full + empty
    }

    /// Minutes and seconds, and hours if there are any: `0:07`, `1:02:03`.
    private static func clock(_ duration: Duration) -> String {
        let seconds = Int(duration / .seconds(1))
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return hours > 0
            ? String(format: "%d:%02d:%02d", hours, minutes, seconds % 60)
            : String(format: "%d:%02d", minutes, seconds % 60)
    }
}

import Monitoring

/// Where a monitor's pages go.
protocol MonitorScreen {
    /// How wide a page may be, in characters.
    var columns: Int { get }
    /// The shortest time between two pages.
    var interval: Duration { get }
    /// Shows a page in place of the one before it.
    mutating func show(_ page: [StyledLine])
    /// Shows nothing more.
    mutating func leave()
}

/// A terminal's second screen, so that what was on the first comes back; the last page stays below it.
struct TerminalScreen: MonitorScreen {
    private var lastPage: [StyledLine] = []

    init() {
        // The second screen, without a cursor.
        Terminal.output.write("\u{1b}[?1049h\u{1b}[?25l")
    }

    var columns: Int { Terminal.output.size.columns }
    /// Heartbeats are 100 ms apart and not to the microsecond.
    var interval: Duration { .milliseconds(95) }

    mutating func show(_ page: [StyledLine]) {
        lastPage = page
        // No line feed after the last row, which would scroll.
        let rows = page.prefix(max(Terminal.output.size.rows, 1)).map { text(of: $0) + "\u{1b}[K" }
        Terminal.output.write("\u{1b}[H" + rows.joined(separator: "\r\n") + "\u{1b}[J")
    }

    mutating func leave() {
        Terminal.output.write("\u{1b}[?25h\u{1b}[?1049l" + lastPage.map { text(of: $0) + "\n" }.joined())
        lastPage = []
    }

    private func text(of line: StyledLine) -> String { Terminal.output.hasColor ? line.colored : line.plain }
}

/// Plain text, page after page: for a file, a pipe or a terminal whose cursor cannot be moved.
struct PlainScreen: MonitorScreen {
    private var hasShown = false

    var columns: Int { 160 }
    var interval: Duration { .seconds(1) }

    mutating func show(_ page: [StyledLine]) {
        if hasShown { Console.result("") }
        hasShown = true
        Console.result(page.map(\.plain).joined(separator: "\n"))
    }

    mutating func leave() {}
}

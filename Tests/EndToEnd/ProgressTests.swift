import Testing

@testable import denoised

/// What a person at a terminal sees of work that takes long.
@Suite struct ProgressTests {
    private func line(_ share: Double, seconds: Int = 60, remark: String = "") -> ProgressLine {
        ProgressLine(work: "episodes", share: share, elapsed: .seconds(seconds), remark: remark)
    }

    @Test func aLineHasTheShareAndTheTimeLeft() {
        let text = line(0.25, remark: "success 3 of 4").text(columns: 79, isColored: false)
        #expect(text == "episodes  ███████░░░░░░░░░░░░░░░░░░░░░░   25 %  1:00, 3:00 left  success 3 of 4")
    }

    @Test func anHourIsTold() {
        let text = line(0.5, seconds: 3723).text(columns: 79, isColored: false)
        #expect(text.hasSuffix("1:02:03, 1:02:03 left"))
        let beginning = line(0, seconds: 3).text(columns: 79, isColored: false)
        #expect(beginning.hasSuffix("  0 %  0:03"))
    }

    /// No line is wider than the terminal: the bar goes first, then the remark, then the times.
    @Test(arguments: [
        (60, "episodes  █████░░░░░   50 %  1:00, 1:00 left  success 3 of 4"),
        (53, "episodes   50 %  1:00, 1:00 left  success 3 of 4"),
        (47, "episodes  ██████░░░░░░░   50 %  1:00, 1:00 left"),
        (33, "episodes   50 %  1:00, 1:00 left"),
        (20, "episodes   50 %"),
        (10, "episodes  "),
    ])
    func aNarrowTerminalShowsLess(columns: Int, text: String) {
        #expect(line(0.5, remark: "success 3 of 4").text(columns: columns, isColored: false) == text)
    }

    @Test func colourIsAroundTheBarAlone() {
        let plain = line(0.5).text(columns: 60, isColored: false)
        let colored = line(0.5).text(columns: 60, isColored: true)
        #expect(!plain.contains("\u{1b}"))
        #expect(colored.replacing("\u{1b}[32m", with: "").replacing("\u{1b}[0m", with: "") == plain)
    }

    @Test func aLogGetsASentence() {
        #expect(line(0.333).logLine == "episodes: 33 %, 2:00 left")
    }

    private var table: Table {
        var table = Table("kernel", "batch", "median ms", "p10", "p90", keys: 2)
        table.add("avx512 f32", "8", "26.50", "25.10", "31.00")
        table.add("avx512 int8", "20", "38.60", "38.00", "40.20")
        return table
    }

    @Test func aTableThatFitsIsWhole() {
        let lines = table.lines()
        #expect(lines[0] == "  kernel       batch  median ms    p10    p90")
        #expect(lines == table.lines(fitting: lines[0].count))
    }

    @Test func aTableThatDoesNotFitComesInBlocks() {
        #expect(
            table.lines(fitting: 40) == [
                "  kernel       batch  median ms    p10",
                "  -----------  -----  ---------  -----",
                "  avx512 f32       8      26.50  25.10",
                "  avx512 int8     20      38.60  38.00",
                "",
                "  kernel       batch    p90",
                "  -----------  -----  -----",
                "  avx512 f32       8  31.00",
                "  avx512 int8     20  40.20",
            ]
        )
    }

    @Test func aBlockHasAColumnHoweverNarrowTheTerminal() {
        let lines = table.lines(fitting: 5)
        #expect(lines.count { $0.contains("kernel") } == 3)
        #expect(["median ms", "p10", "p90"].allSatisfy { name in lines.contains { $0.hasSuffix(name) } })
    }
}

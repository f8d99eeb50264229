import Foundation
import Glibc
import Planning
import PushT

/// An episode in the terminal: the table in braille dots and, next to it, the latency of each chunk. Redrawn in place
/// after each control step; when the episode is over its last picture stays.
struct TerminalView {
    /// Character rows of the table, which has twice as many columns: a character is about twice as high as wide.
    private let tableRows: Int
    /// Columns beside the table.
    private let panelColumns: Int
    private var chunks: [ChunkTrace] = []

    private static let largestTable = 26
    private static let smallestTable = 8
    private static let gap = 2
    /// What a control step stays on the screen at least.
    private static let pause: UInt32 = 25_000

    /// A view that fits the terminal on standard output; nil if nobody looks at one.
    init?() {
        guard Terminal.output.movesCursor else { return nil }
        let (rows, columns) = Terminal.output.size
        // The frame takes two rows and columns, the cursor's line one row.
        let fitting = min(rows - 3, (columns - 2) / 2)
        tableRows = min(max(fitting, Self.smallestTable), Self.largestTable)
        panelColumns = max(columns - 2 * tableRows - 2 - Self.gap, 0)
    }

    /// Draws a moment over the one before it.
    mutating func show(_ moment: Moment) {
        let isFirst = moment.recording.stepCount == 1
        if isFirst { chunks = [] }
        chunks += moment.newChunks

        let picture = table(moment.recording).lines(colored: Terminal.output.hasColor)
        let edge = String(repeating: "─", count: 2 * tableRows)
        let left = ["┌\(edge)┐"] + picture.map { "│\($0)│" } + ["└\(edge)┘"]
        let right = panel(moment, height: left.count)
        let lines = zip(left, right).map { left, right in
            "\(left)\(String(repeating: " ", count: Self.gap))\(right.prefix(panelColumns))\u{1b}[K"
        }
        let toTop = isFirst ? "" : "\u{1b}[\(lines.count)A\r"
        // In one piece, so that an interrupted run leaves the cursor below the picture and not in it.
        let frame = toTop + lines.joined(separator: "\n") + "\n"
        Terminal.output.write(frame)
        usleep(Self.pause)
    }

    private func table(_ recording: EpisodeRecording) -> BrailleCanvas {
        let scenario = recording.scenario
        var canvas = BrailleCanvas(columns: 2 * tableRows, rows: tableRows, world: scenario.world.size)
        guard let frame = recording.frames.last else { return canvas }
        for part in scenario.block.parts {
            canvas.outline(part.map { placed($0, at: scenario.goal.position, angle: scenario.goal.angle) })
        }
        for part in scenario.block.parts {
            canvas.fill(part.map { placed($0, at: frame.blockPosition, angle: frame.blockAngle) })
        }
        canvas.disc(at: frame.agentPosition, radius: scenario.agent.radius)
        return canvas
    }

    private func panel(_ moment: Moment, height: Int) -> [String] {
        let recording = moment.recording
        let coverage = recording.frames.last?.coverage ?? 0
        var lines = [
            "seed \(moment.seed), step \(recording.stepCount) of \(recording.scenario.episode.maxSteps)",
            "coverage \(bar(coverage, width: 20)) \(fixed(coverage, 2))",
            "best \(fixed(recording.maxCoverage, 3)); success is above "
                + fixed(recording.scenario.episode.successCoverage, 2),
            "",
            "at step  chunk latency",
        ]
        let longest = chunks.map(\.milliseconds).max() ?? 0
        lines += chunks.suffix(height - lines.count).map { chunk in
            let step = String(format: "%7d", Int(chunk.chunk.firstStep))
            let latency = String(format: "%10.2f ms", chunk.milliseconds)
            let share = longest > 0 ? chunk.milliseconds / longest : 0
            return "\(step)  \(latency)  \(bar(share, width: min(max(panelColumns - 24, 0), 20)))"
        }
        return lines + Array(repeating: "", count: max(height - lines.count, 0))
    }

    /// A horizontal bar of `width` characters for a value in [0, 1].
    private func bar(_ value: Double, width: Int) -> String {
        let filled = Int((min(max(value, 0), 1) * Double(width)).rounded())
        return String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    }

    private func placed(
        _ corner: SIMD2<Double>,
        at position: SIMD2<Double>,
        angle: Double
    ) -> SIMD2<Double> {
        let (sine, cosine) = (sin(angle), cos(angle))
        return position + SIMD2(corner.x * cosine - corner.y * sine, corner.x * sine + corner.y * cosine)
    }
}

/// A grid of braille characters, each 2 by 4 dots.
private struct BrailleCanvas {
    /// What a dot belongs to. In a character that several share, the last of these gives the colour.
    private enum Ink: Int, Comparable {
        case none, goal, block, agent

        static func < (left: Ink, right: Ink) -> Bool { left.rawValue < right.rawValue }

        /// The terminal's own palette: green, default and red.
        var color: String {
            switch self {
            case .none, .block: "0"
            case .goal: "32"
            case .agent: "31"
            }
        }
    }

    private let columns: Int
    private let rows: Int
    private let world: SIMD2<Double>
    private var dots: [Ink]

    init(columns: Int, rows: Int, world: SIMD2<Double>) {
        self.columns = columns
        self.rows = rows
        self.world = world
        self.dots = Array(repeating: .none, count: columns * 2 * rows * 4)
    }

    private var width: Int { columns * 2 }
    private var height: Int { rows * 4 }

    private func center(_ x: Int, _ y: Int) -> SIMD2<Double> {
        SIMD2((Double(x) + 0.5) / Double(width), (Double(y) + 0.5) / Double(height)) * world
    }

    private mutating func set(_ ink: Ink, where isInside: (SIMD2<Double>) -> Bool, every spacing: Int = 1) {
        for y in 0..<height {
            for x in 0..<width where (x + y) % spacing == 0 && isInside(center(x, y)) {
                dots[y * width + x] = ink
            }
        }
    }

    mutating func fill(_ corners: [SIMD2<Double>]) {
        set(.block, where: { Self.isInside($0, corners) })
    }

    mutating func outline(_ corners: [SIMD2<Double>]) {
        let middle = corners.reduce(.zero, +) / Double(corners.count)
        let inner = corners.map { middle + ($0 - middle) * 0.9 }
        set(.goal, where: { Self.isInside($0, corners) && !Self.isInside($0, inner) }, every: 2)
    }

    mutating func disc(at center: SIMD2<Double>, radius: Double) {
        set(
            .agent,
            where: { point in
                let offset = point - center
                return offset.x * offset.x + offset.y * offset.y <= radius * radius
            }
        )
    }

    /// Whether a point lies on the same side of all edges of a convex polygon.
    private static func isInside(_ point: SIMD2<Double>, _ corners: [SIMD2<Double>]) -> Bool {
        var isLeft = false
        var isRight = false
        for index in corners.indices {
            let edge = corners[(index + 1) % corners.count] - corners[index]
            let offset = point - corners[index]
            if edge.x * offset.y - edge.y * offset.x >= 0 { isLeft = true } else { isRight = true }
        }
        return !(isLeft && isRight)
    }

    func lines(colored: Bool) -> [String] {
        (0..<rows).map { row in
            var line = ""
            var color = Ink.none.color
            for column in 0..<columns {
                let (character, ink) = cell(column, row)
                if colored, ink.color != color {
                    color = ink.color
                    line += "\u{1b}[\(color)m"
                }
                line.unicodeScalars.append(character)
            }
            return color == Ink.none.color ? line : line + "\u{1b}[0m"
        }
    }

    private func cell(_ column: Int, _ row: Int) -> (Unicode.Scalar, Ink) {
        // Bit of each dot in Unicode's braille block, by row and column within a character.
        let bits: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
        var code: UInt32 = 0x2800
        var topmost = Ink.none
        for (y, pair) in bits.enumerated() {
            for (x, bit) in pair.enumerated() {
                let ink = dots[(row * 4 + y) * width + column * 2 + x]
                guard ink != .none else { continue }
                code |= bit
                topmost = max(topmost, ink)
            }
        }
        return (Unicode.Scalar(code) ?? " ", topmost)
    }
}

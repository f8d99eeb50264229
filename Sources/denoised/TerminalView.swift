import Foundation
import Glibc
import PushT

/// An episode drawn in the terminal with braille dots, redrawn in place after each control step.
enum TerminalView {
    private static let columns = 56
    private static let rows = 28

    /// Draws a moment over the one before it. Does nothing where nobody looks at a terminal.
    static func show(_ moment: Moment) {
        guard Console.isTerminal, let frame = moment.recording.frames.last else { return }
        let scenario = moment.recording.scenario
        var canvas = BrailleCanvas(columns: columns, rows: rows, world: scenario.world.size)
        for part in scenario.block.parts {
            canvas.outline(part.map { placed($0, at: scenario.goal.position, angle: scenario.goal.angle) })
        }
        for part in scenario.block.parts {
            canvas.fill(part.map { placed($0, at: frame.blockPosition, angle: frame.blockAngle) })
        }
        canvas.disc(at: frame.agentPosition, radius: scenario.agent.radius)

        let isFirst = moment.recording.stepCount == 1
        let home = isFirst ? "\u{1b}[2J\u{1b}[H" : "\u{1b}[H"
        let status =
            "seed \(moment.seed)  step \(moment.recording.stepCount)  coverage \(fixed(frame.coverage, 2))  "
            + "best \(fixed(moment.recording.maxCoverage, 2))\u{1b}[K"
        Console.result(home + canvas.lines.joined(separator: "\n") + "\n" + status)
        if let chunk = moment.newChunk {
            Console.result(chunk.line(seed: moment.seed) + "\u{1b}[K")
        }
        usleep(25_000)
    }

    private static func placed(_ corner: SIMD2<Double>, at position: SIMD2<Double>, angle: Double) -> SIMD2<
        Double
    > {
        let (sine, cosine) = (sin(angle), cos(angle))
        return position + SIMD2(corner.x * cosine - corner.y * sine, corner.x * sine + corner.y * cosine)
    }
}

/// A grid of braille characters, each 2 by 4 dots.
private struct BrailleCanvas {
    private let columns: Int
    private let rows: Int
    private let world: SIMD2<Double>
    private var dots: [Bool]

    init(columns: Int, rows: Int, world: SIMD2<Double>) {
        self.columns = columns
        self.rows = rows
        self.world = world
        self.dots = Array(repeating: false, count: columns * 2 * rows * 4)
    }

    private var width: Int { columns * 2 }
    private var height: Int { rows * 4 }

    private func center(_ x: Int, _ y: Int) -> SIMD2<Double> {
        SIMD2((Double(x) + 0.5) / Double(width), (Double(y) + 0.5) / Double(height)) * world
    }

    private mutating func set(where isInside: (SIMD2<Double>) -> Bool, every spacing: Int = 1) {
        for y in 0..<height {
            for x in 0..<width where (x + y) % spacing == 0 && isInside(center(x, y)) {
                dots[y * width + x] = true
            }
        }
    }

    mutating func fill(_ corners: [SIMD2<Double>]) {
        set(where: { Self.signs(of: $0, around: corners).count == 1 })
    }

    mutating func outline(_ corners: [SIMD2<Double>]) {
        let middle = corners.reduce(.zero, +) / Double(corners.count)
        let inner = corners.map { middle + ($0 - middle) * 0.9 }
        set(
            where: { point in
                Self.signs(of: point, around: corners).count == 1
                    && Self.signs(of: point, around: inner).count == 2
            },
            every: 2
        )
    }

    mutating func disc(at center: SIMD2<Double>, radius: Double) {
        set(where: { point in
            let offset = point - center
            return offset.x * offset.x + offset.y * offset.y <= radius * radius
        })
    }

    /// The sides of a convex polygon's edges on which a point lies: one element if it is inside.
    private static func signs(of point: SIMD2<Double>, around corners: [SIMD2<Double>]) -> Set<Bool> {
        Set(
            corners.indices.map { index in
                let edge = corners[(index + 1) % corners.count] - corners[index]
                let offset = point - corners[index]
                return edge.x * offset.y - edge.y * offset.x >= 0
            }
        )
    }

    var lines: [String] {
        // Bit of each dot in Unicode's braille block, by row and column within a character.
        let bits: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
        return (0..<rows).map { row in
            String(
                String.UnicodeScalarView(
                    (0..<columns).compactMap { column in
                        var code: UInt32 = 0x2800
                        for (y, pair) in bits.enumerated() {
                            for (x, bit) in pair.enumerated()
                            where dots[(row * 4 + y) * width + column * 2 + x] {
                                code |= bit
                            }
                        }
                        return Unicode.Scalar(code)
                    }
                )
            )
        }
    }
}

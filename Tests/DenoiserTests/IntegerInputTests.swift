import Testing

@testable import Denoiser

@Suite("An input as integers")
struct IntegerInputTests {
    static let instructionSets = Kernel.available.filter { $0 != .openBLAS }

    /// A packed input of pairs of bf16 and what `IntegerInput` makes of it.
    struct Example: ~Copyable {
        static let positions = 5
        static let rowStride = 16
        let rows: Int
        private let input: CellBuffer
        private let integers: CellBuffer
        private let scales: FloatBuffer

        /// - Parameter value: of (channel, position), a number that bf16 holds.
        init(rows: Int, instructionSet: Kernel.InstructionSet, value: (Int, Int) -> Float) {
            self.rows = rows
            self.input = CellBuffer(count: rows * Self.rowStride)
            self.integers = CellBuffer(count: rows * Self.rowStride)
            self.scales = FloatBuffer(count: (rows + 255) / 256 * Self.rowStride)
            for row in 0..<rows {
                for position in 0..<Self.positions {
                    input.pointer[row * Self.rowStride + position] =
                        value(2 * row, position).bitPattern >> 16 | value(2 * row + 1, position).bitPattern
                }
            }
            IntegerInput(cells: integers.pointer, scales: scales.pointer).fill(
                from: input.pointer,
                rows: rows,
                positions: Self.positions,
                rowStride: Self.rowStride,
                isa: instructionSet.isa
            )
        }

        func scale(row: Int, position: Int) -> Float {
            scales.pointer[row / 256 * Self.rowStride + position]
        }

        /// The number that a channel's integer stands for.
        func value(channel: Int, position: Int) -> Float {
            let row = channel / 2
            let cell = integers.pointer[row * Self.rowStride + position]
            let integer = Int16(truncatingIfNeeded: channel % 2 == 0 ? cell : cell >> 16)
            return Float(integer) * scale(row: row, position: position)
        }
    }

    /// Of seven significant bits, growing with the position, a hundred times as large from channel 512 on.
    static func number(channel: Int, position: Int) -> Float {
        let significand = Float((channel * 37 + position * 11) % 255 - 127)
        return significand * (channel < 512 ? 1 : 128) * Float(1 << position)
    }

    @Test(
        "is the input to half a unit, with a scale for each position and 256 rows",
        arguments: instructionSets
    )
    func roundTrip(instructionSet: Kernel.InstructionSet) {
        let example = Example(rows: 300, instructionSet: instructionSet, value: Self.number)
        for channel in 0..<600 {
            for position in 0..<Example.positions {
                let expected = Self.number(channel: channel, position: position)
                let scale = example.scale(row: channel / 2, position: position)
                let error = abs(example.value(channel: channel, position: position) - expected)
                #expect(error <= 0.501 * scale)
            }
        }
        for position in 0..<Example.positions {
            for channels in [0..<512, 512..<600] {
                let largest = channels.map { abs(Self.number(channel: $0, position: position)) }.max() ?? 0
                let scale = example.scale(row: channels.lowerBound / 2, position: position)
                #expect(abs(scale / (largest / 32767) - 1) < 1e-6)
            }
        }
    }

    @Test("has a scale that is no number where an input is none", arguments: instructionSets)
    func notFinite(instructionSet: Kernel.InstructionSet) {
        for (channel, value) in [(6, Float.nan), (7, .nan), (6, .infinity), (7, -.infinity), (7, -.nan)] {
            let example = Example(rows: 4, instructionSet: instructionSet) {
                $0 == channel && $1 == 2 ? value : Self.number(channel: $0, position: $1)
            }
            for position in 0..<Example.positions {
                #expect(example.scale(row: 0, position: position).isFinite == (position != 2))
            }
        }
    }

    @Test("is zero where the input is too small for a scale", arguments: instructionSets)
    func small(instructionSet: Kernel.InstructionSet) {
        for value in [Float(0), Float(bitPattern: 0x0001_0000)] {
            let example = Example(rows: 3, instructionSet: instructionSet) { _, _ in value }
            #expect((0..<6).allSatisfy { example.value(channel: $0, position: 1) == 0 })
        }
    }
}

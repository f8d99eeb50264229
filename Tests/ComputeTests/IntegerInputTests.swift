import CKernels
import Testing

@testable import Compute

@Suite("An input as integers")
struct IntegerInputTests {
    static let instructionSets = InstructionSet.supported

    /// A packed input of pairs of bf16 and what `IntegerInput` makes of it.
    struct Example: ~Copyable {
        static let positions = 5
        static let rowStride = 16
        /// Channels of a cell of integers.
        let cellChannels: Int
        private let bytesHaveSign: Bool
        private let input: CellBuffer
        private let integers: CellBuffer
        private let scales: FloatBuffer
        private let offsets: FloatBuffer

        /// - Parameter value: of (channel, position), a number that bf16 holds.
        init(rows: Int, instructionSet: InstructionSet, value: (Int, Int) -> Float) {
            self.cellChannels = instructionSet.integerChannels
            self.bytesHaveSign = instructionSet.table.pointee.bytes_have_sign
            let scaleRows = IntegerInput.scaleRows(channels: 2 * rows)
            self.input = CellBuffer(count: rows * Self.rowStride)
            self.integers = CellBuffer(count: rows * Self.rowStride)
            self.scales = FloatBuffer(count: scaleRows * Self.rowStride)
            self.offsets = FloatBuffer(count: scaleRows * Self.rowStride)
            for row in 0..<rows {
                for position in 0..<Self.positions {
                    input.pointer[row * Self.rowStride + position] =
                        value(2 * row, position).bitPattern >> 16 | value(2 * row + 1, position).bitPattern
                }
            }
            IntegerInput(cells: integers.pointer, scales: scales.pointer, offsets: offsets.pointer).fill(
                from: input.pointer,
                rows: rows,
                positions: Self.positions,
                rowStride: Self.rowStride,
                isa: instructionSet
            )
        }

        /// What a channel's integers are multiples of.
        func scale(channel: Int, position: Int) -> Float {
            scales.pointer[channel / 512 * Self.rowStride + position]
        }

        /// The number that a channel's integer stands for.
        func value(channel: Int, position: Int) -> Float {
            let cell = integers.pointer[channel / cellChannels * Self.rowStride + position]
            let shifted = cell >> (channel % cellChannels * 32 / cellChannels)
            let scale = scale(channel: channel, position: position)
            if cellChannels == 2 { return Float(Int16(truncatingIfNeeded: shifted)) * scale }
            let integer =
                bytesHaveSign
                ? Float(Int8(truncatingIfNeeded: shifted)) : Float(UInt8(truncatingIfNeeded: shifted))
            return integer * scale + offsets.pointer[channel / 512 * Self.rowStride + position]
        }
    }

    /// Of seven significant bits, growing with the position, a hundred times as large from channel 512 on.
    static func number(channel: Int, position: Int) -> Float {
        let significand = Float((channel * 37 + position * 11) % 255 - 127)
        return significand * (channel < 512 ? 1 : 128) * Float(1 << position)
    }

    @Test(
        "is the input to half a unit, with a scale for each position and 512 channels",
        arguments: instructionSets,
        [299, 300]
    )
    func roundTrip(instructionSet: InstructionSet, rows: Int) throws {
        let example = Example(rows: rows, instructionSet: instructionSet, value: Self.number)
        for channel in 0..<2 * rows {
            for position in 0..<Example.positions {
                let expected = Self.number(channel: channel, position: position)
                let scale = example.scale(channel: channel, position: position)
                let error = abs(example.value(channel: channel, position: position) - expected)
                #expect(error <= 0.501 * scale)
            }
        }
        let largestInput = Float(instructionSet.table.pointee.largest_input)
        for position in 0..<Example.positions {
            for channels in [0..<512, 512..<2 * rows] {
                let values = channels.map { Self.number(channel: $0, position: position) }
                let least = try #require(values.min())
                let most = try #require(values.max())
                let scale = example.scale(channel: channels.lowerBound, position: position)
                let expected = (example.cellChannels == 2 ? max(most, -least) : most - least) / largestInput
                #expect(abs(scale / expected - 1) < 1e-6)
            }
        }
    }

    @Test("has a scale that is no number where an input is none", arguments: instructionSets)
    func notFinite(instructionSet: InstructionSet) {
        for (channel, value) in [(6, Float.nan), (7, .nan), (6, .infinity), (7, -.infinity), (7, -.nan)] {
            let example = Example(rows: 4, instructionSet: instructionSet) {
                $0 == channel && $1 == 2 ? value : Self.number(channel: $0, position: $1)
            }
            for position in 0..<Example.positions {
                #expect(example.scale(channel: 0, position: position).isFinite == (position != 2))
            }
        }
    }

    @Test("is the input where that leaves no room for a scale", arguments: instructionSets)
    func same(instructionSet: InstructionSet) {
        for value in [Float(0), Float(bitPattern: 0x0001_0000)] {
            let example = Example(rows: 3, instructionSet: instructionSet) { _, _ in value }
            #expect((0..<6).allSatisfy { abs(example.value(channel: $0, position: 1)) <= value })
        }
        for value: Float in [-3, 0.5, 3] {
            let example = Example(rows: 3, instructionSet: instructionSet) { _, _ in value }
            #expect((0..<6).allSatisfy { abs(example.value(channel: $0, position: 1) / value - 1) < 1e-6 })
        }
    }
}

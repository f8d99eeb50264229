import CKernels
import Testing

@testable import Compute

/// Convolutions whose weights and inputs are as large as they get, so that sums of few bits would overflow.
@Suite("Weights of 8 bits")
struct IntegerWeightsTests {
    private static let instructionSets = InstructionSet.supported.filter { $0.precisions.contains(.int8) }
    private static let outChannels = 16
    private static let positions = 7

    /// Of (output channel, input channel): of one sign, of alternating ones, of both signs in runs as long as a group's, and mixed.
    private static func weight(out: Int, channel: Int) -> Float {
        switch out % 5 {
        case 0: 1
        case 1: -1
        case 2: channel % 2 == 0 ? 1 : -1
        case 3: channel / 16 % 2 == 0 ? 1 : -1
        default: Float((channel * 37 + out) % 255 - 127) / 127
        }
    }

    /// All large but for every `position + 2`nd: numbers that bf16 holds.
    private static func input(channel: Int, position: Int) -> Float {
        channel % (position + 2) == 0 ? -2 : 6
    }

    @Test(
        "sum up exactly, however large they and the inputs are",
        arguments: instructionSets,
        [64, 70, 512, 1030]
    )
    func sums(instructionSet: InstructionSet, channels: Int) {
        let output = Self.convolved(channels: channels, on: instructionSet)
        for position in 0..<Self.positions {
            for out in 0..<Self.outChannels {
                var sum: Float = 0
                var magnitude: Float = 0
                for channel in 0..<channels {
                    let product =
                        Self.weight(out: out, channel: channel)
                        * Self.input(channel: channel, position: position)
                    sum += product
                    magnitude += abs(product)
                }
                let found = output.pointer[position * Self.outChannels + out]
                #expect(
                    abs(found - sum) < 0.01 * magnitude,
                    "output \(out) at \(position) is \(found), not \(sum)"
                )
            }
        }
    }

    /// [positions][outChannels]
    private static func convolved(channels: Int, on instructionSet: InstructionSet) -> FloatBuffer {
        let rows = (channels + 1) / 2
        let rowStride = Int(dn_lanes)
        let scaleRows = IntegerInput.scaleRows(channels: 2 * rows)
        let packed = CellBuffer(count: rows * rowStride)
        for channel in 0..<channels {
            for position in 0..<positions {
                let bits = UInt32(bf16Bits(input(channel: channel, position: position)))
                packed.pointer[channel / 2 * rowStride + position] |= bits << (channel % 2 * 16)
            }
        }
        // An odd last pair takes a row of fours as well.
        let cells = CellBuffer(count: (rows + 1) * rowStride)
        let scales = FloatBuffer(count: scaleRows * rowStride)
        let offsets = FloatBuffer(count: scaleRows * rowStride)
        let integers = IntegerInput(cells: cells.pointer, scales: scales.pointer, offsets: offsets.pointer)
        integers.fill(
            from: packed.pointer,
            rows: rows,
            positions: positions,
            rowStride: rowStride,
            isa: instructionSet
        )
        let convolution = PackedConvolution(
            weight: { out, channel, _ in weight(out: out, channel: channel) },
            bias: [Float](repeating: 0, count: outChannels),
            inputs: [channels],
            taps: Tap.centred(taps: 1, length: positions),
            outLength: positions,
            share: ChannelShare(channels: outChannels, groupWidth: outChannels, parts: 1),
            format: dn_bf16,
            engine: Engine(isa: instructionSet, precision: .int8, threads: 1, locksWeights: false)
        )
        let output = FloatBuffer(count: positions * outChannels)
        convolution(
            part: 0,
            batch: 1,
            input: packed.pointer,
            integers: integers,
            rowStride: rowStride,
            output: output.pointer
        )
        return output
    }
}

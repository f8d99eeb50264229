import BenchmarkNetworks
import CKernels
import Foundation
import Testing

@testable import Compute
@testable import Networks

/// The environment variable that names instruction sets, separated by commas, that must be among those that are tested.
private let wantedVariable = "DENOISED_WANTED_KERNELS"

private let wantedNames =
    ProcessInfo.processInfo.environment[wantedVariable]?.split(separator: ",").map {
        $0.trimmingCharacters(in: .whitespaces)
    } ?? []

@Suite("Instruction sets")
struct InstructionSetTests {
    static let cpuInfoPath = "/proc/cpuinfo"
    static let hasProcessorFlags = cpuFlags(try? String(contentsOfFile: cpuInfoPath, encoding: .utf8)) != nil

    /// Says of every instruction set that was compiled in whether the tests ran it. One that did not run is a cancelled
    /// case, with the reason, or a failed one if it is wanted.
    @Test("each one computes PyTorch's output, or is said to be missing", arguments: InstructionSet.all)
    func computes(instructionSet: InstructionSet) throws {
        guard instructionSet.isSupported else {
            let missing = instructionSet.missingFeatures.joined(separator: ", ")
            let reason = "\(instructionSet) did not run: this processor lacks \(missing)"
            guard !wantedNames.contains(instructionSet.name) else {
                Issue.record("\(reason), and \(wantedVariable) names it")
                return
            }
            // The console does not show why a case was cancelled.
            print(reason)
            // Cases can be cancelled from Swift 6.3 on.
            #if compiler(>=6.3)
                try Test.cancel("\(reason)")
            #else
                return
            #endif
        }
        let goldens = UNet1DGoldens.loaded
        let architecture = try goldens.cases[0].unet()
        let draws = Draws(architecture, seed: goldens.seed, index: 0, batch: goldens.timesteps.count)
        let condition = draws.conditions[0]
        for precision in instructionSet.precisions {
            let kernel = try #require(Kernel(.packed(instructionSet), precision: precision))
            let network = UNet1D(
                architecture: architecture,
                timesteps: goldens.timesteps,
                maximumBatch: goldens.timesteps.count,
                threads: 1,
                kernel: kernel,
                parameter: { architecture.randomValues(for: $0, seed: goldens.seed) }
            )
            network.setCondition(condition.span)
            let output = network.outputs(samples: draws.samples, timesteps: goldens.timesteps)
            let error = relativeError(output, goldens.cases[0].outputs[0])
            #expect(error < UNet1DTests.bound(kernel), "\(kernel): relative error \(error)")
        }
        print("\(instructionSet) ran in \(instructionSet.precisions.map(\.rawValue).joined(separator: ", "))")
    }

    @Test("those that are wanted exist", arguments: wantedNames)
    func wantedExist(name: String) {
        #expect(
            InstructionSet.all.contains { $0.name == name },
            "\(wantedVariable) names \"\(name)\", expected of \(InstructionSet.all)"
        )
    }

    #if arch(arm64)
        private static let cpuInfoLine = "Features"
    #else
        private static let cpuInfoLine = "flags"
    #endif

    /// A line of /proc/cpuinfo, what Linux found out about the processor and saves the registers of.
    private static func cpuFlags(_ text: String?) -> Set<String>? {
        text?.split(separator: "\n").first { $0.hasPrefix(cpuInfoLine) }.map { line in
            Set(line.drop { $0 != ":" }.dropFirst().split(separator: " ").map(String.init))
        }
    }

    @Test(
        "are supported if Linux lists all their features",
        .enabled(if: hasProcessorFlags, "\(cpuInfoPath) lists no flags")
    )
    func features() throws {
        let flags = try #require(Self.cpuFlags(try String(contentsOfFile: Self.cpuInfoPath, encoding: .utf8)))
        for instructionSet in InstructionSet.all {
            #expect(
                instructionSet.features.count == Int(instructionSet.table.pointee.features.nonzeroBitCount)
            )
            let missing = instructionSet.features.filter { !flags.contains($0) }
            #expect(instructionSet.missingFeatures == missing)
            #expect(instructionSet.isSupported == missing.isEmpty)
            #expect(dn_supports(instructionSet.table) == missing.isEmpty)
        }
        #expect(dn_preferred_kernels() == InstructionSet.supported.first?.table)
    }

    #if arch(x86_64)
        /// Recordings, calibrations and command lines name them so.
        @Test("keep their names and precisions")
        func names() {
            #expect(
                InstructionSet.all.map { "\($0) \($0.precisions.map(\.rawValue))" } == [
                    #"avx512-bf16 ["bf16", "int8"]"#, #"avx512-vnni ["int8"]"#,
                    #"avx512 ["f32", "bf16", "int8"]"#,
                    #"avx2-vnni ["int8"]"#, #"avx2 ["f32", "bf16", "int8"]"#,
                ]
            )
        }

        @Test("of AVX2 and AVX-512 need what their code is compiled for")
        func needs() throws {
            let avx2 = ["avx", "avx2", "fma", "f16c"]
            let avx512 = avx2 + ["avx512f", "avx512bw", "avx512vl", "avx512dq"]
            let needs = Dictionary(uniqueKeysWithValues: InstructionSet.all.map { ($0.name, $0.features) })
            #expect(
                needs == [
                    "avx2": avx2, "avx2-vnni": avx2 + ["avx_vnni"], "avx512": avx512,
                    "avx512-vnni": avx512 + ["avx512_vnni"],
                    "avx512-bf16": avx512 + ["avx512_vnni", "avx512_bf16"],
                ]
            )
        }
    #elseif arch(arm64)
        /// Recordings, calibrations and command lines name them so.
        @Test("keep their names, precisions and needs")
        func names() {
            #expect(
                InstructionSet.all.map { "\($0) \($0.precisions.map(\.rawValue)) \($0.features)" } == [
                    #"neon-bf16 ["bf16", "int8"] ["asimd", "i8mm", "bf16"]"#,
                    #"neon-i8mm ["int8"] ["asimd", "i8mm"]"#,
                    #"neon-dotprod ["int8"] ["asimd", "asimddp"]"#,
                    #"neon ["f32", "bf16", "int8"] ["asimd"]"#,
                ]
            )
        }
    #endif

    /// Rows, vectors and positions that fill no tile evenly, and taps that start outputs and add to them.
    @Test(
        "convolve as the sum that the header gives",
        arguments: InstructionSet.supported,
        [(rows: 5, positions: 7), (rows: 130, positions: 13)]
    )
    func convolves(instructionSet: InstructionSet, shape: (rows: Int, positions: Int)) {
        let (rows, positions) = shape
        for vectors in 1...instructionSet.blockVectors {
            let example = ConvolutionExample(rows: rows, vectors: vectors, positions: positions)
            let outputs = example.outputs(on: instructionSet)
            for position in 0..<positions {
                for channel in 0..<vectors * Int(dn_lanes) {
                    let expected = example.expected(position: position, channel: channel)
                    let value = Double(outputs[position * vectors * Int(dn_lanes) + channel])
                    #expect(abs(value - expected) < 1e-4, "position \(position), channel \(channel)")
                }
            }
        }
    }
}

/// Two taps over f32 rows: one that starts all outputs, and one that adds the position before to all but the first.
private struct ConvolutionExample: ~Copyable {
    private let rows: Int
    private let vectors: Int
    private let positions: Int
    private let rowStride: Int
    private let weights: WeightMemory
    private let input: CellBuffer
    private let bias: FloatBuffer
    private var channels: Int { vectors * Int(dn_lanes) }

    init(rows: Int, vectors: Int, positions: Int) {
        self.rows = rows
        self.vectors = vectors
        self.positions = positions
        self.rowStride = packedRowStride(length: positions, batch: 1)
        let channels = vectors * Int(dn_lanes)
        self.weights = WeightMemory(cellCount: 2 * rows * channels)
        self.input = CellBuffer(count: rows * rowStride)
        self.bias = FloatBuffer(count: channels)
        for channel in 0..<channels {
            bias.pointer[channel] = Float(channel % 5)
            for (tap, row) in (0..<2).flatMap({ tap in (0..<rows).map { (tap, $0) } }) {
                weights.pointer[(tap * rows + row) * channels + channel] =
                    Self.weight(tap: tap, row: row, channel: channel).bitPattern
            }
        }
        for row in 0..<rows {
            for position in 0..<positions {
                input.pointer[row * rowStride + position] =
                    Self.number(row: row, position: position).bitPattern
            }
        }
    }

    /// Small multiples of 1/16, so that sums are exact in any order.
    private static func weight(tap: Int, row: Int, channel: Int) -> Float {
        Float((channel * 7 + row * 3 + tap * 5) % 11 - 5) / 16
    }

    private static func number(row: Int, position: Int) -> Float {
        Float((row * 5 + position * 13) % 9 - 4) / 16
    }

    func expected(position: Int, channel: Int) -> Double {
        var sum = Double(channel % 5)
        for tap in 0..<2 where position >= tap {
            for row in 0..<rows {
                sum +=
                    Double(Self.weight(tap: tap, row: row, channel: channel))
                    * Double(Self.number(row: row, position: position - tap))
            }
        }
        return sum
    }

    func outputs(on instructionSet: InstructionSet) -> [Float] {
        let taps = [
            dn_tap(output_first: 0, count: Int32(positions), input_first: 0, starts: true),
            dn_tap(output_first: 1, count: Int32(positions - 1), input_first: 0, starts: false),
        ]
        let output = FloatBuffer(count: positions * channels)
        taps.withUnsafeBufferPointer { taps in
            var convolution = dn_convolution()
            convolution.weights = UnsafePointer(weights.pointer)
            convolution.input = UnsafePointer(input.pointer)
            convolution.output = output.pointer
            convolution.bias = UnsafePointer(bias.pointer)
            convolution.taps = taps.baseAddress
            convolution.tap_count = Int32(taps.count)
            convolution.rows = Int32(rows)
            convolution.vectors = Int32(vectors)
            convolution.row_stride = Int64(rowStride)
            convolution.output_stride = Int64(channels)
            dn_convolve(instructionSet.table, dn_f32, &convolution)
        }
        return Array(UnsafeBufferPointer(start: output.pointer, count: output.count))
    }
}

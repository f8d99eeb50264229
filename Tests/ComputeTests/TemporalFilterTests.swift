import CKernels
import Testing

@testable import Compute

@Suite("Minimal filtering in time")
struct TemporalFilterTests {
    /// Lengths of whole tiles and of parts of one, channels of whole vectors and of parts of one, by one to three threads.
    private static let layers = [
        FilteredLayer(taps: 5, length: 4, inChannels: 64, outChannels: 48, threads: 1),
        FilteredLayer(taps: 5, length: 7, inChannels: 50, outChannels: 70, threads: 2),
        FilteredLayer(taps: 5, length: 16, inChannels: 33, outChannels: 130, threads: 3),
        FilteredLayer(taps: 5, length: 64, inChannels: 96, outChannels: 64, threads: 2),
        FilteredLayer(taps: 3, length: 4, inChannels: 64, outChannels: 64, threads: 1),
        FilteredLayer(taps: 3, length: 11, inChannels: 70, outChannels: 50, threads: 2),
        FilteredLayer(taps: 3, length: 32, inChannels: 65, outChannels: 80, threads: 1),
    ]

    @Test(arguments: InstructionSet.supported, layers)
    func `Filtered layers compute what taps do, and lose few digits more`(
        isa: InstructionSet,
        layer: FilteredLayer
    ) {
        for batch in [1, 3, 17] {
            let samples = layer.samples(batch)
            let expected = layer.exact(samples)
            let scale = rootMeanSquare(expected)
            func error(_ filtering: Filtering) -> (mean: Double, largest: Double) {
                let found = layer.convolved(samples, isa, filtering)
                let errors = zip(found, expected).map { (Double($0) - $1) / scale }
                return (rootMeanSquare(errors), errors.map(abs).max() ?? .infinity)
            }
            let taps = error(.none)
            let filtered = error(FilteredLayer.filtering)
            #expect(taps.mean < 5e-7)
            #expect(filtered.mean < 1e-6 && filtered.mean < 4 * taps.mean, "\(filtered), by taps \(taps)")
            #expect(filtered.largest < 1e-5 && filtered.mean != taps.mean)
        }
    }

    @Test(arguments: InstructionSet.supported, layers)
    func `A sample has the same bits in every batch`(isa: InstructionSet, layer: FilteredLayer) {
        let all = layer.samples(13)
        let together = layer.convolved(all, isa, FilteredLayer.filtering)
        let (inputs, outputs) = (all.count / 13, together.count / 13)
        for sample in [0, 5, 12] {
            let alone = layer.convolved(
                Array(all[sample * inputs..<(sample + 1) * inputs]),
                isa,
                FilteredLayer.filtering
            )
            #expect(alone == Array(together[sample * outputs..<(sample + 1) * outputs]))
        }
    }

    @Test func `Layers are filtered if that saves time for the batch`() {
        func saves(_ taps: Int, length: Int, channels: Int = 512, batch: Int) -> Bool {
            let gain = TemporalFilter.gain(shape(taps, length: length, channels: channels), batch: batch)
            return (gain?.products ?? 0) > 0
        }
        // At batch 1 a weight is used too seldom: reading it takes the time.
        #expect(
            !saves(5, length: 16, batch: 1) && saves(5, length: 16, batch: 3)
                && saves(5, length: 64, batch: 1)
        )
        #expect(!saves(5, length: 4, batch: 8) && saves(5, length: 4, batch: 20))
        #expect(saves(3, length: 16, batch: 8))
        #expect(
            !saves(5, length: 8, channels: 4, batch: 20),
            "transforming four channels takes longer than it saves"
        )
        #expect(
            !saves(7, length: 16, batch: 20) && !saves(1, length: 16, batch: 20),
            "no filter has so many taps"
        )
        #expect(!saves(5, length: 2, batch: 20), "two taps meet padding alone")
    }

    @Test func `Memory is bounded, and goes where it saves most`() throws {
        let shapes = [4, 8, 16, 32, 64].map { shape(5, length: $0, channels: 256) }
        let each = 256 * 256 * 3 * 4
        let cases: [(memory: Int, layers: Set<Int>)] = [
            (0, []), (each - 1, []), (each, [4]), (2 * each + 5, [3, 4]), (5 * each, [0, 1, 2, 3, 4]),
        ]
        for (memory, layers) in cases {
            let chosen = TemporalFilter.chosen(among: shapes, Filtering(batch: 20, memory: memory))
            #expect(chosen.layers == layers && chosen.bytes == layers.count * each && chosen.bytes <= memory)
        }
        #expect(TemporalFilter.chosen(among: shapes, .none).layers.isEmpty)
        #expect(TemporalFilter.chosen(among: shapes, Filtering(batch: 0)).layers.isEmpty)
        #expect(TemporalFilter.chosen(among: shapes, Filtering(batch: 1)).layers == [4])
        #expect(TemporalFilter.chosen(among: [nil, shapes[4]], Filtering(batch: 1)).layers == [1])
    }

    @Test func `A filtered network has the weights that it says it has`() throws {
        let isa = try #require(InstructionSet.supported.first { $0.precisions.contains(.f32) })
        let layer = FilteredLayer(taps: 5, length: 16, inChannels: 64, outChannels: 64, threads: 1)
        let (taps, filtered) = (layer.network(isa, .none, 1), layer.network(isa, FilteredLayer.filtering, 1))
        let engine = layer.engine(isa, FilteredLayer.filtering)
        #expect(filtered.weightBytes - taps.weightBytes == engine.plan(layer.layers).filteringBytes)
        #expect(filtered.weightBytes > taps.weightBytes)
    }

    @Test func `Kernels say which layers they filter unless that is the standard`() throws {
        let kernel = try #require(Kernel(best: .f32))
        guard case .packed = kernel.backend else { return }
        let name = kernel.description
        #expect(kernel.filtering == .none && kernel.description == name)
        #expect(kernel.filtered(Filtering(batch: 8)).description == "\(name) filtered for 8")
        #expect(
            kernel.filtered(Filtering(batch: 8, memory: 5 << 20)).description
                == "\(name) filtered for 8 in 5 MiB"
        )
        #expect(kernel.filtered(Filtering(batch: 8)).filtered(.none).description == name)
        let integers = try #require(Kernel(best: .int8))
        #expect(
            integers.filtered(.none).description == integers.description,
            "single precision alone is filtered"
        )
    }

    private func shape(_ taps: Int, length: Int, channels: Int) -> ConvolutionShape {
        ConvolutionShape(
            name: "a",
            inChannels: channels,
            outChannels: channels,
            sampling: .same(taps: taps),
            length: length
        )
    }
}

private func rootMeanSquare(_ values: [Double]) -> Double {
    (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
}

/// A network of one convolution in time, with random weights.
struct FilteredLayer: Sendable {
    /// Filters whatever it can.
    static let filtering = Filtering(batch: 1024)

    let taps: Int
    let length: Int
    let inChannels: Int
    let outChannels: Int
    let threads: Int

    private var shape: ConvolutionShape {
        ConvolutionShape(
            name: "a",
            inChannels: inChannels,
            outChannels: outChannels,
            sampling: .same(taps: taps),
            length: length
        )
    }

    var layers: [Layer] {
        [
            Layer(
                operation: .convolution(shape),
                inputs: [Activation(id: 0, channels: inChannels, length: length)],
                output: Activation(id: 1, channels: outChannels, length: length)
            )
        ]
    }

    func engine(_ isa: InstructionSet, _ filtering: Filtering) -> Engine {
        Engine(isa: isa, precision: .f32, threads: threads, locksWeights: false, filtering: filtering)
    }

    func network(_ isa: InstructionSet, _ filtering: Filtering, _ batch: Int) -> PackedNetwork {
        PackedNetwork(
            layers: layers,
            engine: engine(isa, filtering),
            maximumBatch: batch,
            stallWatch: nil,
            parameter: { random($0.count, seed: UInt32($0.shape.count)) }
        )
    }

    /// [batch, length, inChannels]
    func samples(_ batch: Int) -> [Float] { random(batch * length * inChannels, seed: 7) }

    /// By the kernels: [batch, length, outChannels].
    func convolved(_ samples: [Float], _ isa: InstructionSet, _ filtering: Filtering) -> [Float] {
        let batch = samples.count / (length * inChannels)
        // Room for a larger batch, so that nothing depends on the room.
        let network = network(isa, filtering, batch + 2)
        var outputs = [Float](repeating: .nan, count: batch * length * outChannels)
        let isDone = outputs.withUnsafeMutableBufferPointer { outputs in
            samples.withUnsafeBufferPointer { samples in
                guard let input = samples.baseAddress, let output = outputs.baseAddress else { return false }
                return network.forward(
                    input,
                    batch: batch,
                    film: input,
                    filmStride: 0,
                    until: nil,
                    unless: nil,
                    into: output
                )
            }
        }
        #expect(isDone)
        return outputs
    }

    /// In double precision: [batch, length, outChannels].
    func exact(_ samples: [Float]) -> [Double] {
        let weight = random(shape.weight.count, seed: 3)
        let bias = random(outChannels, seed: 1)
        return (0..<samples.count / (length * inChannels)).flatMap { sample in
            (0..<length).flatMap { time in
                (0..<outChannels).map { out in
                    var sum = Double(bias[out])
                    for tap in 0..<taps {
                        let source = time + tap - taps / 2
                        guard (0..<length).contains(source) else { continue }
                        let first = (sample * length + source) * inChannels
                        for channel in 0..<inChannels {
                            let index = (out * inChannels + channel) * taps + tap
                            sum += Double(weight[index]) * Double(samples[first + channel])
                        }
                    }
                    return sum
                }
            }
        }
    }

    private func random(_ count: Int, seed: UInt32) -> [Float] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(state >> 8) / Float(1 << 23) - 1
        }
    }
}

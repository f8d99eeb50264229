import BenchmarkNetworks
import Clocks
import Foundation
import NumPyRandom
import Testing

@testable import Compute
@testable import Networks

/// The goldens that Tests/Oracles/denoiser.py takes from LeRobot's PyTorch network.
struct UNet1DGoldens: Decodable {
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        struct Architecture: Decodable, Sendable {
            let actionDim: Int
            let horizon: Int
            let conditionDim: Int
            let downDims: [Int]
            let kernelSize: Int
            let nGroups: Int
            let diffusionStepEmbedDim: Int
            let useFilmScaleModulation: Bool
        }
        struct NamedShape: Decodable, Sendable {
            let name: String
            let shape: [Int]

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                self.name = try container.decode(String.self)
                self.shape = try container.decode([Int].self)
            }
        }
        let name: String
        let architecture: Architecture
        let parameters: [NamedShape]
        let outputs: [[Float]]

        var testDescription: String { name }

        func unet() throws -> UNet1DArchitecture {
            try UNet1DArchitecture(
                actionDim: architecture.actionDim,
                horizon: architecture.horizon,
                conditionDim: architecture.conditionDim,
                downDims: architecture.downDims,
                kernelSize: architecture.kernelSize,
                nGroups: architecture.nGroups,
                diffusionStepEmbedDim: architecture.diffusionStepEmbedDim,
                useFiLMScaleModulation: architecture.useFilmScaleModulation
            )
        }
    }
    let seed: UInt64
    let timesteps: [Int]
    let cases: [Case]

    static let loaded: UNet1DGoldens = {
        do {
            let url = try #require(Bundle.module.url(forResource: "unet1d", withExtension: "json"))
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(UNet1DGoldens.self, from: Data(contentsOf: url))
        } catch {
            preconditionFailure("the goldens cannot be read: \(error)")
        }
    }()
}

/// The network's inputs for a golden case, drawn as the oracle draws them.
struct Draws {
    let conditions: [[Float]]
    /// [timesteps, horizon, actionDim]
    let samples: [Float]

    init(_ architecture: UNet1DArchitecture, seed: UInt64, index: Int, batch: Int) {
        var generator = PCG64(SeedSequence(entropy: [seed, UInt64(1_000_000 + index)]))
        func draw(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float(generator.uniform(low: -1, high: 1)) }
        }
        self.conditions = (0..<2).map { _ in draw(architecture.conditionDim) }
        self.samples = draw(batch * architecture.sampleSize)
    }
}

/// `||value - reference|| / ||reference||`.
func relativeError(_ value: [Float], _ reference: [Float]) -> Double {
    precondition(value.count == reference.count)
    let difference = zip(value, reference).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    let norm = reference.reduce(0.0) { $0 + Double($1) * Double($1) }
    return (difference / norm).squareRoot()
}

extension UNet1D {
    func outputs(samples: [Float], timesteps: [Int]) -> [Float] {
        var result = [Float](repeating: .nan, count: samples.count)
        var span = result.mutableSpan
        predict(samples: samples.span, timesteps: timesteps.span, into: &span)
        return result
    }

    /// Nil if the network gives up, which it has no reason to.
    func outputs(samples: [Float], timesteps: [Int], conditions: [Int]) -> [Float]? {
        var result = [Float](repeating: .nan, count: samples.count)
        var span = result.mutableSpan
        let isDone = predict(
            samples: samples.span,
            timesteps: timesteps.span,
            conditions: conditions.span,
            until: nil,
            into: &span
        )
        return isDone ? result : nil
    }
}

@Suite("UNet1D against PyTorch", .serialized)
struct UNet1DTests {
    static let cases = Array(UNet1DGoldens.loaded.cases.indices)

    /// The relative error that a kernel may have against PyTorch in f32.
    static func bound(_ kernel: Kernel) -> Double {
        switch kernel.precision {
        case .f32: 1e-5
        case .bf16: 1e-2
        case .int8: kernel.inputBits == 7 ? 8e-2 : 5e-2
        }
    }

    /// Every kernel of this processor, and in single precision filtered as far as it can be. `InstructionSetTests` says which ones
    /// it lacks.
    static let kernels = Backend.available.flatMap { backend in
        let standard = backend.precisions.compactMap { Kernel(backend, precision: $0) }
        let exact = standard.filter { $0.precision == .f32 && backend != .openBLAS }
        return standard + exact.map { $0.filtered(filtered) }
    }

    /// What filters every layer that it saves time in for very large batches.
    static let filtered = Filtering(batch: 1024)

    @Test func `Goldens of 5 and of 3 taps have filtered layers`() throws {
        let kernel = try #require(Self.kernels.first { $0.filtering == Self.filtered })
        for name in ["a real size", "kernel 3", "odd sizes, shift only", "long horizon"] {
            let golden = try #require(UNet1DGoldens.loaded.cases.first { $0.name == name })
            #expect(try golden.unet().filteringBytes(kernel) > 0, "\(name)")
        }
    }

    @Test func `Networks say what filtering takes`() throws {
        let kernel = try #require(Kernel(best: .f32))
        let paper = UNet1DArchitecture.paper
        func mebibytes(_ filtering: Filtering) -> Int {
            paper.filteringBytes(kernel.filtered(filtering)) >> 20
        }
        #expect(mebibytes(.none) == 0 && mebibytes(Filtering(batch: 1)) == 0)
        #expect((5...40).contains(mebibytes(Filtering(batch: 8))))
        #expect((100...200).contains(mebibytes(Filtering(batch: 20))))
        #expect((40...50).contains(mebibytes(Filtering(batch: 20, memory: 50 << 20))))
        #expect(UNet1DArchitecture.lerobot.filteringBytes(kernel.filtered(Filtering(batch: 1))) > 0)
        let integers = try #require(Kernel(best: .int8))
        #expect(paper.filteringBytes(integers.filtered(Filtering(batch: 20))) == 0)
    }

    func network(
        _ index: Int,
        maximumBatch: Int,
        maximumConditions: Int = 1,
        kernel: Kernel,
        threads: Int
    ) throws -> UNet1D {
        let goldens = UNet1DGoldens.loaded
        let architecture = try goldens.cases[index].unet()
        return UNet1D(
            architecture: architecture,
            timesteps: goldens.timesteps,
            maximumBatch: maximumBatch,
            maximumConditions: maximumConditions,
            threads: threads,
            kernel: kernel,
            parameter: { architecture.randomValues(for: $0, seed: goldens.seed) }
        )
    }

    @Test("has PyTorch's parameters, in its order", arguments: cases)
    func parameters(index: Int) throws {
        let golden = UNet1DGoldens.loaded.cases[index]
        let parameters = try golden.unet().parameters
        #expect(parameters.map(\.name) == golden.parameters.map(\.name))
        #expect(parameters.map(\.shape) == golden.parameters.map(\.shape))
    }

    @Test("gives PyTorch's output, within the precision's bound", arguments: cases, kernels)
    func outputs(index: Int, kernel: Kernel) throws {
        // One to three threads, so that every kernel meets every way of sharing channels out.
        let threads = 1 + index % 3
        let goldens = UNet1DGoldens.loaded
        let golden = goldens.cases[index]
        let batch = goldens.timesteps.count
        let network = try network(index, maximumBatch: batch + 3, kernel: kernel, threads: threads)
        let count = network.architecture.sampleSize
        let draws = Draws(network.architecture, seed: goldens.seed, index: index, batch: batch)
        let bound = Self.bound(kernel)
        for (condition, expected) in zip(draws.conditions, golden.outputs) {
            network.setCondition(condition.span)
            let output = network.outputs(samples: draws.samples, timesteps: goldens.timesteps)
            let error = relativeError(output, expected)
            #expect(error < bound, "\(golden.name), \(kernel), \(threads) threads: relative error \(error)")

            // A batch of one after a larger batch: nothing of the larger one may show.
            let last = (batch - 1) * count..<batch * count
            let alone = network.outputs(
                samples: Array(draws.samples[last]),
                timesteps: [goldens.timesteps[batch - 1]]
            )
            #expect(relativeError(alone, Array(expected[last])) < 2 * bound)
        }
    }

    @Test("computes each entry of a batch under its own condition and timestep", arguments: kernels)
    func conditions(kernel: Kernel) throws {
        let goldens = UNet1DGoldens.loaded
        let index = 0
        let network = try network(index, maximumBatch: 4, maximumConditions: 2, kernel: kernel, threads: 2)
        let count = network.architecture.sampleSize
        let draws = Draws(network.architecture, seed: goldens.seed, index: index, batch: 4)
        let timesteps = [1, 1, 2, 1].map { goldens.timesteps[$0] }
        let conditions = [1, 0, 1, 1]
        var alone: [Float] = []
        for (sample, condition) in conditions.enumerated() {
            let values = draws.conditions[condition]
            network.setCondition(values.span)
            alone += network.outputs(
                samples: Array(draws.samples[sample * count..<(sample + 1) * count]),
                timesteps: [timesteps[sample]]
            )
        }
        for (condition, values) in draws.conditions.enumerated() {
            network.setCondition(values.span, at: condition)
        }
        let together = try #require(
            network.outputs(samples: draws.samples, timesteps: timesteps, conditions: conditions)
        )
        #expect(relativeError(together, alone) < 2 * Self.bound(kernel))
        // The conditions differ, and so do the outputs.
        #expect(relativeError(Array(alone[..<count]), Array(alone[count..<2 * count])) > 1e-3)
        // Without conditions, all entries are under the first.
        let first = network.outputs(samples: draws.samples, timesteps: timesteps, conditions: [0, 0, 0, 0])
        #expect(network.outputs(samples: draws.samples, timesteps: timesteps) == first)
    }

    /// What sampling several robots' chunks together rests on. BLAS promises no such thing.
    @Test(
        "gives an entry the same bits in every batch",
        arguments: cases,
        kernels.filter { $0.backend != .openBLAS }
    )
    func batchMates(index: Int, kernel: Kernel) throws {
        let goldens = UNet1DGoldens.loaded
        let largest = 19
        let network = try network(
            index,
            maximumBatch: largest + 2,
            maximumConditions: 2,
            kernel: kernel,
            threads: 1 + index % 3
        )
        let count = network.architecture.sampleSize
        let draws = Draws(network.architecture, seed: goldens.seed, index: index, batch: largest)
        for (condition, values) in draws.conditions.enumerated() {
            network.setCondition(values.span, at: condition)
        }
        let entries = (0..<largest).map { entry -> (sample: [Float], timestep: Int, condition: Int) in
            let sample = Array(draws.samples[entry * count..<(entry + 1) * count])
            return (sample, goldens.timesteps[entry % goldens.timesteps.count], entry / 2 % 2)
        }
        func outputs(_ batch: [Int]) throws -> [[Float]] {
            let found = network.outputs(
                samples: batch.flatMap { entries[$0].sample },
                timesteps: batch.map { entries[$0].timestep },
                conditions: batch.map { entries[$0].condition }
            )
            let all = try #require(found)
            return batch.indices.map { Array(all[$0 * count..<($0 + 1) * count]) }
        }
        let alone = try entries.indices.map { try outputs([$0])[0] }
        for size in [2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 19] {
            for batch in [Array(0..<size), Array((largest - size..<largest).reversed())] {
                for (entry, output) in zip(batch, try outputs(batch)) {
                    #expect(output == alone[entry], "\(golden(index)), \(kernel), entry \(entry) of \(size)")
                }
            }
        }
    }

    private func golden(_ index: Int) -> String { UNet1DGoldens.loaded.cases[index].name }

    /// More inputs than share a scale, and an odd number of pairs of them.
    @Test(
        "agrees with single precision whatever the number of inputs",
        arguments: kernels,
        [(widths: [48, 640], groups: 8), (widths: [72, 90], groups: 6)]
    )
    func inputs(kernel: Kernel, shape: (widths: [Int], groups: Int)) throws {
        let architecture = try UNet1DArchitecture(
            actionDim: 2,
            horizon: 4,
            conditionDim: 4,
            downDims: shape.widths,
            kernelSize: 3,
            nGroups: shape.groups,
            diffusionStepEmbedDim: 16
        )
        let draws = Draws(architecture, seed: 5, index: 0, batch: 3)
        func outputs(_ kernel: Kernel) -> [Float] {
            let network = UNet1D(
                architecture: architecture,
                timesteps: [7],
                maximumBatch: 3,
                threads: 2,
                kernel: kernel,
                parameter: { architecture.randomValues(for: $0, seed: 5) }
            )
            let condition = draws.conditions[0]
            network.setCondition(condition.span)
            return network.outputs(samples: draws.samples, timesteps: [7, 7, 7])
        }
        let error = relativeError(outputs(kernel), outputs(.exact))
        #expect(error < Self.bound(kernel), "\(kernel): relative error \(error)")
    }

    @Test("never makes numbers of what is none", arguments: kernels)
    func notFinite(kernel: Kernel) throws {
        let goldens = UNet1DGoldens.loaded
        let network = try network(0, maximumBatch: 2, kernel: kernel, threads: 2)
        let draws = Draws(network.architecture, seed: goldens.seed, index: 0, batch: 2)
        let count = network.architecture.sampleSize
        let condition = draws.conditions[0]
        network.setCondition(condition.span)
        var samples = Array(draws.samples[..<(2 * count)])
        let timesteps = [goldens.timesteps[1], goldens.timesteps[1]]
        let expected = network.outputs(samples: samples, timesteps: timesteps)
        for value in [Float.nan, .infinity] {
            samples[count + 3] = value
            let outputs = network.outputs(samples: samples, timesteps: timesteps)
            #expect(Array(outputs[..<count]) == Array(expected[..<count]))
            #expect(outputs[count...].allSatisfy { !$0.isFinite })
        }
    }

    @Test("gives a pass up that comes too late, and does the next one", arguments: kernels)
    func givesUp(kernel: Kernel) throws {
        let goldens = UNet1DGoldens.loaded
        let network = try network(0, maximumBatch: 2, maximumConditions: 2, kernel: kernel, threads: 2)
        let draws = Draws(network.architecture, seed: goldens.seed, index: 0, batch: 2)
        let condition = draws.conditions[0]
        for index in 0..<2 { network.setCondition(condition.span, at: index) }
        let samples = Array(draws.samples[..<(2 * network.architecture.sampleSize)])
        let timesteps = [goldens.timesteps[1], goldens.timesteps[1]]
        let expected = network.outputs(samples: samples, timesteps: timesteps)
        // OpenBLAS has no stages to stop between.
        let isPacked = kernel.backend != .openBLAS
        for (time, isDone) in [(Duration.seconds(-1), !isPacked), (.seconds(3600), true)] {
            var outputs = [Float](repeating: 7, count: samples.count)
            var span = outputs.mutableSpan
            let conditions = [0, 1]
            let batchIsDone = network.predict(
                samples: samples.span,
                timesteps: timesteps.span,
                conditions: conditions.span,
                until: .now() + time,
                into: &span
            )
            #expect(batchIsDone == isDone)
            #expect(isDone ? outputs == expected : outputs.allSatisfy { $0 == 7 })
        }
        #expect(network.outputs(samples: samples, timesteps: timesteps) == expected)
    }
}

@Suite("UNet1DArchitecture")
struct UNet1DArchitectureTests {
    @Test("counts the paper's parameters")
    func paper() {
        #expect((65_700_000...65_900_000).contains(UNet1DArchitecture.paper.parameterCount))
        #expect(abs(Double(UNet1DArchitecture.paper.operationsPerSample) / 0.59e9 - 1) < 0.02)
    }

    static func refusal(
        actionDim: Int = 2,
        horizon: Int = 16,
        conditionDim: Int = 4,
        downDims: [Int] = [16, 32],
        kernelSize: Int = 5,
        nGroups: Int = 8,
        diffusionStepEmbedDim: Int = 16
    ) -> ArchitectureError? {
        do {
            _ = try UNet1DArchitecture(
                actionDim: actionDim,
                horizon: horizon,
                conditionDim: conditionDim,
                downDims: downDims,
                kernelSize: kernelSize,
                nGroups: nGroups,
                diffusionStepEmbedDim: diffusionStepEmbedDim
            )
            return nil
        } catch {
            return error
        }
    }

    @Test("refuses what no network can be, naming the field")
    func refusals() {
        #expect(Self.refusal() == nil)
        #expect(Self.refusal(actionDim: 0)?.field == "action_dim")
        #expect(Self.refusal(conditionDim: 0)?.field == "condition_dim")
        #expect(Self.refusal(downDims: [])?.field == "down_dims")
        #expect(Self.refusal(downDims: [16, 36])?.field == "down_dims")
        #expect(Self.refusal(downDims: [-8, 16])?.field == "down_dims")
        #expect(Self.refusal(downDims: [20, 40], nGroups: 4)?.field == "down_dims")
        #expect(Self.refusal(horizon: 15)?.field == "horizon")
        #expect(Self.refusal(horizon: 0)?.field == "horizon")
        #expect(Self.refusal(kernelSize: 4)?.field == "kernel_size")
        #expect(Self.refusal(nGroups: 0)?.field == "n_groups")
        #expect(Self.refusal(diffusionStepEmbedDim: 7)?.field == "diffusion_step_embed_dim")
        #expect(Self.refusal(diffusionStepEmbedDim: 2)?.field == "diffusion_step_embed_dim")
        #expect(
            Self.refusal(kernelSize: 4)?.description == "kernel_size is 4, expected odd, 1...63"
        )
    }
}

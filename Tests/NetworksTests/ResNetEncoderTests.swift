import Compute
import NumPyRandom
import Testing

@testable import Networks

@Suite("The image encoder")
struct ResNetEncoderTests {
    /// Weights that keep activations of all layers of one size, by the parameters' names.
    private func weights(of architecture: ResNetArchitecture) -> [String: [Float]] {
        var weights: [String: [Float]] = [:]
        for parameter in architecture.parameters {
            var generator = PCG64(
                seed: UInt64(parameter.name.utf8.reduce(UInt32(0)) { $0 &* 31 &+ UInt32($1) })
            )
            let isVector = parameter.shape.count == 1
            let middle =
                isVector && (parameter.name.hasSuffix("weight") || parameter.name.hasSuffix("var")) ? 1.0 : 0
            let fanIn = Double(parameter.count / parameter.shape[0])
            let scale = isVector ? 0.25 : (6 / fanIn).squareRoot()
            weights[parameter.name] = (0..<parameter.count).map { _ in
                Float(generator.uniform(low: middle - scale, high: middle + scale))
            }
        }
        return weights
    }

    /// - Parameter weights: of all parameters, by their names.
    private func encoder(
        _ architecture: ResNetArchitecture,
        _ weights: [String: [Float]],
        _ kernel: Kernel,
        threads: Int = 2
    ) -> ResNetEncoder {
        ResNetEncoder(architecture: architecture, maximumFrames: 3, threads: threads, kernel: kernel) {
            weights[$0.name] ?? []
        }
    }

    private func frames(_ count: Int, of architecture: ResNetArchitecture) -> [Float] {
        var generator = PCG64(seed: 1)
        return (0..<count * architecture.height * architecture.width * 3).map { _ in
            Float(generator.uniform(low: -2, high: 2))
        }
    }

    private func features(_ encoder: ResNetEncoder, _ frames: [Float]) -> [Float] {
        let count = frames.count / (encoder.height * encoder.width * 3)
        var features = [Float](repeating: 0, count: count * encoder.featureCount)
        var span = features.mutableSpan
        encoder.encode(frames.span, into: &span)
        return features
    }

    private func deviation(_ found: [Float], _ expected: [Float]) -> Float {
        let scale = expected.map(abs).max() ?? 1
        return zip(found, expected).map { abs($0 - $1) }.max().map { $0 / scale } ?? .infinity
    }

    /// Odd sizes, so that strides and strips end unevenly; a map of a single position; more than a strip of rows.
    static let shapes: [ResNetArchitecture] = [
        ResNetArchitecture(backbone: .resnet18, norm: .group, height: 84, width: 84, keypoints: 32),
        ResNetArchitecture(backbone: .resnet18, norm: .batch, height: 45, width: 71, keypoints: 20),
        ResNetArchitecture(backbone: .resnet18, norm: .group, height: 32, width: 19, keypoints: 3),
        ResNetArchitecture(backbone: .resnet34, norm: .batch, height: 33, width: 40, keypoints: 32),
        ResNetArchitecture(backbone: .resnet50, norm: .group, height: 37, width: 51, keypoints: 32),
    ]

    @Test(arguments: shapes)
    func `Every set of kernels computes what OpenBLAS does`(architecture: ResNetArchitecture) throws {
        let input = frames(2, of: architecture)
        let weights = weights(of: architecture)
        let exact = try #require(Kernel(.openBLAS, precision: .f32))
        let expected = features(encoder(architecture, weights, exact, threads: 1), input)
        #expect(Set(expected).count > expected.count / 4, "features that tell nothing")
        for instructionSet in InstructionSet.supported {
            // What a precision loses grows from layer to layer: the bounds are for 50 layers at most.
            let bounds: [Precision: Float] = [.f32: 2e-5, .bf16: 0.1, .int8: 0.2]
            for precision in instructionSet.precisions {
                let kernel = try #require(Kernel(.packed(instructionSet), precision: precision))
                let found = features(encoder(architecture, weights, kernel), input)
                #expect(deviation(found, expected) < bounds[precision] ?? 0, "\(kernel)")
            }
        }
    }

    @Test(arguments: Kernel.tested, ImageNormKind.allCases)
    func `What a frame becomes depends on it alone, whatever the threads`(
        kernel: Kernel,
        norm: ImageNormKind
    ) {
        let architecture = ResNetArchitecture(
            backbone: .resnet18,
            norm: norm,
            height: 45,
            width: 71,
            keypoints: 20
        )
        let input = frames(3, of: architecture)
        let frame = input.count / 3
        let weights = weights(of: architecture)
        let together = features(encoder(architecture, weights, kernel, threads: 1), input)
        for threads in [1, 2, 3, 5] {
            let encoder = encoder(architecture, weights, kernel, threads: threads)
            // Back and forth: what was computed before leaves no trace.
            #expect(features(encoder, input) == together)
            for index in [2, 0, 1] {
                let alone = features(encoder, Array(input[index * frame..<(index + 1) * frame]))
                #expect(alone == Array(together[index * 64 * 20 / 32..<(index + 1) * 64 * 20 / 32]))
            }
            #expect(features(encoder, input) == together)
        }
    }

    @Test func `The architecture has LeRobot's parameters`() {
        let group = ResNetArchitecture(
            backbone: .resnet18,
            norm: .group,
            height: 84,
            width: 84,
            keypoints: 32
        )
        // LeRobot's own count has the grid's 18 numbers.
        #expect(group.parameterCount == 11_197_106 - 18)
        #expect(group.parameters.count == 65)
        #expect(group.mapSize == (3, 3))
        #expect(group.parameters.first?.name == "backbone.0.weight")
        #expect(
            group.parameters.contains {
                $0.name == "backbone.5.0.downsample.0.weight" && $0.shape == [128, 64, 1, 1]
            }
        )
        let deep = ResNetArchitecture(backbone: .resnet34, norm: .group, height: 84, width: 84, keypoints: 32)
        #expect(deep.parameterCount == 21_305_266 - 18)
        #expect(deep.parameters.count == 113)
        let wide = ResNetArchitecture(
            backbone: .resnet18,
            norm: .group,
            height: 240,
            width: 320,
            keypoints: 32
        )
        #expect(wide.mapSize == (8, 10))
        #expect((5.4e9...5.8e9).contains(Double(wide.operationsPerFrame)))
    }
}

extension Kernel {
    /// In single precision every one that this processor has; of the other precisions the best.
    fileprivate static let tested =
        InstructionSet.supported.compactMap { Kernel(.packed($0), precision: .f32) }
        + Precision.allCases.filter { $0 != .f32 }.compactMap { Kernel(best: $0) }
}

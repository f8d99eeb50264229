import BenchmarkNetworks
import CKernels
import Testing

@testable import Compute
@testable import Networks

@Suite("Layers of a UNet")
struct LayerTests {
    static let shapes: [UNet1DArchitecture] =
        UNet1DGoldens.loaded.cases.compactMap { try? $0.unet() } + [.paper]

    @Test func `the shape of every golden is among those that are tested`() {
        let cases = UNet1DGoldens.loaded.cases.count
        #expect(cases > 0 && Self.shapes.count == cases + 1)
    }

    @Test("every activation is written once before it is read", arguments: shapes)
    func order(shape: UNet1DArchitecture) {
        let layers = shape.layers
        var written = [layers.input.id: layers.input]
        for layer in layers {
            for input in layer.inputs { #expect(written[input.id] == input) }
            switch layer.operation {
            case .convolution, .concatenation:
                // Numbered in the order in which they are written.
                #expect(layer.output.id == written.count)
                #expect(written.updateValue(layer.output, forKey: layer.output.id) == nil)
            case .addedConvolution, .groupNormMish, .modulation, .addition:
                #expect(written[layer.output.id] == layer.output)
            }
        }
        #expect(layers.input == Activation(id: 0, channels: shape.actionDim, length: shape.horizon))
        #expect(layers.output.channels == shape.actionDim && layers.output.length == shape.horizon)
    }

    @Test("every layer's channels and lengths are those of what it reads and writes", arguments: shapes)
    func channels(shape: UNet1DArchitecture) {
        for layer in shape.layers {
            let input = layer.inputs[0]
            switch layer.operation {
            case .convolution(let convolution), .addedConvolution(let convolution):
                #expect(layer.inputs.count == 1)
                #expect(convolution.inChannels == input.channels && convolution.length == input.length)
                #expect(convolution.outChannels == layer.output.channels)
                #expect(convolution.outLength == layer.output.length)
            case .groupNormMish(let norm):
                #expect(layer.inputs == [layer.output] && norm.channels == input.channels)
                #expect(norm.channels.isMultiple(of: norm.groups))
            case .modulation(let film):
                #expect(layer.inputs == [layer.output] && film.channels == input.channels)
            case .addition:
                #expect(input.channels == layer.output.channels && input.length == layer.output.length)
            case .concatenation:
                #expect(layer.inputs.map(\.channels).reduce(0, +) == layer.output.channels)
                #expect(layer.inputs.allSatisfy { $0.length == layer.output.length })
            }
        }
    }

    @Test("FiLM's numbers follow each other without a gap", arguments: shapes)
    func film(shape: UNet1DArchitecture) {
        var next = 0
        for film in shape.modulations {
            #expect(film.offset == next)
            #expect(film.linear.outFeatures == film.channels * (shape.useFiLMScaleModulation ? 2 : 1))
            #expect(film.linear.inFeatures == shape.diffusionStepEmbedDim + shape.conditionDim)
            next += film.linear.outFeatures
        }
        // Two blocks a resolution on the way down, two at the bottom, two a resolution on the way up.
        #expect(shape.modulations.count == 4 * shape.downDims.count)
    }
}

@Suite("Stages of the packed engine")
struct PackedPlanTests {
    @Test("every convolution is a stage, or another stage's shortcut", arguments: LayerTests.shapes)
    func stages(shape: UNet1DArchitecture) {
        let plan = PackedPlan(layers: shape.layers, format: { _ in dn_bf16 })
        let own = shape.layers.filter { if case .convolution = $0.operation { true } else { false } }
        #expect(plan.stages.map(\.convolution) == own.compactMap(\.convolution))
        for (index, stage) in plan.stages.enumerated() {
            #expect(stage.inputs.allSatisfy { plan.writer(of: $0) < index })
            // A shortcut is added by a later stage of the same output.
            let adders = plan.stages.enumerated().filter {
                if case .shortcut(index) = $0.element.residual { true } else { false }
            }
            #expect(adders.count == (stage.shortcut == nil ? 0 : 1))
            for (adder, other) in adders {
                #expect(adder > index && other.output.channels == stage.output.channels)
            }
        }
        // A residual block adds something.
        let residuals = plan.stages.count { $0.residual != nil }
        #expect(residuals == shape.modulations.count)
    }

    @Test("what reads the sample and what gives the output keep single precision")
    func formats() {
        let stages = PackedPlan(layers: UNet1DArchitecture.paper.layers, format: { _ in dn_bf16 }).stages
        #expect(stages.first?.format == dn_f32 && stages.last?.format == dn_f32)
        #expect(stages.dropFirst().dropLast().allSatisfy { $0.format == dn_bf16 })
    }

    @Test("a concatenation that keeps its channels is added through the identity")
    func identity() throws {
        let shape = try UNet1DArchitecture(
            actionDim: 64,
            horizon: 8,
            conditionDim: 6,
            downDims: [64, 32]
        )
        let plan = PackedPlan(layers: shape.layers, format: { _ in dn_bf16 })
        let joined = try #require(plan.stages.first { $0.inputs.count == 2 })
        #expect(joined.convolution.name == "up_modules.0.0.conv1.block.0")
        guard case .identity = joined.shortcut else {
            Issue.record("the shortcut is \(String(describing: joined.shortcut))")
            return
        }
        // The sample is as wide as the first resolution, so it is added as it is.
        guard case .activation(plan.input) = plan.stages[1].residual else {
            Issue.record("the residual is \(String(describing: plan.stages[1].residual))")
            return
        }
    }
}

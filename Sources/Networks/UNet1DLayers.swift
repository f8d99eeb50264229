import Compute

extension UNet1DArchitecture {
    /// The network's layers in the order in which a forward pass runs them. The last one writes the network's output.
    ///
    /// This is the one place that knows the network's topology and the names of its tensors. Parameters, operations, the
    /// layout of FiLM and both engines follow from it.
    var layers: [Layer] {
        var list = LayerList(channels: actionDim, length: horizon)
        var x = list.input
        var skips: [Activation] = []
        for (level, channels) in downDims.enumerated() {
            let name = "down_modules.\(level)"
            x = residualBlock("\(name).0", x, outChannels: channels, in: &list)
            x = residualBlock("\(name).1", x, outChannels: channels, in: &list)
            skips.append(x)
            if level < downDims.count - 1 {
                x = list.convolution("\(name).2", x, outChannels: channels, .halving)
            }
        }
        for index in 0..<2 {
            x = residualBlock("mid_modules.\(index)", x, outChannels: x.channels, in: &list)
        }
        // The finest resolution's skip connection is read by nobody.
        for (index, level) in downDims.indices.dropFirst().reversed().enumerated() {
            let name = "up_modules.\(index)"
            let channels = downDims[level - 1]
            x = list.concatenation([x, skips[level]])
            x = residualBlock("\(name).0", x, outChannels: channels, in: &list)
            x = residualBlock("\(name).1", x, outChannels: channels, in: &list)
            x = list.convolution("\(name).2", x, outChannels: channels, .doubling)
        }
        x = list.convolution(
            "final_conv.0.block.0",
            x,
            outChannels: downDims[0],
            .same(taps: kernelSize)
        )
        list.groupNormMish("final_conv.0.block.1", x, groups: Self.finalGroups)
        _ = list.convolution("final_conv.1", x, outChannels: actionDim, .same(taps: 1))
        return list.layers
    }

    /// A residual block: `conv2(film(conv1(x))) + residual(x)`, each convolution followed by group normalisation and Mish.
    private func residualBlock(
        _ name: String,
        _ input: Activation,
        outChannels: Int,
        in list: inout LayerList
    ) -> Activation {
        let taps = ConvolutionShape.Sampling.same(taps: kernelSize)
        let hidden = list.convolution("\(name).conv1.block.0", input, outChannels: outChannels, taps)
        list.groupNormMish("\(name).conv1.block.1", hidden, groups: nGroups)
        list.modulation(
            "\(name).cond_encoder.1",
            hidden,
            inFeatures: diffusionStepEmbedDim + conditionDim,
            hasScale: useFiLMScaleModulation
        )
        let output = list.convolution("\(name).conv2.block.0", hidden, outChannels: outChannels, taps)
        list.groupNormMish("\(name).conv2.block.1", output, groups: nGroups)
        list.residual("\(name).residual_conv", of: input, to: output)
        return output
    }

    /// The timestep's encoder, which runs once for each timestep when the network is built: sinusoidal embedding, the first
    /// of these layers, Mish, the second.
    var timestepEncoder: (first: LinearShape, second: LinearShape) {
        let embedding = diffusionStepEmbedDim
        return (
            LinearShape(
                name: "diffusion_step_encoder.1",
                inFeatures: embedding,
                outFeatures: 4 * embedding
            ),
            LinearShape(
                name: "diffusion_step_encoder.3",
                inFeatures: 4 * embedding,
                outFeatures: embedding
            )
        )
    }

    /// FiLM of all layers, in the order in which they run.
    var modulations: [FiLMShape] {
        layers.compactMap { layer in
            if case .modulation(let shape) = layer.operation { shape } else { nil }
        }
    }
}

// MARK: - Sizes

extension UNet1DArchitecture {
    /// Every parameter of the network, in PyTorch's order.
    public var parameters: [NetworkParameter] {
        let (first, second) = timestepEncoder
        return [first.weight, first.bias, second.weight, second.bias] + layers.flatMap(\.parameters)
    }

    /// Numbers in all parameters together.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

    /// Bytes that minimal filtering takes for weights on a kernel, beyond those of the network.
    public func filteringBytes(_ kernel: Kernel) -> Int { kernel.filteringBytes(layers) }

    /// Floating-point operations of the convolutions for one sample, a multiplication and an addition counting as two.
    public var operationsPerSample: Int {
        layers.compactMap(\.convolution).reduce(0) { $0 + $1.operations }
    }
}

extension UNet1DArchitecture {
    /// One tensor of the network's parameters.
    public struct Parameter: Sendable, Hashable {
        /// Its name, relative to the UNet (`down_modules.0.0.conv1.block.0.weight`).
        public let name: String
        /// Its shape as PyTorch stores it: convolutions [out, in, taps], transposed convolutions [in, out, taps],
        /// linear layers [out, in], all others [channels].
        public let shape: [Int]

        /// Numbers in it.
        public var count: Int { shape.reduce(1, *) }
    }

    /// Every parameter of the network, in PyTorch's order.
    public var parameters: [Parameter] {
        var list: [Parameter] = []
        func add(_ name: String, weight: [Int], bias: Int) {
            list.append(Parameter(name: "\(name).weight", shape: weight))
            list.append(Parameter(name: "\(name).bias", shape: [bias]))
        }
        func addConvolutionBlock(_ name: String, _ inChannels: Int, _ outChannels: Int) {
            add("\(name).block.0", weight: [outChannels, inChannels, kernelSize], bias: outChannels)
            add("\(name).block.1", weight: [outChannels], bias: outChannels)
        }
        func addResidualBlock(_ block: ResidualBlockShape) {
            addConvolutionBlock("\(block.name).conv1", block.inChannels, block.outChannels)
            let filmCount = block.outChannels * filmValuesPerChannel
            add(
                "\(block.name).cond_encoder.1",
                weight: [filmCount, diffusionStepEmbedDim + conditionDim],
                bias: filmCount
            )
            addConvolutionBlock("\(block.name).conv2", block.outChannels, block.outChannels)
            if block.inChannels != block.outChannels {
                add(
                    "\(block.name).residual_conv",
                    weight: [block.outChannels, block.inChannels, 1],
                    bias: block.outChannels
                )
            }
        }

        let embedding = diffusionStepEmbedDim
        add("diffusion_step_encoder.1", weight: [4 * embedding, embedding], bias: 4 * embedding)
        add("diffusion_step_encoder.3", weight: [embedding, 4 * embedding], bias: embedding)
        for resolution in encoder {
            addResidualBlock(resolution.first)
            addResidualBlock(resolution.second)
            if let name = resolution.resample {
                let channels = resolution.second.outChannels
                add(name, weight: [channels, channels, 3], bias: channels)
            }
        }
        bottom.forEach(addResidualBlock)
        for resolution in decoder {
            addResidualBlock(resolution.first)
            addResidualBlock(resolution.second)
            if let name = resolution.resample {
                let channels = resolution.second.outChannels
                add(name, weight: [channels, channels, 4], bias: channels)
            }
        }
        addConvolutionBlock("final_conv.0", downDims[0], downDims[0])
        add("final_conv.1", weight: [actionDim, downDims[0], 1], bias: actionDim)
        return list
    }

    /// Numbers in all parameters together.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }
}

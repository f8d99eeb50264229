import CKernels

/// Turns an image network's layers and parameters into the stages of a packed pass.
struct PackedImageBuilder {
    private let layers: [ImageLayer]
    private let engine: Engine
    private let memory: ImageMemory
    /// What the first layer reads.
    private let frames: ImageInput
    private let maximumFrames: Int
    private let scratch: ImageScratch
    /// The largest value of each activation, by its number, and what an integer of 1 stands for in it.
    private let largest: [FrameNumbers]
    private let scales: [FrameNumbers]

    /// - Parameter layers: as of `ResNetArchitecture`: the first reads frames, the last makes logits.
    init(layers: [ImageLayer], engine: Engine, memory: ImageMemory, frames: ImageInput, maximumFrames: Int) {
        self.layers = layers
        self.engine = engine
        self.memory = memory
        self.frames = frames
        self.maximumFrames = maximumFrames
        self.scratch = ImageScratch(
            parts: engine.threads,
            sumCount: layers.map { layer in
                let needsFrames = layer.norm?.kind == .group || layer == layers.last
                return Self.sumCount(of: layer, engine, needsFrames: needsFrames, maximumFrames)
            }.max() ?? 0
        )
        func numbers() -> [FrameNumbers] {
            (0...layers.count).map { _ in FrameNumbers(parts: engine.threads, maximumFrames: maximumFrames) }
        }
        self.largest = numbers()
        self.scales = numbers()
    }

    /// The stages up to the last activation before the logits.
    func stages<Failure: Error>(
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> [PackedImageNetwork.Stage] {
        var result: [PackedImageNetwork.Stage] = []
        for layer in layers.dropLast() {
            result.append(.layer(try stage(layer, parameter: parameter)))
            if engine.imageFormat == dn_integers, let quantizer = quantizer(of: layer.output) {
                result.append(.quantizer(quantizer))
            }
        }
        return result
    }

    /// The stage of the logits and the keypoints.
    func keypoints<Failure: Error>(
        grid: NetworkParameter,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> KeypointStage {
        let layer = layers[layers.count - 1]
        guard case .convolution(let shape) = layer.operation else {
            preconditionFailure("logits are convolved")
        }
        let convolution = PackedImageConvolution(
            shape,
            weight: try parameter(shape.weight),
            input: floatInput(layer.input),
            share: Self.share(of: layer.output, engine),
            engine: engine
        )
        return KeypointStage(
            convolution,
            map: layer.output,
            grid: try parameter(grid),
            maximumFrames: maximumFrames,
            scratch: scratch,
            isa: engine.isa
        )
    }

    private func stage<Failure: Error>(
        _ layer: ImageLayer,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> PackedImageStage {
        let share = Self.share(of: layer.output, engine)
        let (norm, scale) = try norm(of: layer, parameter: parameter)
        let filter = Self.filter(of: layer, engine)
        let strips = ImageStrips(layer.output, filter: filter, maximumFrames: maximumFrames)
        let work: PackedImageStage.Work
        let input = input(of: layer)
        switch layer.operation {
        case .maximumPool:
            guard let values = memory.floats(of: layer.input) else {
                preconditionFailure("a pool reads floats")
            }
            work = .maximumPool(values)
        case .convolution(let shape):
            var weight = try parameter(shape.weight)
            if let scale {
                let row = weight.count / shape.outChannels
                for index in weight.indices { weight[index] *= scale[index / row] }
            }
            let convolution = PackedImageConvolution(
                shape,
                weight: weight,
                input: input,
                tiles: filter.map { tiles(of: layer, $0, strips) },
                share: share,
                engine: engine
            )
            scratch.reserveTiles(convolution.scratchCount, parts: engine.threads)
            work = .convolution(convolution)
        }
        return PackedImageStage(
            layer,
            work: work,
            norm: norm,
            residual: layer.residual.flatMap(memory.floats),
            destination: ImageDestination(
                values: memory.floats(of: layer.output),
                pairs: engine.imageFormat == dn_bf16 ? memory.cells(of: layer.output) : nil,
                largest: largest[layer.output.id]
            ),
            inputScales: input.isQuantized ? scales[layer.input.id] : nil,
            scratch: scratch,
            share: share,
            strips: strips,
            isa: engine.isa
        )
    }

    /// A layer's norm, and what its weights are to be scaled by.
    private func norm<Failure: Error>(
        of layer: ImageLayer,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> (norm: ImageNorm, scale: [Float]?) {
        guard let shape = layer.norm else {
            return (ImageNorm(shift: [Float](repeating: 0, count: layer.output.channels)), nil)
        }
        let gain = try parameter(shape.gain)
        let bias = try parameter(shape.bias)
        guard shape.kind == .batch else { return (ImageNorm(gain: gain, bias: bias), nil) }
        let folded = ImageNormShape.folded(
            gain: gain,
            bias: bias,
            mean: try parameter(shape.runningMean),
            variance: try parameter(shape.runningVariance)
        )
        return (ImageNorm(shift: folded.shift), folded.scale)
    }

    private func quantizer(of activation: ImageActivation) -> ImageQuantizer? {
        guard let values = memory.floats(of: activation), let integers = memory.cells(of: activation) else {
            return nil
        }
        return ImageQuantizer(
            values,
            largest: largest[activation.id],
            into: integers,
            scales: scales[activation.id],
            share: Self.share(of: activation, engine),
            isa: engine.isa
        )
    }

    /// What a layer's convolution reads.
    private func input(of layer: ImageLayer) -> ImageInput {
        if layer.input.id == 0 { return frames }
        guard let cells = memory.cells(of: layer.input) else { return floatInput(layer.input) }
        return .planes(cells, engine.imageFormat)
    }

    /// The filter in whose tiles a layer is computed, if that is faster.
    private static func filter(of layer: ImageLayer, _ engine: Engine) -> MinimalFilter? {
        guard engine.imageFormat == dn_f32, layer.input.id != 0, let shape = layer.convolution else {
            return nil
        }
        return .fastest(shape, height: layer.output.height, width: layer.output.width)
    }

    private func tiles(of layer: ImageLayer, _ filter: MinimalFilter, _ strips: ImageStrips) -> ImageTiles {
        guard let values = memory.floats(of: layer.input) else {
            preconditionFailure("a convolution in single precision reads floats")
        }
        return ImageTiles(filter, input: values, strips: strips)
    }

    /// Floats of sums that a part needs at once for a layer.
    ///
    /// - Parameter needsFrames: whether it needs all sums of the frames at once, not of a strip.
    private static func sumCount(
        of layer: ImageLayer,
        _ engine: Engine,
        needsFrames: Bool,
        _ maximumFrames: Int
    ) -> Int {
        let lanes = Int(dn_lanes)
        let output = layer.output
        let filter = filter(of: layer, engine)
        guard needsFrames else {
            let strips = ImageStrips(output, filter: filter, maximumFrames: maximumFrames)
            return engine.isa.blockVectors * strips.mostPositions * lanes
        }
        // Of tiles, the sums of all blocks are kept together.
        let mostChannels = share(of: output, engine).ranges.map(\.count).max() ?? 0
        let vectors = filter == nil ? engine.isa.blockVectors : mostChannels / lanes
        return vectors * maximumFrames * output.height * output.width * lanes
    }

    private func floatInput(_ activation: ImageActivation) -> ImageInput {
        guard let values = memory.floats(of: activation) else {
            preconditionFailure("an activation that is read")
        }
        // Kernels take cells of every format by one type.
        let cells = UnsafeMutableRawPointer(values.cells).assumingMemoryBound(to: UInt32.self)
        return .planes(ImagePlanes(cells: cells, layout: values.layout), dn_f32)
    }

    private static func share(of activation: ImageActivation, _ engine: Engine) -> ChannelShare {
        ChannelShare(channels: activation.channels, groupWidth: Int(dn_lanes), parts: engine.threads)
    }
}

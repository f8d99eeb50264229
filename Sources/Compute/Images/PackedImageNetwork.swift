import CKernels

/// An image network on the packed kernels: a list of stages, worked through by a team of threads.
///
/// `@unchecked Sendable`: the team's threads work on disjoint channels of a stage, and only while `run` waits for them, which
/// the owner calls from one thread at a time.
final class PackedImageNetwork: @unchecked Sendable {
    /// A stage, by what it does.
    enum Stage {
        case layer(PackedImageStage)
        case quantizer(ImageQuantizer)
        case keypoints(KeypointStage)
    }

    private let stages: [Stage]
    private let keypoints: KeypointStage
    /// [maximumFrames, height + 6, width + 6, 3], with a border of zeros.
    private let frames: FloatBuffer
    private let height: Int
    private let width: Int
    private let memory: ImageMemory
    private var team: ThreadTeam?
    private var frameCount = 0

    /// - Throws: what `parameter` throws.
    init<Failure: Error>(
        layers: [ImageLayer],
        grid: NetworkParameter,
        engine: Engine,
        maximumFrames: Int,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        self.height = layers[0].input.height
        self.width = layers[0].input.width
        let frames = FloatBuffer(
            count: maximumFrames * ImageInput.rgbFrameStride(height: height, width: width)
        )
        let memory = ImageMemory(layers: layers, engine: engine, maximumFrames: maximumFrames)
        let builder = PackedImageBuilder(
            layers: layers,
            engine: engine,
            memory: memory,
            frames: .rgb(frames.pointer, height: height, width: width),
            maximumFrames: maximumFrames
        )
        let keypoints = try builder.keypoints(grid: grid, parameter: parameter)
        self.stages = try builder.stages(parameter: parameter) + [.keypoints(keypoints)]
        self.keypoints = keypoints
        self.frames = frames
        self.memory = memory
        self.team = ThreadTeam(
            count: engine.threads,
            stageCount: stages.count,
            work: { [unowned self] stage, part in self.run(stage: stage, part: part) }
        )
    }

    deinit { team?.stop() }

    /// Bytes of weights that a pass reads.
    var weightBytes: Int {
        stages.reduce(0) { sum, stage in
            switch stage {
            case .layer(let stage): sum + stage.weightBytes
            case .keypoints(let stage): sum + stage.weightBytes
            case .quantizer: sum
            }
        }
    }

    /// Finds the keypoints of `count` frames, [count, height, width, 3].
    func run(_ values: UnsafePointer<Float>, count: Int) {
        let border = ImageInput.rgbBorder
        let rowStride = ImageInput.rgbRowStride(width: width)
        let frameStride = ImageInput.rgbFrameStride(height: height, width: width)
        let row = width * Int(dn_rgb)
        for frame in 0..<count {
            let first = frames.pointer + frame * frameStride + border * rowStride + border * Int(dn_rgb)
            for y in 0..<height {
                (first + y * rowStride).update(from: values + (frame * height + y) * row, count: row)
            }
        }
        frameCount = count
        team?.run()
    }

    /// The positions of a frame's keypoints after `run`, [keypoints, 2], x first.
    func points(frame: Int) -> UnsafePointer<Float> { keypoints.points(frame: frame) }

    /// Gives the cores of the other threads free until the next pass.
    func rest() { team?.rest() }

    private func run(stage: Int, part: Int) {
        switch stages[stage] {
        case .layer(let stage): stage.run(part: part, frames: frameCount)
        case .quantizer(let stage): stage.run(part: part, frames: frameCount)
        case .keypoints(let stage): stage.run(part: part, frames: frameCount)
        }
    }
}

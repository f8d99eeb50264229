import CKernels

/// One stage of a packed image network: a layer, up to the next point at which a thread needs channels from another thread.
///
/// The parts of a stage are independent. A part convolves its output channels, normalises them, adds the residual, rectifies
/// them and writes them in the formats in which other layers read them. It does so for a strip of rows at a time, so that
/// sums stay in the second-level cache; group normalisation needs all sums of a frame first.
final class PackedImageStage {
    /// What the sums come from.
    enum Work {
        case convolution(PackedImageConvolution)
        case maximumPool(ImagePlanes<Float>)
    }

    private let work: Work
    private let norm: ImageNorm
    private let residual: ImagePlanes<Float>?
    private let rectifies: Bool
    private let destination: ImageDestination
    /// Of integers only: what an input of 1 stands for in each frame.
    private let inputScales: FrameNumbers?
    private let scratch: ImageScratch
    private let share: ChannelShare
    private let isa: InstructionSet
    private let strips: ImageStrips

    init(
        _ layer: ImageLayer,
        work: Work,
        norm: ImageNorm,
        residual: ImagePlanes<Float>?,
        destination: ImageDestination,
        inputScales: FrameNumbers?,
        scratch: ImageScratch,
        share: ChannelShare,
        strips: ImageStrips,
        isa: InstructionSet
    ) {
        self.work = work
        self.norm = norm
        self.residual = residual
        self.rectifies = layer.rectifies
        self.destination = destination
        self.inputScales = inputScales
        self.scratch = scratch
        self.share = share
        self.strips = strips
        self.isa = isa
    }

    private var height: Int { strips.height }
    private var width: Int { strips.width }

    /// Bytes of weights that the stage reads.
    var weightBytes: Int {
        switch work {
        case .convolution(let convolution): convolution.weightBytes
        case .maximumPool: 0
        }
    }

    /// Does one part for the first `frames` frames.
    func run(part: Int, frames: Int) {
        destination.largest.clear(part: part, frames: frames)
        switch work {
        case .convolution(let convolution):
            if convolution.isTiled {
                convolveTiles(convolution, part: part, frames: frames)
            } else {
                for block in convolution.blocks[part] {
                    strips.forEach(frames: frames) {
                        convolve(convolution, block, $0, part: part, frames: frames)
                    }
                    normalize(block, part: part, frames: frames)
                }
            }
        case .maximumPool(let values):
            let lanes = Int(dn_lanes)
            for vector in share.ranges[part].lowerBound / lanes..<share.ranges[part].upperBound / lanes {
                strips.forEach(frames: frames) { pool(values, vector: vector, $0, part: part) }
            }
        }
    }

    /// Convolves a part's blocks strip by strip, because they share what prepares a strip.
    private func convolveTiles(_ convolution: PackedImageConvolution, part: Int, frames: Int) {
        let blocks = convolution.blocks[part]
        guard let first = blocks.first?.firstVector else { return }
        // Group normalisation needs all sums of a frame, and so of all blocks.
        func place(_ block: PackedImageConvolution.Block) -> Int {
            norm.isGrouped ? (block.firstVector - first) * frames * height * width * Int(dn_lanes) : 0
        }
        strips.forEach(frames: frames) { strip in
            convolution.prepare(strip, scratch: scratch.tiles(part: part))
            for block in blocks {
                convolve(convolution, block, strip, place: place(block), part: part, frames: frames)
            }
        }
        for block in blocks { normalize(block, place: place(block), part: part, frames: frames) }
    }

    /// Convolves a block's strip and, unless its norm needs all sums of a frame, writes what becomes of it.
    ///
    /// - Parameter place: where the block's sums begin among the part's.
    private func convolve(
        _ convolution: PackedImageConvolution,
        _ block: PackedImageConvolution.Block,
        _ strip: ImageStrip,
        place: Int = 0,
        part: Int,
        frames: Int
    ) {
        let row = width * Int(dn_lanes)
        let sums = scratch.sums(part: part) + place
        let start =
            norm.isGrouped ? (strip.frames.lowerBound * height + strip.rows.lowerBound) * row : 0
        let sumStride = norm.isGrouped ? frames * height * row : strip.frames.count * strip.rows.count * row
        convolution(
            block,
            strip,
            width: width,
            inputScales: inputScales.map { UnsafePointer($0.found(part: part)) },
            scratch: scratch.tiles(part: part),
            sums: sums + start,
            sumStride: sumStride
        )
        guard !norm.isGrouped else { return }
        for index in 0..<block.vectors {
            let vector = block.firstVector + index
            let numbers = norm.constants(vector: vector)
            write(
                sums + index * sumStride,
                strip,
                vector: vector,
                numbers.scale,
                numbers.shift,
                part: part
            )
        }
    }

    /// Normalises and writes a block's sums, if their norm needs all of a frame.
    private func normalize(
        _ block: PackedImageConvolution.Block,
        place: Int = 0,
        part: Int,
        frames: Int
    ) {
        guard norm.isGrouped else { return }
        let frameCount = height * width * Int(dn_lanes)
        for index in 0..<block.vectors {
            for frame in 0..<frames {
                normalize(
                    scratch.sums(part: part) + place + (index * frames + frame) * frameCount,
                    frame: frame,
                    vector: block.firstVector + index,
                    part: part
                )
            }
        }
    }

    /// Normalises and writes a frame's sums of one group.
    private func normalize(_ sums: UnsafePointer<Float>, frame: Int, vector: Int, part: Int) {
        var mean: Float = 0
        var variance: Float = 0
        dn_image_moments(isa.table, sums, Int64(height * width), &mean, &variance)
        let numbers = scratch.norm(part: part)
        norm.write(
            vector: vector,
            mean: mean,
            variance: variance,
            scale: numbers.scale,
            shift: numbers.shift
        )
        let whole = ImageStrip(frames: frame..<frame + 1, rows: 0..<height)
        write(sums, whole, vector: vector, numbers.scale, numbers.shift, part: part)
    }

    private func pool(_ values: ImagePlanes<Float>, vector: Int, _ strip: ImageStrip, part: Int) {
        let sums = scratch.sums(part: part)
        for (index, frame) in strip.frames.enumerated() {
            let first = values.row(frame: frame, block: vector, row: 2 * strip.rows.lowerBound - 1)
            var pooling = dn_image_pooling(
                values: first - values.layout.blockCells,
                value_stride: Int64(values.layout.rowStride),
                sums: sums + index * height * width * Int(dn_lanes),
                width: Int32(width),
                rows: Int32(strip.rows.count)
            )
            dn_pool_image(isa.table, &pooling)
        }
        let numbers = norm.constants(vector: vector)
        write(sums, strip, vector: vector, numbers.scale, numbers.shift, part: part)
    }

    /// Writes what a vector's sums of a strip become.
    private func write(
        _ sums: UnsafePointer<Float>,
        _ strip: ImageStrip,
        vector: Int,
        _ scale: UnsafePointer<Float>,
        _ shift: UnsafePointer<Float>,
        part: Int
    ) {
        for (index, frame) in strip.frames.enumerated() {
            let first = strip.rows.lowerBound
            var output = dn_image_output(
                sums: sums + index * strip.rows.count * width * Int(dn_lanes),
                scale: scale,
                shift: shift,
                residual: residual.map {
                    UnsafePointer($0.row(frame: frame, block: vector, row: first))
                },
                residual_stride: Int64(residual?.layout.rowStride ?? 0),
                rectifies: rectifies,
                values: destination.values?.row(frame: frame, block: vector, row: first),
                value_stride: Int64(destination.values?.layout.rowStride ?? 0),
                pairs: destination.pairs?.row(frame: frame, block: vector, row: first),
                pair_stride: Int64(destination.pairs?.layout.rowStride ?? 0),
                largest: destination.largest.found(part: part) + frame,
                width: Int32(width),
                rows: Int32(strip.rows.count)
            )
            dn_write_image(isa.table, &output)
            destination.values?.clearBorder(frame: frame, block: vector, besides: strip.rows)
            destination.pairs?.clearBorder(frame: frame, block: vector, besides: strip.rows)
        }
    }
}

/// The forms in which an activation is kept, for the layers that read it.
struct ImageDestination {
    let values: ImagePlanes<Float>?
    let pairs: ImagePlanes<UInt32>?
    /// The largest value of each frame.
    let largest: FrameNumbers
}

/// Turns an activation into integers, once all its values are known: the largest gives the scale.
final class ImageQuantizer {
    private let values: ImagePlanes<Float>
    private let largest: FrameNumbers
    private let integers: ImagePlanes<UInt32>
    private let scales: FrameNumbers
    private let share: ChannelShare
    private let isa: InstructionSet

    init(
        _ values: ImagePlanes<Float>,
        largest: FrameNumbers,
        into integers: ImagePlanes<UInt32>,
        scales: FrameNumbers,
        share: ChannelShare,
        isa: InstructionSet
    ) {
        self.values = values
        self.largest = largest
        self.integers = integers
        self.scales = scales
        self.share = share
        self.isa = isa
    }

    /// Does one part for the first `frames` frames.
    func run(part: Int, frames: Int) {
        let lanes = Int(dn_lanes)
        let layout = values.layout
        for frame in 0..<frames {
            // Every part finds it for itself, also one that has no channels here: it may have some of the next layer's.
            let scale = dn_image_scale(isa.table, largest.largest(frame: frame))
            scales.found(part: part)[frame] = scale
            for vector in share.ranges[part].lowerBound / lanes..<share.ranges[part].upperBound / lanes {
                var quantization = dn_image_quantization(
                    values: values.row(frame: frame, block: vector, row: 0),
                    value_stride: Int64(layout.rowStride),
                    cells: integers.row(frame: frame, block: vector, row: 0),
                    cell_stride: Int64(integers.layout.rowStride),
                    scale: scale,
                    width: Int32(layout.width),
                    rows: Int32(layout.height)
                )
                dn_quantize_image(isa.table, &quantization)
                integers.clearBorder(
                    frame: frame,
                    block: vector,
                    besides: 0..<layout.height,
                    zero: isa.zeroIntegers
                )
            }
        }
    }
}

/// The convolution that makes the keypoints' logits, and where their softmax expects the keypoints.
///
/// The logits' bias is left out: the softmax of a keypoint's map does not depend on a number that all its logits share.
final class KeypointStage {
    private let convolution: PackedImageConvolution
    /// [positions][2]
    private let grid: FloatBuffer
    private let map: ImageActivation
    /// [maximumFrames][keypoints][2]
    private let points: FloatBuffer
    private let scratch: ImageScratch
    private let isa: InstructionSet

    init(
        _ convolution: PackedImageConvolution,
        map: ImageActivation,
        grid: [Float],
        maximumFrames: Int,
        scratch: ImageScratch,
        isa: InstructionSet
    ) {
        self.convolution = convolution
        self.map = map
        self.grid = FloatBuffer(grid)
        self.points = FloatBuffer(count: maximumFrames * map.channels * 2)
        self.scratch = scratch
        self.isa = isa
    }

    /// Bytes of weights that the stage reads.
    var weightBytes: Int { convolution.weightBytes }

    /// The expected positions of a frame's keypoints, [keypoints][2], x first.
    func points(frame: Int) -> UnsafePointer<Float> {
        UnsafePointer(points.pointer + frame * map.channels * 2)
    }

    /// Does one part for the first `frames` frames.
    func run(part: Int, frames: Int) {
        let frameCount = map.height * map.width * Int(dn_lanes)
        let sums = scratch.sums(part: part)
        for block in convolution.blocks[part] {
            convolution(
                block,
                ImageStrip(frames: 0..<frames, rows: 0..<map.height),
                width: map.width,
                inputScales: nil,
                scratch: scratch.tiles(part: part),
                sums: sums,
                sumStride: frames * frameCount
            )
            for index in 0..<block.vectors {
                for frame in 0..<frames {
                    locate(
                        sums + (index * frames + frame) * frameCount,
                        vector: block.firstVector + index,
                        frame: frame,
                        part: part
                    )
                }
            }
        }
    }

    private func locate(_ logits: UnsafePointer<Float>, vector: Int, frame: Int, part: Int) {
        let (x, y) = scratch.norm(part: part)
        var keypoints = dn_keypoints(
            logits: logits,
            grid: grid.pointer,
            positions: Int32(map.height * map.width),
            x: x,
            y: y
        )
        dn_locate_keypoints(isa.table, &keypoints)
        let first = vector * Int(dn_lanes)
        let result = points.pointer + (frame * map.channels + first) * 2
        for lane in 0..<min(Int(dn_lanes), map.channels - first) {
            result[2 * lane] = x[lane]
            result[2 * lane + 1] = y[lane]
        }
    }
}

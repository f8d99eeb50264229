/// What LeRobot does to a camera's frame before a ResNet sees it: bytes become fractions, are normalised, resized and cropped.
///
/// Normalisation is the same for every pixel, and a resized pixel is a mean, so normalising after the resize gives the same
/// numbers (to rounding) with fewer operations.
struct FramePreparation: Sendable {
    /// A frame as the camera gives it.
    let input: FrameSize
    /// What the network reads.
    let output: FrameSize
    private let map: AffineMap
    private let resize: Resize?
    /// Where the network's first row and position lie in the resized frame; negative if it is padded.
    private let top: Int
    private let left: Int
    /// [3][256]: what each byte of each colour becomes, if nothing is resized.
    private let table: [Float]

    /// - Parameters:
    ///   - resize: what a frame is resized to (`resize_shape`); nil: it is not.
    ///   - crop: what is cut out of its middle (`crop_shape`); nil: all. If it is larger than the frame, zeros surround it.
    ///   - map: how fractions, 0...1, of the three colours are normalised.
    init(input: FrameSize, resize: FrameSize?, crop: FrameSize?, map: AffineMap) {
        precondition(map.count == 3, "a frame has three colours")
        let resized = resize ?? input
        self.input = input
        self.output = crop ?? resized
        self.map = map
        self.resize = resize.map { Resize(from: input, to: $0) }
        self.top = Self.firstOfCrop(resized.height, output.height)
        self.left = Self.firstOfCrop(resized.width, output.width)
        self.table = (0..<3).flatMap { colour in
            (0..<256).map { map.apply(to: Float($0) / 255, dimension: colour) }
        }
    }

    /// Floats of scratch that `prepare` needs.
    var scratchCount: Int { resize?.scratchCount ?? 0 }

    /// Where a crop of the middle starts, as torchvision's `center_crop` rounds it: half to even. A crop that is larger than
    /// the frame starts before it, with the smaller half of the padding there.
    private static func firstOfCrop(_ length: Int, _ crop: Int) -> Int {
        length >= crop
            ? Int((Double(length - crop) / 2).rounded(.toNearestOrEven)) : -((crop - length) / 2)
    }

    /// Writes what the network reads. Allocates nothing.
    ///
    /// - Parameters:
    ///   - pixels: [height, width, 3] of `input`.
    ///   - scratch: `scratchCount` floats.
    ///   - frame: [height, width, 3] of `output`.
    @_lifetime(scratch: copy scratch)
    @_lifetime(frame: copy frame)
    func prepare(
        _ pixels: Span<UInt8>,
        scratch: inout MutableSpan<Float>,
        into frame: inout MutableSpan<Float>
    ) {
        precondition(pixels.count == input.count, "a frame is \(input)")
        precondition(frame.count == output.count, "the network reads \(output)")
        resize?.apply(pixels, &scratch)
        let source = resize?.output ?? input
        for row in 0..<output.height {
            let sourceRow = top + row
            guard (0..<source.height).contains(sourceRow) else {
                for index in 0..<output.width * 3 { frame[row * output.width * 3 + index] = 0 }
                continue
            }
            for position in 0..<output.width {
                let target = (row * output.width + position) * 3
                let first = (sourceRow * source.width + left + position) * 3
                let isOutside = !(0..<source.width).contains(left + position)
                for colour in 0..<3 {
                    frame[target + colour] =
                        isOutside
                        ? 0
                        : resize == nil
                            ? table[colour * 256 + Int(pixels[first + colour])]
                            : map.apply(to: scratch[first + colour], dimension: colour)
                }
            }
        }
    }
}

/// Bilinear resizing with a filter that widens as the picture shrinks, as torchvision's `Resize` does it on tensors
/// (`antialias=True`): each output is a mean of the inputs around it, weighted by a triangle.
private struct Resize: Sendable {
    /// The inputs of each output along one direction, and their weights.
    struct Line: Sendable {
        /// [outputs]: the first input of each.
        let first: [Int]
        /// [outputs][taps], zeros behind the last input.
        let weights: [Float]
        let taps: Int

        /// The formula of PyTorch's `_compute_indices_weights_aa`.
        init(from inputs: Int, to outputs: Int) {
            let scale = Double(inputs) / Double(outputs)
            let support = max(scale, 1)
            var rows: [(first: Int, weights: [Double])] = []
            for output in 0..<outputs {
                let centre = scale * (Double(output) + 0.5)
                let first = max(Int(centre - support + 0.5), 0)
                let end = min(Int(centre + support + 0.5), inputs)
                let weights = (first..<end).map { max(0, 1 - abs((Double($0) - centre + 0.5) / support)) }
                let sum = weights.reduce(0, +)
                rows.append((first, weights.map { $0 / sum }))
            }
            let taps = rows.map(\.weights.count).max() ?? 0
            self.taps = taps
            // Every output reads as many inputs, those at the end with a weight of 0: they must exist.
            self.first = rows.map { min($0.first, inputs - taps) }
            self.weights = rows.flatMap { row in
                let before = row.first - min(row.first, inputs - taps)
                let weights = Array(repeating: 0, count: before) + row.weights
                return (weights + Array(repeating: 0, count: taps - weights.count)).map { Float($0) }
            }
        }
    }

    let input: FrameSize
    let output: FrameSize
    private let columns: Line
    private let rows: Line

    init(from input: FrameSize, to output: FrameSize) {
        self.input = input
        self.output = output
        self.columns = Line(from: input.width, to: output.width)
        self.rows = Line(from: input.height, to: output.height)
    }

    /// The result, and then the picture with its rows resized.
    var scratchCount: Int { output.count + input.height * output.width * 3 }

    /// Writes fractions, 0...1: [output.height, output.width, 3] at the beginning of the scratch.
    @_lifetime(scratch: copy scratch)
    func apply(_ pixels: Span<UInt8>, _ scratch: inout MutableSpan<Float>) {
        let between = output.count
        for row in 0..<input.height {
            for position in 0..<output.width {
                let first = (row * input.width + columns.first[position]) * 3
                for colour in 0..<3 {
                    var sum: Float = 0
                    for tap in 0..<columns.taps {
                        sum +=
                            columns.weights[position * columns.taps + tap]
                            * Float(pixels[first + tap * 3 + colour])
                    }
                    scratch[between + (row * output.width + position) * 3 + colour] = sum / 255
                }
            }
        }
        let rowCount = output.width * 3
        for row in 0..<output.height {
            for index in 0..<rowCount {
                var sum: Float = 0
                for tap in 0..<rows.taps {
                    sum +=
                        rows.weights[row * rows.taps + tap]
                        * scratch[between + (rows.first[row] + tap) * rowCount + index]
                }
                scratch[row * rowCount + index] = sum
            }
        }
    }
}

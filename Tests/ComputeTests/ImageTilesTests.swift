import CKernels
import Testing

@testable import Compute

@Suite("Convolutions in tiles")
struct ImageTilesTests {
    /// The outputs of a tile by taps and by products, of whole numbers and so exact.
    @Test func `The products of a tile are its outputs`() {
        let taps: [Float] = [1, -2, 3, 4, 2, -6, 0, 8, 2]
        let inputs = (0..<16).map { Float(($0 * 7) % 11 - 5) }
        let weights = MinimalFilter.two.weights(taps)
        // B^T d B and A^T m A, as the paper has them.
        let b: [[Float]] = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
        let a: [[Float]] = [[1, 1, 1, 0], [0, 1, -1, -1]]
        let transformed = product(product(b, rows(inputs)), transposed(b))
        let products = (0..<16).map { weights[$0] * transformed[$0 / 4][$0 % 4] }
        let found = product(product(a, rows(products)), transposed(a))
        for row in 0..<2 {
            for column in 0..<2 {
                var expected: Float = 0
                for tap in 0..<9 { expected += taps[tap] * inputs[(row + tap / 3) * 4 + column + tap % 3] }
                #expect(found[row][column] == expected)
            }
        }
    }

    /// Odd sizes, so that tiles reach over the borders: more than a strip of rows, and more than a frame to a strip.
    @Test(arguments: InstructionSet.supported, [(33, 30), (7, 9), (1, 5)])
    func `Tiles compute what taps do, and lose few digits more`(isa: InstructionSet, size: (Int, Int)) {
        let layer = TestedLayer(height: size.0, width: size.1)
        let expected = layer.exact()
        let scale = rootMeanSquare(expected)
        func error(_ filter: MinimalFilter?) -> (mean: Double, largest: Double) {
            let errors = zip(layer.convolved(filter, isa), expected).map { (Double($0) - $1) / scale }
            return (rootMeanSquare(errors), errors.map(abs).max() ?? .infinity)
        }
        let taps = error(nil)
        let two = error(.two)
        let four = error(.four)
        #expect(taps.mean < 5e-7 && taps.largest < 5e-6)
        #expect(two.mean < 2 * taps.mean && two.largest < 5e-6)
        // The paper's points lose more than that.
        #expect(four.mean < 1e-6 && four.largest < 1e-5, "\(four), by taps \(taps)")
    }

    @Test func `The filter suits the map, and the weights that it has for it`() {
        func fastest(_ height: Int, _ width: Int, taps: Int = 3, stride: Int = 1) -> MinimalFilter? {
            let shape = ImageConvolutionShape(
                name: "a",
                inChannels: 64,
                outChannels: 64,
                taps: taps,
                stride: stride,
                hasBias: false
            )
            return .fastest(shape, height: height, width: width)
        }
        #expect(fastest(120, 160) == .four && fastest(30, 40) == .four && fastest(21, 21) == .four)
        #expect(fastest(15, 20) == .two && fastest(11, 11) == .two && fastest(7, 9) == .two)
        #expect(fastest(6, 6) == nil && fastest(3, 3) == nil, "weights that are used too seldom")
        #expect(fastest(21, 21, stride: 2) == nil && fastest(21, 21, taps: 1) == nil)
    }

    @Test(arguments: [nil, .two, .four] as [MinimalFilter?])
    func `Strips have every row once, and whole tiles`(filter: MinimalFilter?) {
        for (height, width) in [(1, 1), (3, 3), (6, 6), (21, 21), (15, 20), (54, 72), (120, 160), (9, 2000)] {
            let output = ImageActivation(id: 1, channels: 16, height: height, width: width)
            for maximumFrames in [1, 5] {
                let strips = ImageStrips(output, filter: filter, maximumFrames: maximumFrames)
                for frames in 1...maximumFrames {
                    var rows = [Int](repeating: 0, count: frames * height)
                    strips.forEach(frames: frames) { strip in
                        let positions = strip.frames.count * strip.rows.count * width
                        #expect(positions <= strips.mostPositions)
                        #expect(strip.rows.lowerBound % (filter?.outputs ?? 1) == 0)
                        for frame in strip.frames {
                            for row in strip.rows { rows[frame * height + row] += 1 }
                        }
                    }
                    #expect(rows.allSatisfy { $0 == 1 }, "\(frames) frames of \(height) x \(width)")
                }
            }
        }
    }

    private func rows(_ values: [Float]) -> [[Float]] {
        stride(from: 0, to: values.count, by: 4).map { Array(values[$0..<$0 + 4]) }
    }

    private func transposed(_ matrix: [[Float]]) -> [[Float]] {
        matrix[0].indices.map { column in matrix.map { $0[column] } }
    }

    private func product(_ left: [[Float]], _ right: [[Float]]) -> [[Float]] {
        left.map { row in
            right[0].indices.map { column in row.indices.reduce(0) { $0 + row[$1] * right[$1][column] } }
        }
    }

    private func rootMeanSquare(_ values: [Double]) -> Double {
        (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
    }
}

/// A convolution of two frames with 3 by 3 taps, whose inputs are rectified as those of a ResNet are.
private struct TestedLayer {
    private static let inChannels = 32
    private static let outChannels = 48
    private static let frames = 2
    private let height: Int
    private let width: Int
    private let shape = ImageConvolutionShape(
        name: "a",
        inChannels: inChannels,
        outChannels: outChannels,
        taps: 3,
        stride: 1,
        hasBias: false
    )
    /// [outChannels, inChannels, 3, 3]
    private let weight: [Float]
    /// [frames, inChannels, height, width]
    private let inputs: [Float]

    init(height: Int, width: Int) {
        self.height = height
        self.width = width
        var state: UInt32 = 1
        func random() -> Float {
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(state >> 8) / Float(1 << 23) - 1
        }
        weight = (0..<Self.outChannels * Self.inChannels * 9).map { _ in random() }
        inputs = (0..<Self.frames * Self.inChannels * height * width).map { _ in max(random(), 0) }
    }

    /// In double precision: [frames, outChannels, height, width].
    func exact() -> [Double] {
        var sums: [Double] = []
        for frame in 0..<Self.frames {
            for out in 0..<Self.outChannels {
                for row in 0..<height {
                    for column in 0..<width {
                        sums.append(exact(frame: frame, out: out, row: row, column: column))
                    }
                }
            }
        }
        return sums
    }

    private func exact(frame: Int, out: Int, row: Int, column: Int) -> Double {
        var sum = 0.0
        for channel in 0..<Self.inChannels {
            let plane = (frame * Self.inChannels + channel) * height
            let taps = (out * Self.inChannels + channel) * 9
            for tap in 0..<9 {
                let (y, x) = (row + tap / 3 - 1, column + tap % 3 - 1)
                guard (0..<height).contains(y), (0..<width).contains(x) else { continue }
                sum += Double(weight[taps + tap]) * Double(inputs[(plane + y) * width + x])
            }
        }
        return sum
    }

    /// By the kernels: [frames, outChannels, height, width].
    func convolved(_ filter: MinimalFilter?, _ isa: InstructionSet) -> [Float] {
        let lanes = Int(dn_lanes)
        let activation = ImageActivation(id: 1, channels: Self.inChannels, height: height, width: width)
        let layout = PlaneLayout(activation, format: dn_f32, isa: isa)
        let cells = FloatBuffer(count: Self.frames * layout.frameStride)
        for (index, value) in inputs.enumerated() {
            let (row, column) = (index / width % height, index % width)
            let channel = index / (width * height) % Self.inChannels
            let frame = index / (width * height * Self.inChannels)
            let start = layout.start(frame: frame, block: channel / lanes, row: row)
            cells.pointer[start + column * lanes + channel % lanes] = value
        }
        let planes = ImagePlanes(cells: cells.pointer, layout: layout)
        let output = ImageActivation(id: 2, channels: Self.outChannels, height: height, width: width)
        let strips = ImageStrips(output, filter: filter, maximumFrames: Self.frames)
        let convolution = PackedImageConvolution(
            shape,
            weight: weight,
            input: .planes(
                ImagePlanes(
                    cells: UnsafeMutableRawPointer(cells.pointer).assumingMemoryBound(to: UInt32.self),
                    layout: layout
                ),
                dn_f32
            ),
            tiles: filter.map { ImageTiles($0, input: planes, strips: strips) },
            share: ChannelShare(channels: Self.outChannels, groupWidth: lanes, parts: 1),
            engine: Engine(isa: isa, precision: .f32, threads: 1, locksWeights: false)
        )
        return sums(convolution, strips)
    }

    private func sums(_ convolution: PackedImageConvolution, _ strips: ImageStrips) -> [Float] {
        let lanes = Int(dn_lanes)
        let scratch = FloatBuffer(count: convolution.scratchCount)
        let sums = FloatBuffer(count: convolution.largestBlock * strips.mostPositions * lanes)
        var found = [Float](repeating: .nan, count: Self.frames * Self.outChannels * height * width)
        strips.forEach(frames: Self.frames) { strip in
            convolution.prepare(strip, scratch: scratch.pointer)
            let positions = strip.rows.count * width
            let stride = strip.frames.count * positions * lanes
            for block in convolution.blocks[0] {
                convolution(
                    block,
                    strip,
                    width: width,
                    inputScales: nil,
                    scratch: scratch.pointer,
                    sums: sums.pointer,
                    sumStride: stride
                )
                for channel in 0..<block.vectors * lanes {
                    let out = block.firstVector * lanes + channel
                    for (index, frame) in strip.frames.enumerated() {
                        let first =
                            ((frame * Self.outChannels + out) * height + strip.rows.lowerBound) * width
                        for position in 0..<positions {
                            let sum = (index * positions + position) * lanes + channel % lanes
                            found[first + position] = sums.pointer[channel / lanes * stride + sum]
                        }
                    }
                }
            }
        }
        return found
    }
}

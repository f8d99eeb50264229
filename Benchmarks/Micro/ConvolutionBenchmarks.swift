import Benchmark
import CKernels

/// `dn_convolve` over all output channels of a layer, on one thread.
func addConvolutionBenchmarks() {
    guard let kernels = TimedKernels() else { return }
    for layer in ConvolutionLayer.paper {
        for (formatName, format) in formats + [("int8", dn_integers)] where format == dn_f32 || layer.hasBF16
        {
            for batch in batches {
                Benchmark("convolve \(layer.name) \(formatName) batch \(twoDigits(batch))") { _, run in
                    run()
                } setup: {
                    ConvolutionRun(layer, format: format, batch: batch, kernels: kernels)
                }
            }
        }
    }
}

/// A layer's convolution with memory to run on.
///
/// Weights come from a stretch of memory several times the size of a last-level cache, every run the next ones: a forward
/// pass meets a layer's weights where the layers since have driven them out of the cache.
private final class ConvolutionRun {
    private static let weightCells = (128 << 20) / 4

    private let kernels: TimedKernels
    private let format: dn_format
    /// Input channels in a row.
    private let rowChannels: Int
    private let rows: Int
    private let outChannels: Int
    private let positions: Int
    private let taps: [dn_tap]
    private let rowStride: Int
    private let weights = Cells(count: weightCells)
    private let input: Cells
    private let output: Cells
    private let bias: Cells
    private let scales: Cells
    private let inputScales: Cells
    private let weightSums: Cells
    private var firstWeight = 0

    init(_ layer: ConvolutionLayer, format: dn_format, batch: Int, kernels: TimedKernels) {
        self.kernels = kernels
        self.format = format
        self.rowChannels =
            format == dn_f32 ? 1 : format == dn_bf16 ? 2 : Int(kernels.table.pointee.integer_channels)
        self.rows = (layer.inChannels + rowChannels - 1) / rowChannels
        self.outChannels = padded(layer.outChannels)
        self.positions = layer.outLength * batch
        self.taps = layer.taps(batch: batch)
        self.rowStride = packedRowStride(positions: layer.length * batch)
        self.input = Cells(count: (rows + 1) * rowStride)
        self.output = Cells(count: positions * outChannels)
        self.bias = Cells(count: outChannels)
        self.scales = Cells(count: outChannels)
        let scaleRows = (layer.inChannels + Int(dn_scaled_channels) - 1) / Int(dn_scaled_channels)
        self.inputScales = Cells(count: scaleRows * rowStride)
        self.weightSums = Cells(count: taps.count * scaleRows * Int(dn_max_vectors) * Int(dn_lanes))
    }

    func callAsFunction() {
        let lanes = Int(dn_lanes)
        // Weights of integers have 8 bits.
        let laneBytes = format == dn_integers ? rowChannels : 4
        let weightCount = taps.count * rows * outChannels * laneBytes / 4
        if firstWeight + weightCount > weights.count { firstWeight = 0 }
        taps.withUnsafeBufferPointer { taps in
            var channel = 0
            while channel < outChannels {
                let vectors = min(Int(kernels.table.pointee.block_vectors), (outChannels - channel) / lanes)
                var convolution = dn_convolution()
                convolution.weights = UnsafePointer(weights.pointer) + firstWeight
                convolution.input = UnsafePointer(input.pointer)
                convolution.output = output.floats + channel
                convolution.bias = UnsafePointer(bias.floats) + channel
                convolution.scales = UnsafePointer(scales.floats) + channel
                convolution.input_scales = UnsafePointer(inputScales.floats)
                convolution.input_offsets = UnsafePointer(inputScales.floats)
                convolution.weight_sums = UnsafePointer(weightSums.floats)
                convolution.taps = taps.baseAddress
                convolution.tap_count = Int32(taps.count)
                convolution.rows = Int32(rows)
                convolution.vectors = Int32(vectors)
                convolution.row_stride = Int64(rowStride)
                convolution.output_stride = Int64(outChannels)
                dn_convolve(kernels.table, format, &convolution)
                firstWeight += taps.count * rows * vectors * lanes * laneBytes / 4
                channel += vectors * lanes
            }
        }
    }
}

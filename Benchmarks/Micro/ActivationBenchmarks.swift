import Benchmark
import CKernels

/// The activations of the paper's UNet: channels and times at each resolution.
private let activations = [
    (channels: 256, length: 16), (channels: 512, length: 8), (channels: 1024, length: 4),
]

/// `dn_normalize` with FiLM and a residual over all channels of a batch, on one thread.
func addNormalizationBenchmarks() {
    guard let kernels = TimedKernels() else { return }
    for (channels, length) in activations {
        for batch in batches {
            Benchmark(
                "normalize \(channels) length \(twoDigits(length)) batch \(twoDigits(batch))"
            ) { _, run in
                run()
            } setup: {
                NormalizationRun(channels: channels, length: length, batch: batch, kernels: kernels)
            }
        }
    }
}

/// `dn_pack` of all channels of a batch, on one thread.
func addPackingBenchmarks() {
    guard let kernels = TimedKernels() else { return }
    for (channels, length) in activations {
        for (formatName, format) in formats {
            for batch in batches {
                Benchmark(
                    "pack \(channels) length \(twoDigits(length)) \(formatName) batch \(twoDigits(batch))"
                ) { _, run in
                    run()
                } setup: {
                    PackingRun(
                        channels: channels,
                        positions: length * batch,
                        format: format,
                        kernels: kernels
                    )
                }
            }
        }
    }
}

/// `dn_quantize` of all channels of a batch, on one thread.
func addQuantizationBenchmarks() {
    guard let kernels = TimedKernels() else { return }
    for (channels, length) in activations {
        for batch in batches {
            Benchmark("quantize \(channels) length \(twoDigits(length)) batch \(twoDigits(batch))") {
                _,
                run in
                run()
            } setup: {
                QuantizationRun(channels: channels, positions: length * batch, kernels: kernels)
            }
        }
    }
}

private final class NormalizationRun {
    /// Groups of every normalisation in the paper's UNet.
    private static let groups = 8

    private let kernels: TimedKernels
    private let channels: Int
    private let length: Int
    private let batch: Int
    private let values: Cells
    private let residual: Cells
    /// Gain, bias, FiLM scale and FiLM shift, [channels] each.
    private let parameters: Cells
    private let scratch: Cells

    init(channels: Int, length: Int, batch: Int, kernels: TimedKernels) {
        self.kernels = kernels
        self.channels = channels
        self.length = length
        self.batch = batch
        self.values = Cells(varied: length * batch * channels)
        self.residual = Cells(varied: length * batch * channels)
        self.parameters = Cells(varied: 4 * channels)
        self.scratch = Cells(count: 2 * channels)
    }

    func callAsFunction() {
        for sample in 0..<batch {
            var normalization = dn_normalization(
                values: values.floats,
                value_stride: Int64(channels),
                sample: Int32(sample),
                samples: Int32(batch),
                times: Int32(length),
                channel_first: 0,
                channel_count: Int32(channels),
                group_width: Int32(channels / Self.groups),
                gain: parameters.floats,
                bias: parameters.floats + channels,
                film_scale: parameters.floats + 2 * channels,
                film_shift: parameters.floats + 3 * channels,
                residual: residual.floats,
                residual_stride: Int64(channels),
                scratch: scratch.floats
            )
            dn_normalize(kernels.table, &normalization)
        }
    }
}

private final class PackingRun {
    private let kernels: TimedKernels
    private let format: dn_format
    private let channels: Int
    private let positions: Int
    private let values: Cells
    private let packed: Cells

    init(channels: Int, positions: Int, format: dn_format, kernels: TimedKernels) {
        self.kernels = kernels
        self.format = format
        self.channels = channels
        self.positions = positions
        self.values = Cells(varied: padded(positions) * channels)
        self.packed = Cells(count: channels * packedRowStride(positions: positions))
    }

    func callAsFunction() {
        var packing = dn_packing(
            values: values.floats,
            value_stride: Int64(channels),
            positions: Int32(positions),
            channel_first: 0,
            channel_count: Int32(channels),
            input: packed.pointer,
            row_stride: Int64(packedRowStride(positions: positions)),
            columns: nil
        )
        dn_pack(kernels.table, format, &packing)
    }
}

private final class QuantizationRun {
    private let kernels: TimedKernels
    private let rows: Int
    private let positions: Int
    private let rowStride: Int
    private let input: Cells
    private let integers: Cells
    private let scales: Cells
    private let offsets: Cells

    init(channels: Int, positions: Int, kernels: TimedKernels) {
        self.kernels = kernels
        self.rows = (channels + 1) / 2
        self.positions = positions
        self.rowStride = packedRowStride(positions: positions)
        self.input = Cells(varied: rows * rowStride)
        self.integers = Cells(count: rows * rowStride)
        let scaleRows = (channels + Int(dn_scaled_channels) - 1) / Int(dn_scaled_channels)
        self.scales = Cells(count: scaleRows * rowStride)
        self.offsets = Cells(count: scaleRows * rowStride)
    }

    func callAsFunction() {
        var quantization = dn_quantization(
            input: UnsafePointer(input.pointer),
            integers: integers.pointer,
            scales: scales.floats,
            offsets: offsets.floats,
            rows: Int32(rows),
            positions: Int32(positions),
            row_stride: Int64(rowStride)
        )
        dn_quantize(kernels.table, &quantization)
    }
}

import CKernels

/// A convolution's packed input as integers, which weights of 8 bits are multiplied with exactly.
///
/// Each part of a stage makes its own: it takes about a fiftieth of the time of what the part then multiplies, and to
/// share one would take another wait of all parts for each other.
struct IntegerInput {
    /// [rows][rowStride], two channels of 16 bits or four of 8 in a cell, as the instruction set multiplies them.
    let cells: UnsafeMutablePointer<UInt32>
    /// What an integer of 1 stands for more than one of 0, at each position in each `dn_scaled_channels` channels:
    /// [scaleRows][rowStride].
    let scales: UnsafeMutablePointer<Float>
    /// What an integer of 0 stands for, likewise, where four channels share a cell.
    let offsets: UnsafeMutablePointer<Float>

    /// How many scales so many channels have at each position.
    static func scaleRows(channels: Int) -> Int {
        (channels + Int(dn_scaled_channels) - 1) / Int(dn_scaled_channels)
    }

    /// Takes over `input` [rows][rowStride], pairs of bf16.
    func fill(from input: UnsafePointer<UInt32>, rows: Int, positions: Int, rowStride: Int, isa: dn_isa) {
        var quantization = dn_quantization(
            input: input,
            integers: cells,
            scales: scales,
            offsets: offsets,
            rows: Int32(rows),
            positions: Int32(positions),
            row_stride: Int64(rowStride)
        )
        dn_quantize(isa, &quantization)
    }
}

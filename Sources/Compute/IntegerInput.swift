import CKernels

/// A convolution's packed input as integers, whose products with 8-bit weights are exact.
///
/// Each part of a stage converts its own copy. That takes about a fiftieth of the part's multiplications. A shared copy
/// would need another barrier of all parts.
struct IntegerInput {
    /// [rows][rowStride], two channels of 16 bits or four of 8 in a cell, as the instruction set multiplies them.
    let cells: UnsafeMutablePointer<UInt32>
    /// Scale of the integers, for each position and each `dn_scaled_channels` channels; [scaleRows][rowStride].
    let scales: UnsafeMutablePointer<Float>
    /// Value of the integer 0, in the same layout, if four channels share a cell.
    let offsets: UnsafeMutablePointer<Float>

    /// Number of scales at each position for so many channels.
    static func scaleRows(channels: Int) -> Int {
        (channels + Int(dn_scaled_channels) - 1) / Int(dn_scaled_channels)
    }

    /// Takes over `input` [rows][rowStride], pairs of bf16.
    func fill(
        from input: UnsafePointer<UInt32>,
        rows: Int,
        positions: Int,
        rowStride: Int,
        isa: InstructionSet
    ) {
        var quantization = dn_quantization(
            input: input,
            integers: cells,
            scales: scales,
            offsets: offsets,
            rows: Int32(rows),
            positions: Int32(positions),
            row_stride: Int64(rowStride)
        )
        dn_quantize(isa.table, &quantization)
    }
}

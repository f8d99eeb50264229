import CKernels

/// A convolution's packed input as 16-bit integers, which weights of 8 bits are multiplied with exactly.
///
/// Each part of a stage makes its own: it takes about a hundredth of the time of what the part then multiplies, and to
/// share one would take another wait of all parts for each other.
struct IntegerInput {
    /// [rows][rowStride], pairs of integers.
    let cells: UnsafeMutablePointer<UInt32>
    /// What an integer of 1 stands for, at each position in each `dn_scaled_rows` rows:
    /// [rows / dn_scaled_rows, rounded up][rowStride].
    let scales: UnsafeMutablePointer<Float>

    /// Takes over `input` [rows][rowStride], pairs of bf16.
    func fill(from input: UnsafePointer<UInt32>, rows: Int, positions: Int, rowStride: Int, isa: dn_isa) {
        var quantization = dn_quantization(
            input: input,
            integers: cells,
            scales: scales,
            rows: Int32(rows),
            positions: Int32(positions),
            row_stride: Int64(rowStride)
        )
        dn_quantize(isa, &quantization)
    }
}

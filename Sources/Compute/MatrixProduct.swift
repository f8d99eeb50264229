import COpenBLAS

/// `output = input * transpose(weight) + scale * output`, all row-major.
///
/// - Parameters:
///   - input: [rows, depth], rows `inputStride` floats apart.
///   - weight: [columns, depth], dense: a row for each output channel.
///   - output: [rows, columns], rows `outputStride` floats apart.
///   - scale: 0 overwrites the output, 1 adds to it.
func multiply(
    input: UnsafePointer<Float>,
    inputStride: Int,
    weight: UnsafePointer<Float>,
    output: UnsafeMutablePointer<Float>,
    outputStride: Int,
    rows: Int,
    columns: Int,
    depth: Int,
    addingTo scale: Float
) {
    cblas_sgemm(
        CblasRowMajor,
        CblasNoTrans,
        CblasTrans,
        blasint(rows),
        blasint(columns),
        blasint(depth),
        1,
        input,
        blasint(inputStride),
        weight,
        blasint(depth),
        scale,
        output,
        blasint(outputStride)
    )
}

/// The number of threads BLAS uses; one setting for the whole process.
func setMatrixProductThreads(_ threads: Int) {
    openblas_set_num_threads(Int32(threads))
}

extension Kernel {
    /// The BLAS library and the processor it picked its kernels for.
    static var openBLASDescription: String {
        let version = String(cString: openblas_get_config()).split(separator: " ").prefix(2).joined(
            separator: " "
        )
        return "\(version), \(String(cString: openblas_get_corename())) kernels"
    }
}

/// A linear layer, `y = x W^T + b`.
package struct Linear: ~Copyable {
    let inFeatures: Int
    let outFeatures: Int
    private let weight: FloatBuffer
    private let bias: FloatBuffer

    /// - Parameters:
    ///   - weight: [outFeatures, inFeatures].
    ///   - bias: [outFeatures].
    package init(weight: [Float], bias: [Float]) {
        self.outFeatures = bias.count
        self.inFeatures = weight.count / bias.count
        self.weight = FloatBuffer(weight)
        self.bias = FloatBuffer(bias)
    }

    /// Maps rows of `inFeatures` numbers to as many of `outFeatures`. Allocates.
    package func callAsFunction(_ rows: [Float]) -> [Float] {
        let input = FloatBuffer(rows)
        let output = FloatBuffer(count: rows.count / inFeatures * outFeatures)
        self(input.pointer, rows: rows.count / inFeatures, into: output.pointer)
        return Array(UnsafeBufferPointer(start: output.pointer, count: output.count))
    }

    /// Maps `input` [rows, inFeatures] to `output` [rows, outFeatures].
    func callAsFunction(
        _ input: UnsafePointer<Float>,
        rows: Int,
        into output: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rows {
            (output + row * outFeatures).update(from: bias.pointer, count: outFeatures)
        }
        multiply(
            input: input,
            inputStride: inFeatures,
            weight: weight.pointer,
            output: output,
            outputStride: outFeatures,
            rows: rows,
            columns: outFeatures,
            depth: inFeatures,
            addingTo: 1
        )
    }
}

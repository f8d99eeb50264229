/// What a header says about one tensor, checked.
public struct TensorDescription: Sendable, Hashable {
    /// Element type.
    public let dtype: DType
    /// Dimensions, outermost first; empty for a scalar.
    public let shape: [Int]
    /// Number of elements.
    public let elementCount: Int
    /// Where the elements lie in the file, row-major and little-endian.
    let bytes: Range<Int>
}

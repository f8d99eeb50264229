/// An element type of the safetensors format. The raw value is its name in a header.
public enum DType: String, Sendable, Hashable, CaseIterable {
    /// IEEE 754 floating point of 64, 32 and 16 bits.
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    /// The upper half of a 32-bit float.
    case bf16 = "BF16"
    /// 8-bit floats. Known so that their files open; not converted.
    case f8e5m2 = "F8_E5M2"
    case f8e4m3 = "F8_E4M3"
    case f8e8m0 = "F8_E8M0"
    /// A pair of 32-bit floats. Known so that its files open; not converted.
    case c64 = "C64"
    /// Two's complement integers.
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    /// Unsigned integers.
    case u64 = "U64"
    case u32 = "U32"
    case u16 = "U16"
    case u8 = "U8"
    /// One byte, 0 or 1.
    case bool = "BOOL"

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .f64, .i64, .u64, .c64: 8
        case .f32, .i32, .u32: 4
        case .f16, .bf16, .i16, .u16: 2
        case .i8, .u8, .bool, .f8e5m2, .f8e4m3, .f8e8m0: 1
        }
    }
}

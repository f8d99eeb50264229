import NumPyRandom

/// Standard normal numbers from a seed: PCG64 uniforms through Marsaglia's polar method (*A Convenient Method for
/// Generating Normal Variables*, SIAM Review 6, 1964).
///
/// A pair (u, v) is drawn uniformly from [-1, 1)^2, u first, until s = u^2 + v^2 lies in (0, 1); it gives the two
/// numbers u r and v r with r = sqrt(-2 ln(s) / s), in this order. Only operations that IEEE 754 rounds exactly are
/// used, for the logarithm too, so a seed gives the same bits on every machine.
public struct GaussianNoise: Sendable {
    private var generator: PCG64

    /// Starts the stream of `seed`.
    public init(seed: UInt64) {
        generator = PCG64(seed: seed)
    }

    /// Overwrites `values` with the next numbers of the stream. Allocates nothing. The second number of the last pair
    /// is dropped if the count is odd.
    public mutating func fill(_ values: inout MutableSpan<Float>) {
        var index = 0
        while index < values.count {
            let (first, second) = nextPair()
            values[index] = Float(first)
            if index + 1 < values.count { values[index + 1] = Float(second) }
            index += 2
        }
    }

    private mutating func nextPair() -> (Double, Double) {
        while true {
            let u = 2 * generator.nextDouble() - 1
            let v = 2 * generator.nextDouble() - 1
            let s = u * u + v * v
            if s > 0, s < 1 {
                let r = (-2 * portableLogarithm(s) / s).squareRoot()
                return (u * r, v * r)
            }
        }
    }
}

/// ln(x) of a positive normal number within 1e-15 of its value, by exactly rounded operations alone: with
/// x = m 2^e, m in [2/3, 4/3) and f = (m - 1) / (m + 1), ln(x) = e ln(2) + 2 (f + f^3 / 3 + f^5 / 5 + ...).
///
/// The library's logarithm may differ in the last bit from one machine to the next.
func portableLogarithm(_ x: Double) -> Double {
    var exponent = x.exponent
    var mantissa = x.significand
    if mantissa >= 4.0 / 3 {
        mantissa /= 2
        exponent += 1
    }
    let f = (mantissa - 1) / (mantissa + 1)
    let square = f * f
    // f is at most 1/5 in magnitude, so the terms left out are below 1e-19.
    var series = 0.0
    for odd in stride(from: 25, through: 1, by: -2) {
        series = series * square + 1 / Double(odd)
    }
    return Double(exponent) * 0x1.62e42fefa39efp-1 + 2 * f * series
}

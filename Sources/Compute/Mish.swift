import Glibc

/// Mish, `x * tanh(softplus(x))` (Misra 2019, equation 1).
///
/// With `e = exp(x)` the hyperbolic tangent of the softplus is `(e^2 + 2e) / (e^2 + 2e + 2)`: one exponential, no
/// cancellation. Beyond 20 the factor is 1 in single precision, and `e^2` must not overflow.
@inline(__always)
package func mish(_ x: Float) -> Float {
    if x > 20 { return x }
    let e = exp(x)
    let n = e * (e + 2)
    return x * (n / (n + 2))
}

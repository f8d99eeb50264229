/// Why a picture cannot be drawn or encoded.
package struct RenderingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The library that gave up, and what it says.
    package let description: String

    init(_ library: String, _ reason: String) {
        description = "\(library): \(reason)"
    }
}

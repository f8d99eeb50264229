import Foundation

/// An opaque colour of 8 bits a channel.
package struct Color: Sendable, Hashable {
    /// 0xRRGGBB.
    package let rgb: UInt32

    /// The colour 0xRRGGBB.
    package init(_ rgb: UInt32) {
        precondition(rgb <= 0xff_ffff, "a colour has 24 bits")
        self.rgb = rgb
    }

    /// As SVG and CSS write it: `#rrggbb`.
    package var hex: String { String(format: "#%06x", rgb) }

    /// Red, green and blue, each in [0, 1].
    package var channels: SIMD3<Double> {
        SIMD3(Double(rgb >> 16), Double(rgb >> 8 & 0xff), Double(rgb & 0xff)) / 255
    }
}

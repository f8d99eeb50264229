import Foundation
import Testing

@testable import Pictures

struct PictureEncoderTests {
    struct Encoded: Decodable { let subsampling: String, quality, height, width: Int }

    @Test("A JPEG of ours decodes to what Pillow's of the same pixels, quality and subsampling does")
    func jpeg() throws {
        let source = resource("source.rgb")
        let encoded = table("encoded", of: Encoded.self)
        #expect(encoded.count == 4)
        var encoder = try PictureEncoder()
        for (name, line) in encoded {
            let subsampling = try #require(ChromaSubsampling(rawValue: line.subsampling))
            let bytes = try encoder.jpeg(
                source.span,
                height: line.height,
                width: line.width,
                quality: line.quality,
                subsampling: subsampling
            )
            let pixels = try decoded(bytes, as: .jpeg)
            #expect(largestDifference(pixels, try GoldenPicture.named(name).pixels) <= 1, "\(name)")
        }
    }

    @Test("A PNG gives back its pixels, at every level and size", arguments: 0...9)
    func png(level: Int) throws {
        var encoder = try PictureEncoder()
        let source = resource("source.rgb")
        for (height, width) in [(30, 44), (1, 1), (1, 440), (440, 1), (7, 5)] {
            let pixels = Array(source[..<(height * width * 3)])
            let bytes = try encoder.png(pixels.span, height: height, width: width, level: level)
            let header = try PictureHeader(reading: bytes.span, as: .png)
            #expect(header.height == height && header.width == width && header.colour == .rgb)
            #expect(try decoded(bytes, as: .png) == pixels)
        }
    }

    @Test("Every quality encodes and decodes, of both subsamplings and odd sizes")
    func qualities() throws {
        var encoder = try PictureEncoder()
        let source = resource("source.rgb")
        for quality in [1, 2, 50, 99, 100] {
            for subsampling in ChromaSubsampling.allCases {
                for (height, width) in [(30, 44), (1, 1), (1, 17), (29, 3)] {
                    let pixels = Array(source[..<(height * width * 3)])
                    let bytes = try encoder.jpeg(
                        pixels.span,
                        height: height,
                        width: width,
                        quality: quality,
                        subsampling: subsampling
                    )
                    let again = try decoded(bytes, as: .jpeg)
                    #expect(again.count == pixels.count)
                    if quality == 100, subsampling == .full { #expect(largestDifference(again, pixels) <= 4) }
                }
            }
        }
    }

    @Test("Wrong sizes and settings are errors that name them")
    func refused() throws {
        let cases: [(height: Int, width: Int, quality: Int, reason: PictureError.Reason, mentions: String)] =
            [
                (2, 2, 0, .setting, "quality 0; expected 1 to 100"),
                (2, 2, 101, .setting, "quality 101"),
                (0, 2, 90, .size, "height 0"),
                (2, -1, 90, .size, "width -1"),
                (2, 65_536, 90, .size, "width 65536"),
                (2, 3, 90, .size, "12 bytes of pixels; expected 18 for 3x2 RGB"),
            ]
        let pixels = [UInt8](repeating: 9, count: 12)
        for entry in cases {
            let error = try #require(throws: PictureError.self) {
                var encoder = try PictureEncoder()
                _ = try encoder.jpeg(
                    pixels.span,
                    height: entry.height,
                    width: entry.width,
                    quality: entry.quality
                )
            }
            #expect(error.reason == entry.reason)
            #expect(error.description.contains(entry.mentions), "\(error)")
        }
        let error = try #require(throws: PictureError.self) {
            var encoder = try PictureEncoder()
            _ = try encoder.png(pixels.span, height: 2, width: 2, level: 10)
        }
        #expect(error.description == "PNG picture: compression level 10; expected 0 to 9")
    }
}

import Testing

@testable import Pictures

/// PNGs whose chunks contradict each other, or that are made to cost time and memory.
struct RefusedPNGTests {
    @Test("A PNG is refused if any byte of it is changed")
    func changedByte() throws {
        for name in ["png-rgb", "png-palette-4", "png-described", "png-interlaced-rgba-8", "png-stored"] {
            let bytes = try GoldenPicture.named(name).bytes
            for index in bytes.indices {
                for change: UInt8 in [1, 0x20, 0xff] {
                    var broken = bytes
                    broken[index] ^= change
                    #expect(refusal(of: broken, as: .png) != nil, "\(name), byte \(index)")
                }
            }
        }
    }

    @Test("Fields of IHDR that PNG does not allow are refused")
    func imageHeaders() throws {
        let headers: [(bytes: [UInt8], mentions: String)] = [
            (imageHeader(height: 2, width: 2, bits: 3, type: 0), "colour type 0 with 3 bits"),
            (imageHeader(height: 2, width: 2, bits: 4, type: 2), "colour type 2 with 4 bits"),
            (imageHeader(height: 2, width: 2, bits: 16, type: 3), "colour type 3 with 16 bits"),
            (imageHeader(height: 2, width: 2, bits: 8, type: 5), "colour type 5 with 8 bits"),
            (imageHeader(height: 2, width: 2, interlace: 2), "interlace methods 0, 0, 2"),
            (chunk("IHDR", [UInt8](repeating: 1, count: 14)), "IHDR of 13 bytes"),
            (chunk("iHDR", [UInt8](repeating: 1, count: 13)), "IHDR of 13 bytes"),
            (imageHeader(height: 2, width: 2).dropLast() + [0], "checksum of chunk IHDR"),
        ]
        for header in headers {
            let bytes = pngSignature + header.bytes
            let error = try #require(throws: PictureError.self) {
                try PictureHeader(reading: bytes.span, as: .png)
            }
            #expect(error.reason == .corrupt)
            #expect(error.description.contains(header.mentions), "\(error)")
        }
    }

    @Test("A PNG without pixels, without its palette or with an unknown critical chunk is refused")
    func chunks() throws {
        let picture = try GoldenPicture.named("png-stored").bytes
        let (head, pixels, end) = (
            Array(picture[..<33]), Array(picture[33..<picture.count - 12]), Array(picture.suffix(12))
        )
        let palette = try GoldenPicture.named("png-palette-4").bytes
        let start = try #require(palette.indices.first { palette[$0...].starts(with: "PLTE".utf8) }) - 4
        let length = 12 + Int(palette[start + 3]) + Int(palette[start + 2]) * 256
        let broken: [(bytes: [UInt8], reason: PictureError.Reason)] = [
            (head + end, .corrupt),
            (head + pixels, .truncated),
            (head + chunk("ABCD", [1]) + pixels + end, .corrupt),
            (head + pixels + chunk("tEXt", []) + pixels + end, .corrupt),
            (head + head.dropFirst(8) + pixels + end, .corrupt),
            (head + chunk("IDAT", [1, 2, 3]) + end, .corrupt),
            (head + chunk("IDAT", Array(pixels[8..<40])) + end, .truncated),
            (Array(palette[..<start] + palette[(start + length)...]), .corrupt),
        ]
        for (index, entry) in broken.enumerated() {
            let error = try #require(refusal(of: entry.bytes, as: .png), "\(index)")
            #expect(error.reason == entry.reason, "\(index): \(error)")
        }
    }

    @Test("A PNG with more compressed pixels than its size may have is refused")
    func tooManyBytes() throws {
        let picture = try GoldenPicture.named("png-stored").bytes
        let junk = chunk("IDAT", [UInt8](repeating: 0, count: 1 << 16))
        let bytes = picture.dropLast(12) + junk + picture.suffix(12)
        let error = try #require(refusal(of: Array(bytes), as: .png))
        #expect(error.reason == .limit)
        #expect(error.description.contains("bytes of compressed pixels for 5x7"), "\(error)")
    }

    @Test("A PNG of the largest size with hardly any pixels is refused, and its header costs nothing")
    func hugeSize() throws {
        let bytes =
            pngSignature + imageHeader(height: 65_535, width: 65_535) + chunk("IDAT", [0x78, 0x9c])
            + chunk("IEND", [])
        let header = try PictureHeader(reading: bytes.span, as: .png)
        #expect(header.pixelByteCount == 65_535 * 65_535 * 3)
    }

    @Test("An ancillary chunk beyond the limit is refused")
    func largeProfile() throws {
        let picture = try GoldenPicture.named("png-stored").bytes
        let text = chunk("tEXt", Array("key\0".utf8) + [UInt8](repeating: 65, count: 2 << 20))
        let bytes = Array(picture[..<33]) + text + picture[33...]
        let error = try #require(refusal(of: bytes, as: .png))
        #expect(error.reason == .limit)
    }
}

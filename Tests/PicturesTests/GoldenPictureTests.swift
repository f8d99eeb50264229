import Testing

@testable import Pictures

/// Against Pillow, of which Tests/Oracles/pictures.py keeps pictures and pixels.
struct GoldenPictureTests {
    @Test("The golden pictures are all there")
    func complete() {
        #expect(GoldenPicture.all.count { $0.format == .jpeg } >= 20)
        #expect(GoldenPicture.all.count { $0.format == .png } >= 30)
    }

    @Test("A header has the size, colours and depth", arguments: GoldenPicture.all)
    func header(of picture: GoldenPicture) throws {
        let header = try PictureHeader(reading: picture.bytes.span, as: picture.format)
        #expect(header.format == picture.format)
        #expect(header.height == picture.height)
        #expect(header.width == picture.width)
        #expect(header.colour == picture.colour)
        #expect(header.bitsPerSample == picture.bits)
        #expect(header.pixelByteCount == picture.pixels.count)
    }

    @Test("Pixels are Pillow's: of a PNG exactly, of a JPEG within 1", arguments: GoldenPicture.all)
    func pixels(of picture: GoldenPicture) throws {
        let pixels = try decoded(picture.bytes, as: picture.format)
        let expected = picture.pixels
        try #require(pixels.count == expected.count && !expected.isEmpty)
        #expect(largestDifference(pixels, expected) <= (picture.format == .jpeg ? 1 : 0))
    }

    @Test("Bytes after the end are no part of the picture, as of frames that a camera pads")
    func padding() throws {
        for name in ["jpeg-420", "jpeg-progressive", "png-rgb"] {
            let picture = try GoldenPicture.named(name)
            let padded = picture.bytes + [UInt8](repeating: 0, count: 512) + [0xff, 0xd9, 0xff]
            #expect(try decoded(padded, as: picture.format) == decoded(picture.bytes, as: picture.format))
        }
    }

    @Test("One decoder reads pictures of both formats in turn, and goes on after bad ones")
    func reuse() throws {
        var decoder = try PictureDecoder()
        for picture in GoldenPicture.all + GoldenPicture.all.reversed() {
            let bytes = picture.bytes
            let header = try PictureHeader(reading: bytes.span, as: picture.format)
            var pixels = [UInt8](repeating: 0, count: header.pixelByteCount)
            var span = pixels.mutableSpan
            let broken = Array(bytes.dropLast(3))
            var failed = false
            do throws(PictureError) {
                try decoder.decode(broken.span, header, into: &span)
            } catch {
                failed = true
            }
            #expect(failed)
            try decoder.decode(bytes.span, header, into: &span)
            #expect(largestDifference(pixels, picture.pixels) <= (picture.format == .jpeg ? 1 : 0))
        }
    }
}

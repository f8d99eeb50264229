/// Decodes pictures to RGB, one after the other, with memory that does not grow from picture to picture.
///
/// It reads a picture completely or refuses it: what libjpeg only warns about (data that ends early, bytes too many, a code
/// that is none) is an error here, because a robot must not be steered by a picture that is half grey.
public struct PictureDecoder: ~Copyable, Sendable {
    private var jpeg: JPEGDecompressor

    /// - Throws: `.memory` if the system has none.
    public init() throws(PictureError) {
        jpeg = try JPEGDecompressor()
    }

    /// Decodes `bytes` into `pixels`, RGB [height, width, 3], row by row from the top.
    ///
    /// The pixels are those of Pillow's `Image.open(...).convert("RGB")`:
    ///
    /// - JPEG: accurate inverse DCT, smooth chroma upsampling, equal to Pillow's within 1.
    /// - PNG: exactly equal. Alpha is dropped, grey is repeated, colours of a palette are looked up. Of samples of 16 bits the
    ///   upper 8 are taken. Gamma and colour profiles are ignored.
    ///
    /// If it throws, `pixels` are all zero, unless they have the wrong size: then they are as before.
    ///
    /// - Parameters:
    ///   - bytes: the picture. Bytes after its end are ignored.
    ///   - header: `bytes`' header.
    ///   - pixels: exactly `header.pixelByteCount` bytes.
    /// - Throws: `.size` if `pixels` is not of the header's size; `.corrupt`, `.truncated`, `.limit` or `.memory` if the picture
    ///   cannot be decoded; what `PictureHeader` throws if `bytes` do not have this header.
    @_lifetime(pixels: copy pixels)
    public mutating func decode(
        _ bytes: Span<UInt8>,
        _ header: PictureHeader,
        into pixels: inout MutableSpan<UInt8>
    ) throws(PictureError) {
        guard pixels.count == header.pixelByteCount else {
            throw PictureError(
                .size,
                header.format,
                found: "\(header.width)x\(header.height) RGB pixels of \(header.pixelByteCount) bytes",
                expected: "\(pixels.count) bytes"
            )
        }
        do throws(PictureError) {
            try Signature.check(bytes, is: header.format)
            switch header.format {
            case .jpeg: try jpeg.decode(bytes, header, into: &pixels)
            case .png: try PNGReader.decode(bytes, header, into: &pixels)
            }
        } catch {
            pixels.update(repeating: 0)
            throw error
        }
    }

    /// Throws unless `bytes`, which say `found`, have the header that the caller read.
    static func require(_ found: PictureHeader, is header: PictureHeader) throws(PictureError) {
        guard found != header else { return }
        func text(_ header: PictureHeader) -> String {
            "\(header.width)x\(header.height), \(header.colour), \(header.bitsPerSample) bits"
        }
        throw PictureError(
            .size,
            header.format,
            found: "a picture of \(text(found))",
            expected: text(header)
        )
    }
}

import CTurboJPEG

/// libjpeg-turbo's encoder.
///
/// `@unchecked Sendable` holds because the handle has one owner, which cannot be copied, and the library keeps all state of a
/// handle in it.
struct JPEGCompressor: ~Copyable, @unchecked Sendable {
    private let handle: tjhandle
    /// Where the library writes: room for the largest picture so far, kept so that a recording allocates only what it keeps.
    private var room: [UInt8]

    init() throws(PictureError) {
        guard let handle = tjInitCompress() else {
            throw PictureError(
                .memory,
                .jpeg,
                found: "no memory for an encoder",
                expected: "some kilobytes"
            )
        }
        self.handle = handle
        self.room = []
    }

    deinit { tjDestroy(handle) }

    /// As `PictureEncoder.jpeg`. `pixels` has the header's size.
    mutating func encode(
        _ pixels: Span<UInt8>,
        _ header: PictureHeader,
        quality: Int,
        subsampling: ChromaSubsampling
    ) throws(PictureError) -> [UInt8] {
        let (width, height) = (CInt(header.width), CInt(header.height))
        let chroma = CInt((subsampling == .full ? TJSAMP_444 : TJSAMP_420).rawValue)
        let largest = Int(tjBufSize(width, height, chroma))
        if room.count < largest { room = [UInt8](repeating: 0, count: largest) }
        var count = UInt(room.count)
        let handle = handle
        let status = pixels.withUnsafeBufferPointer { pixels in
            room.withUnsafeMutableBufferPointer { room in
                var start = room.baseAddress
                return tjCompress2(
                    handle,
                    pixels.baseAddress,
                    width,
                    width * 3,
                    height,
                    CInt(TJPF_RGB.rawValue),
                    &start,
                    &count,
                    chroma,
                    CInt(quality),
                    TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC
                )
            }
        }
        guard status == 0 else {
            let text = tjGetErrorStr2(handle).map { String(cString: $0) } ?? "an error without a text"
            throw PictureError(.memory, .jpeg, found: "libjpeg: \(text)", expected: "a JPEG")
        }
        return Array(room[..<Int(count)])
    }
}

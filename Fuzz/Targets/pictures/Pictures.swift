import Harness
import Pictures

/// Frames as JPEG and PNG. The input is read as both. A PNG is read once more with every checksum made right, since a changed
/// byte would otherwise never come further than its chunk's.
///
/// An accepted header has a size and says how many bytes the pixels are. A decoder writes these and no byte beyond, and what it
/// accepted it accepts again, with the same pixels.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var bytes = input(start, count)
    check(bytes, as: .jpeg)
    check(bytes, as: .png)
    if mendChecksums(&bytes) { check(bytes, as: .png) }
    return 0
}

/// Larger pictures are read no further than their header: the fuzzer has many inputs to try.
private let largestPixels = 1 << 21
private let guardBytes = 64

private func check(_ bytes: [UInt8], as format: PictureFormat) {
    do throws(PictureError) {
        let header = try PictureHeader(reading: bytes.span, as: format)
        let sides = 1...PictureHeader.largestSide
        require(sides.contains(header.height) && sides.contains(header.width), "\(header)")
        require(header.pixelByteCount == header.height * header.width * 3, "\(header)")
        guard header.pixelByteCount <= largestPixels else { return }
        let first = try decode(bytes, header)
        let second = try decode(bytes, header)
        require(first == second, "other pixels the second time")
    } catch {
        requireOneLine(error)
    }
}

/// The pixels. On both sides of them lie bytes that must stay as they are, because the C libraries are not instrumented.
private func decode(_ bytes: [UInt8], _ header: PictureHeader) throws(PictureError) -> [UInt8] {
    let pixels = guardBytes..<guardBytes + header.pixelByteCount
    var room = [UInt8](repeating: 0xa5, count: pixels.upperBound + guardBytes)
    var problem: PictureError?
    do throws(PictureError) {
        var decoder = try PictureDecoder()
        try room.withUnsafeMutableBufferPointer { room throws(PictureError) in
            var span = MutableSpan(_unsafeElements: UnsafeMutableBufferPointer(rebasing: room[pixels]))
            try decoder.decode(bytes.span, header, into: &span)
        }
    } catch {
        problem = error
    }
    require(
        room[..<pixels.lowerBound].allSatisfy { $0 == 0xa5 }
            && room[pixels.upperBound...].allSatisfy { $0 == 0xa5 },
        "bytes written beyond the pixels"
    )
    if let problem {
        require(room[pixels].allSatisfy { $0 == 0 }, "pixels after an error")
        throw problem
    }
    return Array(room[pixels])
}

/// Gives each whole chunk of a PNG its checksum. False if none was wrong.
private func mendChecksums(_ bytes: inout [UInt8]) -> Bool {
    var isMended = false
    var chunk = 8
    while bytes.count - chunk >= 12 {
        let length = bytes[chunk..<chunk + 4].reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytes.count - chunk - 12 else { break }
        let end = chunk + 8 + length
        var sum = UInt32.max
        for byte in bytes[chunk + 4..<end] {
            sum = sums[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8
        }
        for place in 0..<4 {
            let byte = UInt8(truncatingIfNeeded: ~sum >> UInt32(24 - 8 * place))
            if bytes[end + place] != byte { isMended = true }
            bytes[end + place] = byte
        }
        chunk = end + 4
    }
    return isMended
}

/// CRC-32's table.
private let sums: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xedb8_8320 }
}

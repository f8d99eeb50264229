/// A marker segment of a JPEG (ITU-T T.81, B.1.1.4).
struct JPEGSegment {
    /// The marker's second byte; `JPEGMarker` names those of interest.
    let marker: UInt8
    /// Where its parameters are, without their length; empty for markers that have none.
    let parameters: Range<Int>
}

/// Second bytes of markers (ITU-T T.81, table B.1).
enum JPEGMarker {
    static let startOfImage: UInt8 = 0xd8
    static let endOfImage: UInt8 = 0xd9
    static let startOfScan: UInt8 = 0xda
    static let restarts: ClosedRange<UInt8> = 0xd0...0xd7
    static let temporary: UInt8 = 0x01
    static let jfif: UInt8 = 0xe0
    static let adobe: UInt8 = 0xee

    /// Whether the marker starts a frame. Three codes in the range of frames mean something else.
    static func isFrame(_ marker: UInt8) -> Bool {
        (0xc0...0xcf).contains(marker) && ![0xc4, 0xc8, 0xcc].contains(marker)
    }
}

/// Walks the marker segments of a JPEG and steps over the coded data of scans.
struct JPEGSegments {
    /// Where the next segment starts, after the start-of-image marker at first.
    private(set) var offset = 2

    /// The next segment. After a start of scan, call `skipScan` first.
    mutating func next(in bytes: Span<UInt8>) throws(PictureError) -> JPEGSegment {
        let place = offset
        guard offset < bytes.count else { throw Self.truncated(bytes) }
        guard bytes[offset] == 0xff else {
            throw Self.corrupt(
                "the byte \(bytes[offset]) at \(offset)",
                expected: "a marker, which starts with 255"
            )
        }
        // Any number of bytes 255 may come before a marker.
        while offset < bytes.count, bytes[offset] == 0xff { offset += 1 }
        guard offset < bytes.count else { throw Self.truncated(bytes) }
        let marker = bytes[offset]
        offset += 1
        if marker == JPEGMarker.endOfImage {
            return JPEGSegment(marker: marker, parameters: offset..<offset)
        }
        guard marker > JPEGMarker.temporary, marker != JPEGMarker.startOfImage,
            !JPEGMarker.restarts.contains(marker)
        else {
            throw Self.corrupt("the marker \(marker) at \(place)", expected: "a marker segment")
        }
        guard offset + 2 <= bytes.count else { throw Self.truncated(bytes) }
        let length = Self.number(in: bytes, at: offset)
        guard length >= 2 else {
            throw Self.corrupt("a marker segment of \(length) bytes at \(place)", expected: "2 or more")
        }
        guard offset + length <= bytes.count else { throw Self.truncated(bytes) }
        let parameters = offset + 2..<offset + length
        offset += length
        return JPEGSegment(marker: marker, parameters: parameters)
    }

    /// Steps over a scan's coded data, to the next marker that is no restart.
    mutating func skipScan(in bytes: Span<UInt8>) throws(PictureError) {
        while offset + 1 < bytes.count {
            if bytes[offset] != 0xff {
                offset += 1
                continue
            }
            let next = bytes[offset + 1]
            if next == 0 || JPEGMarker.restarts.contains(next) {
                offset += 2
            } else if next == 0xff {
                offset += 1
            } else {
                return
            }
        }
        throw Self.truncated(bytes)
    }

    /// The 16-bit number at `offset`.
    static func number(in bytes: Span<UInt8>, at offset: Int) -> Int {
        Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
    }

    static func corrupt(_ found: String, expected: String) -> PictureError {
        PictureError(.corrupt, .jpeg, found: found, expected: expected)
    }

    private static func truncated(_ bytes: Span<UInt8>) -> PictureError {
        PictureError(
            .truncated,
            .jpeg,
            found: "\(bytes.count) bytes without an end-of-image marker",
            expected: "a whole JPEG"
        )
    }
}

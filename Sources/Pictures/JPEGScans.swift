/// Which coefficients the scans of a JPEG bring, so that a picture of which parts were never sent is refused. libjpeg decodes
/// one without a word, blurred or grey.
struct JPEGScans {
    /// As many as a progressive picture may have. Encoders use about 10; a file of many more is made to cost time.
    static let limit = 64

    private let frame: JPEGFrame
    /// For each component, a bit for each of the 64 coefficients that was sent to its last bit.
    private var sent: [UInt64]
    private var count = 0

    /// Walks a whole JPEG, and throws unless every coefficient of every component is sent and an end-of-image marker follows.
    ///
    /// - Returns: The number of bytes up to and with the end-of-image marker. What follows it is no part of the picture:
    ///   cameras pad their frames.
    static func check(_ bytes: Span<UInt8>, _ frame: JPEGFrame) throws(PictureError) -> Int {
        var scans = JPEGScans(frame)
        var segments = JPEGSegments()
        var frames = 0
        while true {
            let segment = try segments.next(in: bytes)
            if segment.marker == JPEGMarker.endOfImage { break }
            if segment.marker == JPEGMarker.startOfScan {
                try scans.note(segment.parameters, in: bytes)
                try segments.skipScan(in: bytes)
            } else if JPEGMarker.isFrame(segment.marker) {
                frames += 1
            }
        }
        guard frames == 1 else { throw JPEGSegments.corrupt("\(frames) frame headers", expected: "one") }
        guard scans.sent.allSatisfy({ $0 == .max }) else {
            throw PictureError(
                .truncated,
                .jpeg,
                found: "\(scans.count) scans that leave parts of the picture unsent",
                expected: "all scans"
            )
        }
        return segments.offset
    }

    private init(_ frame: JPEGFrame) {
        self.frame = frame
        sent = frame.components.map { _ in 0 }
    }

    /// Takes a scan header (ITU-T T.81, B.2.3) into account.
    private mutating func note(_ parameters: Range<Int>, in bytes: Span<UInt8>) throws(PictureError) {
        count += 1
        guard count <= Self.limit else {
            throw PictureError(
                .limit,
                .jpeg,
                found: "more than \(Self.limit) scans",
                expected: "at most \(Self.limit)"
            )
        }
        let start = parameters.lowerBound
        let components = parameters.isEmpty ? 0 : Int(bytes[start])
        guard (1...4).contains(components), parameters.count == 4 + 2 * components else {
            throw JPEGSegments.corrupt(
                "a scan header of \(parameters.count + 2) bytes",
                expected: "6 and 2 for each component"
            )
        }
        let coefficients = try coefficients(at: start + 1 + 2 * components, in: bytes)
        for place in stride(from: start + 1, to: start + 1 + 2 * components, by: 2) {
            guard let index = frame.components.firstIndex(where: { $0.id == bytes[place] }) else {
                throw JPEGSegments.corrupt(
                    "a scan of component \(bytes[place])",
                    expected: "one of the frame's components"
                )
            }
            sent[index] |= coefficients
        }
    }

    /// The coefficients that a scan sends to their last bit. `place` is that of the first one's number, which the last
    /// one's and the bits follow.
    private func coefficients(at place: Int, in bytes: Span<UInt8>) throws(PictureError) -> UInt64 {
        guard frame.isProgressive else { return .max }
        let (first, last) = (bytes[place], bytes[place + 1])
        guard first <= last, last < 64 else {
            throw JPEGSegments.corrupt(
                "a scan of coefficients \(first) to \(last)",
                expected: "a range in 0 to 63"
            )
        }
        guard bytes[place + 2] & 15 == 0 else { return 0 }
        return (UInt64.max >> (63 - UInt64(last))) & (UInt64.max << UInt64(first))
    }
}

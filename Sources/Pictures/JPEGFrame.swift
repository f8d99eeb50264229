/// A JPEG's frame header (ITU-T T.81, B.2.2) and what the segments before its first scan say of its colours.
struct JPEGFrame {
    /// A component's identifier in the frame, and how many samples of it stand for the largest component's.
    struct Component: Hashable {
        let id: UInt8
        let horizontal: Int
        let vertical: Int
    }

    let isProgressive: Bool
    let components: [Component]
    let header: PictureHeader

    /// Reads the segments up to the first scan.
    init(reading bytes: Span<UInt8>) throws(PictureError) {
        var segments = JPEGSegments()
        var frame: JPEGSegment?
        var colours = ColourMarkers()
        while true {
            let segment = try segments.next(in: bytes)
            if JPEGMarker.isFrame(segment.marker) {
                guard frame == nil else {
                    throw JPEGSegments.corrupt("two frame headers", expected: "one")
                }
                try Self.check(process: segment.marker)
                frame = segment
            } else if segment.marker == JPEGMarker.startOfScan {
                break
            } else if segment.marker == JPEGMarker.endOfImage {
                throw JPEGSegments.corrupt("the end of the image before a scan", expected: "a scan")
            } else {
                colours.note(segment, in: bytes)
            }
        }
        guard let frame else {
            throw JPEGSegments.corrupt("a scan before a frame header", expected: "a frame header")
        }
        try self.init(frame, in: bytes, colours)
    }

    private init(
        _ segment: JPEGSegment,
        in bytes: Span<UInt8>,
        _ colours: ColourMarkers
    ) throws(PictureError) {
        let start = segment.parameters.lowerBound
        let count = segment.parameters.count
        guard count >= 6, count == 6 + 3 * Int(bytes[start + 5]) else {
            throw JPEGSegments.corrupt(
                "a frame header of \(count + 2) bytes",
                expected: "8 and 3 for each component"
            )
        }
        let precision = bytes[start]
        guard precision == 8 else {
            throw Self.unsupported("samples of \(precision) bits", expected: "8 bits")
        }
        components = try Self.components(from: start + 6, count: Int(bytes[start + 5]), in: bytes)
        isProgressive = segment.marker == 0xc2
        header = try PictureHeader(
            format: .jpeg,
            height: JPEGSegments.number(in: bytes, at: start + 1),
            width: JPEGSegments.number(in: bytes, at: start + 3),
            colour: colours.colour(of: components),
            bitsPerSample: 8
        )
    }

    private static func components(
        from start: Int,
        count: Int,
        in bytes: Span<UInt8>
    ) throws(PictureError) -> [Component] {
        guard count == 1 || count == 3 else {
            let kind = count == 4 ? " (CMYK or YCCK)" : ""
            throw unsupported("\(count) colour components\(kind)", expected: "1 (grey) or 3 (YCbCr or RGB)")
        }
        var components: [Component] = []
        for place in stride(from: start, to: start + 3 * count, by: 3) {
            let component = Component(
                id: bytes[place],
                horizontal: Int(bytes[place + 1] >> 4),
                vertical: Int(bytes[place + 1] & 15)
            )
            guard (1...4).contains(component.horizontal), (1...4).contains(component.vertical) else {
                throw JPEGSegments.corrupt(
                    "sampling factors \(component.horizontal)x\(component.vertical)",
                    expected: "1 to 4"
                )
            }
            guard !components.contains(where: { $0.id == component.id }) else {
                throw JPEGSegments.corrupt("two components \(component.id)", expected: "different ones")
            }
            components.append(component)
        }
        return components
    }

    /// Throws unless frames of this marker are read. With arithmetic coding a decoder cannot tell data that was lost from
    /// data that says "grey", so such pictures are refused although the library reads them.
    private static func check(process marker: UInt8) throws(PictureError) {
        let found: String
        switch marker {
        case 0xc0, 0xc1, 0xc2: return
        case 0xc3: found = "lossless coding"
        case 0xc9, 0xca: found = "arithmetic coding"
        case 0xcb: found = "lossless arithmetic coding"
        default: found = "hierarchical coding"
        }
        throw unsupported(found, expected: "sequential or progressive Huffman coding")
    }

    private static func unsupported(_ found: String, expected: String) -> PictureError {
        PictureError(.unsupported, .jpeg, found: found, expected: expected)
    }
}

/// The application segments that say what three components are: JFIF's and Adobe's.
private struct ColourMarkers {
    private var isJFIF = false
    private var adobeTransform: UInt8?

    mutating func note(_ segment: JPEGSegment, in bytes: Span<UInt8>) {
        let parameters = segment.parameters
        func hasName(_ name: String) -> Bool {
            zip(parameters, name.utf8).allSatisfy { bytes[$0] == $1 }
        }
        if segment.marker == JPEGMarker.jfif, parameters.count >= 14, hasName("JFIF\0") { isJFIF = true }
        if segment.marker == JPEGMarker.adobe, parameters.count >= 12, hasName("Adobe") {
            adobeTransform = bytes[parameters.lowerBound + 11]
        }
    }

    /// libjpeg's rule: JFIF is YCbCr, then Adobe's segment counts, then the letters R, G and B as identifiers.
    func colour(of components: [JPEGFrame.Component]) -> PictureColour {
        if components.count == 1 { return .grey }
        if isJFIF { return .yCbCr }
        if let adobeTransform { return adobeTransform == 0 ? .rgb : .yCbCr }
        return components.map(\.id).elementsEqual("RGB".utf8) ? .rgb : .yCbCr
    }
}

/// How a frame is compressed. The raw values are the names that messages and recordings use.
public enum PictureFormat: String, Sendable, Hashable, CaseIterable {
    /// JPEG (ITU-T T.81) with Huffman coding, sequential or progressive.
    case jpeg
    /// PNG (third edition). Of an animated one, the default image is read.
    case png
}

extension PictureFormat {
    /// The name as people write it.
    var name: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        }
    }
}

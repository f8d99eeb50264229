/// Formats other than MessagePack that clients send by mistake. Each is known by its first bytes; nothing of it is read.
enum ForeignFormat: String, CaseIterable {
    case json = "JSON text"
    case pickle = "a Python pickle"
    case zip = "a zip archive, as torch.save and numpy.savez write"
    case npy = "a .npy file, as numpy.save writes"
    case jpeg = "a JPEG image"
    case png = "a PNG image"
    case text = "plain text"

    /// The format of bytes that are not MessagePack; nil if they begin like none of these.
    init?(_ bytes: Span<UInt8>) {
        let found = Self.allCases.first { $0.begins(bytes) }
        guard let found else { return nil }
        self = found
    }

    private func begins(_ bytes: Span<UInt8>) -> Bool {
        switch self {
        case .json: Self.isJSON(bytes)
        case .pickle: Self.isPickle(bytes)
        case .zip: bytes.starts(with: [0x50, 0x4b, 0x03, 0x04])
        case .npy: bytes.starts(with: [0x93] + Array("NUMPY".utf8))
        case .jpeg: bytes.starts(with: [0xff, 0xd8, 0xff])
        case .png: bytes.starts(with: [0x89] + Array("PNG".utf8))
        case .text: Self.isText(bytes)
        }
    }

    /// How much of a message is looked at to tell text.
    private static let sampledBytes = 64
    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    /// An object, an array or a string, after a byte order mark and blanks.
    private static func isJSON(_ bytes: Span<UInt8>) -> Bool {
        var offset = bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0
        while offset < bytes.count, isBlank(bytes[offset]) { offset += 1 }
        guard offset < bytes.count, "{[\"".utf8.contains(bytes[offset]) else { return false }
        return isText(bytes.extracting(offset..<bytes.count))
    }

    /// Protocols 2 to 5, which begin with an opcode of their own; those before are text. From protocol 4 on a frame follows.
    private static func isPickle(_ bytes: Span<UInt8>) -> Bool {
        bytes.count >= 2 && bytes[0] == 0x80 && (2...5).contains(bytes[1])
    }

    private static func isText(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 1 else { return false }
        for index in 0..<min(bytes.count, sampledBytes) {
            let byte = bytes[index]
            guard byte >= 0x20 && byte != 0x7f || isBlank(byte) else { return false }
        }
        return true
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
}

extension Span where Element == UInt8 {
    func starts(with prefix: [UInt8]) -> Bool {
        guard count >= prefix.count else { return false }
        for index in prefix.indices where self[index] != prefix[index] { return false }
        return true
    }
}

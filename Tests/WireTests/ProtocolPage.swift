import Foundation

/// The hex dumps of docs/PROTOCOL.md, which Tests/Oracles/wire.py packs with the Python msgpack package.
enum ProtocolPage {
    /// The bytes of the dump of that name.
    static func bytes(_ name: String) throws -> [UInt8] {
        let page = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("docs/PROTOCOL.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        guard let start = text.range(of: "```hex \(name)\n"),
            let end = text.range(of: "\n```", range: start.upperBound..<text.endIndex)
        else { throw CocoaError(.fileReadCorruptFile) }
        var bytes: [UInt8] = []
        for line in text[start.upperBound..<end.lowerBound].split(separator: "\n") {
            // The offset, two blanks, the bytes, two blanks, the text.
            for pair in line.dropFirst(6).prefix(47).split(separator: " ") {
                guard let byte = UInt8(pair, radix: 16) else { throw CocoaError(.fileReadCorruptFile) }
                bytes.append(byte)
            }
        }
        return bytes
    }
}

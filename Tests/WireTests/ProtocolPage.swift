import Foundation

@testable import Wire

/// docs/PROTOCOL.md: its tables, and its hex dumps, which Tests/Oracles/wire.py packs with the Python msgpack package.
enum ProtocolPage {
    private static func text() throws -> String {
        let page = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("docs/PROTOCOL.md")
        return try String(contentsOf: page, encoding: .utf8)
    }

    /// The page's lines.
    static func lines() throws -> [String] {
        try text().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The lines of the table under a heading whose head begins with a cell; none if there is no such table.
    static func table(under heading: String, head: String) throws -> [String] {
        var lines = try lines()[...].drop { $0 != heading }.dropFirst()
        lines = lines.prefix { !$0.hasPrefix("#") }
        return Array(lines.drop { !$0.hasPrefix("| \(head) |") }.prefix { $0.hasPrefix("|") })
    }

    /// The bytes of the dump of that name.
    static func bytes(_ name: String) throws -> [UInt8] {
        let text = try text()
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

extension MessagePackEncoder {
    /// Packs a message of these fields besides the version and the type.
    func message(_ type: String, _ entries: MessagePackMap) {
        begin(type, request: nil, fields: entries.count)
        entries.forEach { key, value in
            string(key)
            self.value(value)
        }
    }
}

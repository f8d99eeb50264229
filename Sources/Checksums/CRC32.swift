/// CRC-32 with the reflected polynomial 0xedb88320 (IEEE 802.3), as zip archives and MCAP files carry it.
package struct CRC32: Sendable {
    private var state = UInt32.max

    package init() {}

    /// Row k maps a byte to what it makes of the sum k bytes later, so that eight bytes take eight independent look-ups.
    private static let tables: [[UInt32]] = {
        var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
        for byte in 0..<256 {
            var sum = UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
            tables[0][byte] = sum
        }
        for row in 1..<8 {
            for byte in 0..<256 {
                let sum = tables[row - 1][byte]
                tables[row][byte] = sum >> 8 ^ tables[0][Int(sum & 0xff)]
            }
        }
        return tables
    }()

    /// The sum of everything that was added.
    package var value: UInt32 { ~state }

    /// Adds bytes.
    package mutating func add(_ bytes: Span<UInt8>) {
        let tables = Self.tables
        var sum = state
        var index = 0
        while index + 8 <= bytes.count {
            sum ^=
                UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16
                | UInt32(bytes[index + 3]) << 24
            let low =
                tables[7][Int(sum & 0xff)] ^ tables[6][Int(sum >> 8 & 0xff)]
                ^ tables[5][Int(sum >> 16 & 0xff)] ^ tables[4][Int(sum >> 24)]
            let high =
                tables[3][Int(bytes[index + 4])] ^ tables[2][Int(bytes[index + 5])]
                ^ tables[1][Int(bytes[index + 6])] ^ tables[0][Int(bytes[index + 7])]
            sum = low ^ high
            index += 8
        }
        while index < bytes.count {
            sum = sum >> 8 ^ tables[0][Int((sum ^ UInt32(bytes[index])) & 0xff)]
            index += 1
        }
        state = sum
    }

    /// The sum of some bytes.
    package static func sum(of bytes: Span<UInt8>) -> UInt32 {
        var sum = CRC32()
        sum.add(bytes)
        return sum.value
    }
}

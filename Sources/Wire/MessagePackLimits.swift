import Robotics

/// What a message may hold before any of it is unpacked.
///
/// The limits are checked on the bytes themselves, so that a length that lies (an array that says it has 2^32 elements
/// in a message of 20 bytes) allocates nothing.
public struct MessagePackLimits: Sendable, Hashable {
    /// The longest message, in bytes.
    public var messageBytes: Int
    /// The deepest nesting of arrays and maps: 1 for a map of numbers. At most 24, which msgpack-c can still unpack.
    public var depth: Int
    /// The most values in one message, keys and elements counted.
    public var values: Int
    /// The most entries in one map.
    public var mapEntries: Int

    /// The limits of the protocol: 1 MiB, 8 levels, 65,536 values, 256 entries in a map.
    public static let standard = MessagePackLimits(
        messageBytes: 1 << 20,
        depth: 8,
        values: 1 << 16,
        mapEntries: 256
    )

    /// Limits of one's own; `depth` is from 1 to 24.
    public init(messageBytes: Int, depth: Int, values: Int, mapEntries: Int) {
        precondition((1...24).contains(depth), "depth is \(depth), expected 1 to 24")
        self.messageBytes = messageBytes
        self.depth = depth
        self.values = values
        self.mapEntries = mapEntries
    }

    /// Walks a message from head to head, reading no content.
    /// - Throws: `MessageError` if the message is longer, deeper or larger than the limits allow, ends early,
    ///   has bytes after its value, or holds a type that the protocol does not use.
    func check(_ bytes: Span<UInt8>) throws(MessageError) {
        guard bytes.count <= messageBytes else { throw .tooLong(bytes.count, limit: messageBytes) }
        var offset = 0
        var valuesLeft = values
        // open[d] is how many values the container at level d still lacks.
        var open = [1]
        while let missing = open.last {
            if missing == 0 {
                open.removeLast()
                continue
            }
            open[open.count - 1] = missing - 1
            guard valuesLeft > 0 else {
                throw MessageError(.tooLarge, "the message has more than \(values) values")
            }
            valuesLeft -= 1

            let head = try MessagePackHead(bytes, at: offset)
            offset += head.bytes
            let left = bytes.count - offset
            guard head.contentBytes <= left else {
                throw .truncated(at: offset, needs: head.contentBytes, left: left)
            }
            offset += head.contentBytes
            if let elements = head.elements {
                // Each element takes at least one byte.
                guard elements <= left else { throw .truncated(at: offset, needs: elements, left: left) }
                guard open.count <= depth else {
                    throw MessageError(.tooDeep, "the message nests deeper than \(depth) levels")
                }
                guard !head.isMap || elements <= 2 * mapEntries else {
                    throw MessageError(
                        .tooLarge,
                        "a map has \(elements / 2) entries; at most \(mapEntries) are accepted"
                    )
                }
                open.append(elements)
            }
        }
        guard offset == bytes.count else {
            throw MessageError(
                .notMessagePack,
                "\(bytes.count - offset) bytes follow the message's one value"
            )
        }
    }
}

extension MessageError {
    /// A message of so many bytes, of which at most `limit` are accepted.
    package static func tooLong(_ bytes: Int, limit: Int) -> MessageError {
        MessageError(.tooLarge, "the message has \(bytes) bytes; at most \(limit) are accepted")
    }
}

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
    /// - Throws: ``MessageError`` where the message is longer, deeper or larger than the limits allow, ends early,
    ///   has bytes after its value, or holds a type that the protocol does not use.
    func check(_ bytes: Span<UInt8>) throws(MessageError) {
        guard bytes.count <= messageBytes else {
            throw MessageError(
                .tooLarge,
                "the message has \(bytes.count) bytes; at most \(messageBytes) are accepted"
            )
        }
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

            let head = try Head(bytes, at: offset)
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

    /// The first bytes of a value: how long they are, and what they announce.
    private struct Head {
        var bytes: Int
        var contentBytes = 0
        /// For an array or a map, how many values follow.
        var elements: Int?
        var isMap = false

        init(_ message: Span<UInt8>, at offset: Int) throws(MessageError) {
            func length(_ width: Int) throws(MessageError) -> Int {
                let left = message.count - offset - 1
                guard width <= left else { throw .truncated(at: offset + 1, needs: width, left: left) }
                var value = 0
                for index in 1...width { value = value << 8 | Int(message[offset + index]) }
                return value
            }
            guard offset < message.count else { throw .truncated(at: offset, needs: 1, left: 0) }
            let tag = message[offset]
            switch tag {
            case 0x00...0x7f, 0xe0...0xff, 0xc0, 0xc2, 0xc3:  // small integers, nil, false, true
                bytes = 1
            case 0x80...0x8f:  // fixmap
                (bytes, elements, isMap) = (1, 2 * Int(tag & 0x0f), true)
            case 0x90...0x9f:  // fixarray
                (bytes, elements) = (1, Int(tag & 0x0f))
            case 0xa0...0xbf:  // fixstr
                (bytes, contentBytes) = (1, Int(tag & 0x1f))
            case 0xc4, 0xc5, 0xc6:  // bin 8, 16, 32
                let width = 1 << Int(tag - 0xc4)
                (bytes, contentBytes) = (1 + width, try length(width))
            case 0xd9, 0xda, 0xdb:  // str 8, 16, 32
                let width = 1 << Int(tag - 0xd9)
                (bytes, contentBytes) = (1 + width, try length(width))
            case 0xca, 0xcb:  // float 32, 64
                (bytes, contentBytes) = (1, 4 << Int(tag - 0xca))
            case 0xcc...0xcf:  // uint 8 to 64
                (bytes, contentBytes) = (1, 1 << Int(tag - 0xcc))
            case 0xd0...0xd3:  // int 8 to 64
                (bytes, contentBytes) = (1, 1 << Int(tag - 0xd0))
            case 0xdc, 0xdd:  // array 16, 32
                let width = 2 << Int(tag - 0xdc)
                (bytes, elements) = (1 + width, try length(width))
            case 0xde, 0xdf:  // map 16, 32
                let width = 2 << Int(tag - 0xde)
                (bytes, elements, isMap) = (1 + width, 2 * (try length(width)), true)
            default:  // 0xc1 is never used; 0xc7...0xc9 and 0xd4...0xd8 are extension types
                let what = tag == 0xc1 ? "the unused byte 0xc1" : "an extension type"
                throw MessageError(.notMessagePack, "byte \(offset) is \(what); the protocol has none")
            }
        }
    }
}

extension MessageError {
    fileprivate static func truncated(at offset: Int, needs needed: Int, left: Int) -> MessageError {
        MessageError(
            .notMessagePack,
            "the message ends early: at byte \(offset) at least \(needed) more are announced and \(left) are there"
        )
    }
}

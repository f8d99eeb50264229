import Robotics

/// The first bytes of a value: how long they are, and what they announce.
struct MessagePackHead {
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

extension MessageError {
    static func truncated(at offset: Int, needs needed: Int, left: Int) -> MessageError {
        MessageError(
            .notMessagePack,
            "the message ends early: at byte \(offset) at least \(needed) more are announced and \(left) are there"
        )
    }
}

import Robotics

extension RobotID {
    /// The most values that ``peek(in:)`` walks over.
    private static let mostPeekedValues = 512

    /// The field `robot` of a packed map, found without unpacking anything.
    ///
    /// - Parameter message: a MessagePack map; contents are stepped over.
    /// - Returns: nil if there is no such field with a robot's id among the first 512 values.
    package static func peek(in message: Span<UInt8>) -> RobotID? {
        do throws(MessageError) {
            return try find(in: message)
        } catch {
            return nil
        }
    }

    private static func find(in message: Span<UInt8>) throws(MessageError) -> RobotID? {
        let map = try MessagePackHead(message, at: 0)
        guard map.isMap, let values = map.elements else { return nil }
        var offset = map.bytes
        var peeked = 0
        for _ in 0..<values / 2 {
            let key = try text(message, &offset, &peeked)
            guard key != Array("robot".utf8) else {
                let id = try text(message, &offset, &peeked)
                return id.flatMap { RobotID(String(decoding: $0, as: UTF8.self)) }
            }
            try skip(message, &offset, &peeked)
            guard peeked < mostPeekedValues else { return nil }
        }
        return nil
    }

    /// Steps over a value. Returns its bytes if it is a text of at most 64, as ids and most keys are.
    private static func text(
        _ message: Span<UInt8>,
        _ offset: inout Int,
        _ peeked: inout Int
    ) throws(MessageError) -> [UInt8]? {
        let head = try MessagePackHead(message, at: offset)
        let start = offset + head.bytes
        guard head.elements == nil, head.contentBytes <= 64, head.contentBytes <= message.count - start else {
            try skip(message, &offset, &peeked)
            return nil
        }
        let isText = [0xa0...0xbf, 0xc4...0xc6, 0xd9...0xdb].contains { $0.contains(Int(message[offset])) }
        (offset, peeked) = (start + head.contentBytes, peeked + 1)
        return isText ? (start..<offset).map { message[$0] } : nil
    }

    /// Steps over a value and all that it holds.
    private static func skip(
        _ message: Span<UInt8>,
        _ offset: inout Int,
        _ peeked: inout Int
    ) throws(MessageError) {
        var missing = 1
        while missing > 0, peeked < mostPeekedValues {
            let head = try MessagePackHead(message, at: offset)
            let left = message.count - offset - head.bytes
            guard head.contentBytes <= left, head.elements ?? 0 <= left else {
                throw .truncated(at: offset, needs: max(head.contentBytes, head.elements ?? 0), left: left)
            }
            offset += head.bytes + head.contentBytes
            missing += (head.elements ?? 0) - 1
            peeked += 1
        }
    }
}

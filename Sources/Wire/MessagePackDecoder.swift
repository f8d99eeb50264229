import CMessagePack
import ForeignText
import Robotics

/// Unpacks one MessagePack value with msgpack-c.
package enum MessagePackDecoder {
    /// The value that the bytes hold.
    /// - Throws: `MessageError` if the bytes break the limits, or are not one value whose strings are UTF-8 and
    ///   whose map keys are text and not repeated.
    package static func decode(_ bytes: [UInt8], limits: MessagePackLimits) throws(MessageError)
        -> MessagePackValue
    {
        do throws(MessageError) {
            try limits.check(bytes.span)
        } catch {
            guard error.code == .notMessagePack, let format = ForeignFormat(bytes.span) else { throw error }
            throw MessageError(
                .notMessagePack,
                "the message is \(format.rawValue); expected one MessagePack map"
            )
        }
        return try bytes.withUnsafeBytes { raw in
            Result { () throws(MessageError) in try unpack(raw) }
        }.get()
    }

    private static func unpack(_ raw: UnsafeRawBufferPointer) throws(MessageError) -> MessagePackValue {
        var unpacked = msgpack_unpacked()
        msgpack_unpacked_init(&unpacked)
        // Strings and blobs lie in `raw`, arrays and maps in the zone that this frees: all is copied before.
        defer { msgpack_unpacked_destroy(&unpacked) }
        var offset = 0
        let start = raw.bindMemory(to: CChar.self).baseAddress
        let outcome = msgpack_unpack_next(&unpacked, start, raw.count, &offset)
        guard outcome == MSGPACK_UNPACK_SUCCESS else {
            throw MessageError(.notMessagePack, "not MessagePack (msgpack-c says \(outcome.rawValue))")
        }
        return try value(of: unpacked.data)
    }

    /// Copies a value. An error's field is the path from this value on.
    private static func value(of object: msgpack_object) throws(MessageError) -> MessagePackValue {
        switch object.type {
        case MSGPACK_OBJECT_NIL: return .null
        case MSGPACK_OBJECT_BOOLEAN: return .bool(object.via.boolean)
        case MSGPACK_OBJECT_POSITIVE_INTEGER: return .unsigned(object.via.u64)
        case MSGPACK_OBJECT_NEGATIVE_INTEGER: return .negative(object.via.i64)
        case MSGPACK_OBJECT_FLOAT32, MSGPACK_OBJECT_FLOAT64: return .float(object.via.f64)
        case MSGPACK_OBJECT_STR:
            return .string(try text(object.via.str.ptr, object.via.str.size))
        case MSGPACK_OBJECT_BIN:
            let blob = UnsafeRawBufferPointer(start: object.via.bin.ptr, count: Int(object.via.bin.size))
            return .binary([UInt8](blob))
        case MSGPACK_OBJECT_ARRAY:
            let objects = UnsafeBufferPointer(start: object.via.array.ptr, count: Int(object.via.array.size))
            var elements: [MessagePackValue] = []
            elements.reserveCapacity(objects.count)
            for object in objects { elements.append(try value(of: object)) }
            return .array(elements)
        case MSGPACK_OBJECT_MAP:
            return .map(
                try map(
                    of: UnsafeBufferPointer(start: object.via.map.ptr, count: Int(object.via.map.size))
                )
            )
        default:
            throw MessageError(.notMessagePack, "an extension type")
        }
    }

    /// The maps of the protocol are shorter than this, and then comparing is faster than hashing. In a message full of
    /// long maps it would take longer than a chunk.
    private static let manyEntries = 24

    private static func map(
        of entries: UnsafeBufferPointer<msgpack_object_kv>
    ) throws(MessageError) -> MessagePackMap {
        var map = MessagePackMap()
        var keys: Set<String>? = entries.count > manyEntries ? Set(minimumCapacity: entries.count) : nil
        for entry in entries {
            let key = try key(of: entry.key)
            let value: MessagePackValue
            do throws(MessageError) {
                value = try self.value(of: entry.val)
            } catch {
                throw error.under(key)
            }
            let isNew: Bool
            if keys != nil {
                isNew = keys?.insert(key).inserted == true
                if isNew { map.appendNew(key, value) }
            } else {
                isNew = map.append(key, value)
            }
            guard isNew else { throw MessageError(.notMessagePack, "the key comes twice").under(key) }
        }
        return map
    }

    private static func key(of object: msgpack_object) throws(MessageError) -> String {
        switch object.type {
        case MSGPACK_OBJECT_STR: return try text(object.via.str.ptr, object.via.str.size)
        case MSGPACK_OBJECT_BIN: return try text(object.via.bin.ptr, object.via.bin.size)
        default:
            let found = try value(of: object).summary
            throw MessageError(.notMessagePack, "a map key is \(found), expected a string")
        }
    }

    private static func text(_ start: UnsafePointer<CChar>?, _ size: UInt32) throws(MessageError) -> String {
        let bytes = UnsafeRawBufferPointer(start: start, count: Int(size)).bindMemory(to: UInt8.self)
        do {
            return String(copying: try UTF8Span(validating: bytes.span))
        } catch {
            throw MessageError(.notMessagePack, "a string of \(size) bytes is not UTF-8")
        }
    }
}

extension MessageError {
    /// The error, seen from the map that has the value under `key`.
    fileprivate func under(_ key: String) -> MessageError {
        let name = printable(key, limit: 64)
        var error = self
        error.field = field.map { "\(name).\($0)" } ?? name
        return error
    }
}

import ForeignText

/// A MessagePack value, as far as the protocol uses MessagePack: everything but extension types.
public enum MessagePackValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// An integer below 0.
    case negative(Int64)
    /// An integer from 0 up.
    case unsigned(UInt64)
    case float(Double)
    case string(String)
    case binary([UInt8])
    case array([MessagePackValue])
    case map(MessagePackMap)

    /// What the value is, in words for an error message; long values are cut.
    public var summary: String {
        switch self {
        case .null: "nil"
        case .bool(let value): "\(value)"
        case .negative(let value): "\(value)"
        case .unsigned(let value): "\(value)"
        case .float(let value): "\(value)"
        case .string(let value): "the string \"\(printable(value, limit: 64))\""
        case .binary(let value): "\(value.count) bytes"
        case .array(let value): "an array of \(value.count)"
        case .map(let value): "a map of \(value.count)"
        }
    }
}

/// A map in the order in which it was written. Keys are text: a key may come as `str` or as `bin` (openpi packs the
/// keys of an array as `bin`), and both read the same.
public struct MessagePackMap: Sendable, Hashable {
    private var entries: [(key: String, value: MessagePackValue)] = []

    /// An empty map.
    public init() {}

    /// A map of these entries, whose keys differ.
    package init(_ entries: KeyValuePairs<String, MessagePackValue>) {
        self.entries = entries.map { ($0.key, $0.value) }
    }

    /// The number of entries.
    public var count: Int { entries.count }

    /// The keys, in order.
    public var keys: [String] { entries.map(\.key) }

    /// The value under a key; maps in the protocol are small, so the search is linear.
    public subscript(key: String) -> MessagePackValue? {
        entries.first { $0.key == key }?.value
    }

    /// Adds an entry at the end. Returns false, and adds nothing, if the key is there already.
    package mutating func append(_ key: String, _ value: MessagePackValue) -> Bool {
        guard self[key] == nil else { return false }
        appendNew(key, value)
        return true
    }

    /// Adds an entry whose key is not there yet, as the caller knows.
    package mutating func appendNew(_ key: String, _ value: MessagePackValue) {
        entries.append((key, value))
    }

    /// Calls `body` for each entry, in order.
    package func forEach<Failure: Error>(
        _ body: (String, MessagePackValue) throws(Failure) -> Void
    ) throws(Failure) {
        for entry in entries { try body(entry.key, entry.value) }
    }

    /// Whether both hold the same entries in the same order.
    public static func == (left: MessagePackMap, right: MessagePackMap) -> Bool {
        left.entries.elementsEqual(right.entries) { $0.key == $1.key && $0.value == $1.value }
    }

    /// Hashes the entries in order.
    public func hash(into hasher: inout Hasher) {
        for entry in entries {
            hasher.combine(entry.key)
            hasher.combine(entry.value)
        }
    }
}

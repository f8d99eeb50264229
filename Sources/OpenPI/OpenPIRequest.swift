import ForeignText
import Robotics
import Wire

/// What an openpi client sends to have actions: one MessagePack map of what it observes.
public struct OpenPIRequest: Sendable, Hashable {
    /// What a request may say beyond what is observed, in the map `options`; entries that are not listed here are ignored.
    public struct Options: Sendable, Hashable {
        /// Which robot the client speaks for; nil: see `OpenPIMapping/robot`.
        public var robot: RobotID?
        /// The seed of the sampling noise; nil lets the daemon derive it.
        public var noiseSeed: UInt64?
        /// Whether a new episode begins.
        public var beginsEpisode = false

        /// Options; all are left out.
        public init() {}

        fileprivate init(_ fields: FieldReader) throws(MessageError) {
            if fields.optional("robot") != nil { robot = try fields.robot() }
            if fields.optional("noise_seed") != nil { noiseSeed = try fields.unsigned("noise_seed") }
            if fields.optional("reset") != nil { beginsEpisode = try fields.bool("reset") }
        }
    }

    /// What a request may hold: as `MessagePackLimits/standard`, but 32 MiB, for clients send images that no policy sees, too.
    public static let limits: MessagePackLimits = {
        var limits = MessagePackLimits.standard
        limits.messageBytes = 32 << 20
        return limits
    }()

    /// What it says beyond what is observed.
    public var options = Options()
    /// What is observed, by key. A map in a map is read as keys with a slash between: `{"images": {"front": A}}` and
    /// `{"images/front": A}` are the same. Arrays are not unpacked.
    private(set) var values: [String: MessagePackValue] = [:]

    private static let optionsKey = "options"

    /// Reads a request.
    ///
    /// - Parameters:
    ///   - bytes: the message.
    ///   - limits: what it may hold.
    /// - Throws: `MessageError` for a request that cannot be read, and `not_messagepack` if two entries have the same key.
    public init(_ bytes: [UInt8], limits: MessagePackLimits = Self.limits) throws(MessageError) {
        let value = try MessagePackDecoder.decode(bytes, limits: limits)
        guard case .map(let map) = value, !NumericArray.isArray(map) else {
            throw MessageError(
                .wrongType,
                "the message is \(Self.summary(of: value)), expected a map of arrays"
            )
        }
        try add(map, prefix: "")
        guard map[Self.optionsKey] != nil else { return }
        let top = FieldReader(map)
        guard top.optional(Self.optionsKey) != nil else { return }
        options = try Options(top.fields(Self.optionsKey))
    }

    private static func summary(of value: MessagePackValue) -> String {
        if case .map = value { "an array" } else { value.summary }
    }

    /// The keys, sorted.
    public var keys: [String] { values.keys.sorted() }

    /// A key as a path from the request's top, for errors.
    static func field(_ key: String) -> String { printable(key, limit: 128) }

    /// The first of its keys, for errors.
    var content: String {
        let there = keys.prefix(16).map { printable($0, limit: 64) }.joined(separator: ", ")
        return "the observation has \(there.isEmpty ? "nothing" : there)"
    }

    private mutating func add(_ map: MessagePackMap, prefix: String) throws(MessageError) {
        try map.forEach { (key, value) throws(MessageError) in
            if prefix.isEmpty, key == Self.optionsKey { return }
            if case .map(let inner) = value, !NumericArray.isArray(inner), !NumPyScalar.isScalar(inner) {
                try add(inner, prefix: "\(prefix)\(key)/")
            } else if values.updateValue(value, forKey: prefix + key) != nil {
                throw MessageError(.notMessagePack, field: Self.field(prefix + key), "the key comes twice")
            }
        }
    }
}

/// What a client of a GR00T policy server asks: the messages of `gr00t/policy/server_client.py` in Isaac-GR00T.
public enum Gr00tRequest: Sendable, Hashable {
    /// Are you there?
    case ping
    /// Answer this observation with actions.
    case getAction(Gr00tObservation, Options)
    /// Begin a new episode.
    case reset(Options)
    /// What is observed and what is answered?
    case getModalityConfig
    /// End the server; it is not done.
    case kill

    /// What a request may say beyond what it asks for; entries that are not listed here are ignored.
    public struct Options: Sendable, Hashable {
        /// Which robot the client speaks for; nil: one of its own for each connection.
        public var robot: RobotID?
        /// The seed of the sampling noise; nil lets the daemon derive it.
        public var noiseSeed: UInt64?

        /// Options; all are left out unless given.
        public init(robot: RobotID? = nil, noiseSeed: UInt64? = nil) {
            self.robot = robot
            self.noiseSeed = noiseSeed
        }

        fileprivate init(_ data: FieldReader) throws(MessageError) {
            guard data.optional("options") != nil else { return }
            let options = try data.fields("options")
            if options.optional("robot") != nil { robot = try options.robot() }
            if options.optional("noise_seed") != nil { noiseSeed = try options.unsigned("noise_seed") }
        }
    }

    /// What a request may hold: as ``MessagePackLimits/standard``, but 4 MiB, for clients send images too.
    public static let limits: MessagePackLimits = {
        var limits = MessagePackLimits.standard
        limits.messageBytes = 4 << 20
        return limits
    }()

    /// The request's `endpoint`.
    public var endpoint: String {
        switch self {
        case .ping: "ping"
        case .getAction: "get_action"
        case .reset: "reset"
        case .getModalityConfig: "get_modality_config"
        case .kill: "kill"
        }
    }

    /// Reads a request.
    ///
    /// - Parameter token: what `api_token` must be; nil where none is asked for. Nothing else of a request without it is
    ///   looked at.
    /// - Throws: ``MessageError`` `unauthorized` for another token, `unknown_type` for another endpoint, and others for a
    ///   request that cannot be read.
    public static func decode(
        _ bytes: [UInt8],
        token: String? = nil,
        limits: MessagePackLimits = limits
    ) throws(MessageError) -> Gr00tRequest {
        let value = try MessagePackDecoder.decode(bytes, limits: limits)
        guard case .map(let map) = value else {
            throw MessageError(.wrongType, "the message is \(value.summary), expected a map")
        }
        let fields = FieldReader(map)
        if let token {
            guard case .string(let given)? = map["api_token"], isSame(given, token) else {
                throw MessageError(.unauthorized, "Unauthorized: Invalid API token")
            }
        }
        let endpoint = map["endpoint"] == nil ? "get_action" : try fields.string("endpoint")
        switch endpoint {
        case "ping": return .ping
        case "get_modality_config": return .getModalityConfig
        case "kill": return .kill
        case "reset": return .reset(try Options(data(of: fields)))
        case "get_action":
            let data = try data(of: fields)
            let observation = try Gr00tObservation(
                data.map("observation"),
                path: data.path(of: "observation")
            )
            return .getAction(observation, try Options(data))
        default:
            throw MessageError(
                .unknownType,
                field: "endpoint",
                "found \"\(printable(endpoint, limit: 32))\", expected ping, get_action, reset or get_modality_config"
            )
        }
    }

    /// The field `data`; empty where it is left out.
    private static func data(of fields: FieldReader) throws(MessageError) -> FieldReader {
        guard fields.optional("data") != nil else { return FieldReader(MessagePackMap(), path: "data") }
        return try fields.fields("data")
    }

    /// Compares in a time that depends on the length of what was given alone, so that it tells nothing of the token.
    private static func isSame(_ given: String, _ token: String) -> Bool {
        let (given, token) = (Array(given.utf8), Array(token.utf8))
        var difference: UInt8 = given.count == token.count ? 0 : 1
        for index in given.indices {
            difference |= given[index] ^ (token.isEmpty ? 1 : token[index % token.count])
        }
        return difference == 0
    }
}

/// What a client observed, by key. Maps in maps are read as keys with dots: `{"state": {"arm": ...}}` and
/// `{"state.arm": ...}` are the same. Arrays are unpacked when they are asked for, so that what no policy observes (images,
/// instructions) costs nothing.
public struct Gr00tObservation: Sendable, Hashable {
    private var values: [String: MessagePackValue] = [:]
    private let path: String

    /// - Throws: ``MessageError`` `not_messagepack` where two entries have the same key.
    init(_ map: MessagePackMap, path: String) throws(MessageError) {
        self.path = path
        try add(map, prefix: "")
    }

    /// The keys, sorted.
    public var keys: [String] { values.keys.sorted() }

    /// The array under `key`, or else under `state.` and `key`; nil where neither is there.
    /// - Throws: ``MessageError`` where the value is no array of finite numbers.
    public func array(_ key: String) throws(MessageError) -> Gr00tArray? {
        for key in [key, "state.\(key)"] {
            if let value = values[key] { return try Gr00tArray(value, field: field(key)) }
        }
        return nil
    }

    /// The path of a key from the request's top, for errors.
    public func field(_ key: String) -> String { "\(path).\(printable(key, limit: 128))" }

    private mutating func add(_ map: MessagePackMap, prefix: String) throws(MessageError) {
        for key in map.keys {
            guard let value = map[key] else { continue }
            if case .map(let inner) = value, !Gr00tArray.isArray(inner) {
                try add(inner, prefix: "\(prefix)\(key).")
            } else if values.updateValue(value, forKey: prefix + key) != nil {
                throw MessageError(.notMessagePack, field: field(prefix + key), "the key comes twice")
            }
        }
    }
}

import ForeignText
import Robotics
import Wire

/// What a client of a GR00T policy server asks, in the messages of any `Gr00tVersion`.
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

    /// What a request may hold: as `MessagePackLimits/standard`, but 32 MiB, for clients send images too.
    public static let limits: MessagePackLimits = {
        var limits = MessagePackLimits.standard
        limits.messageBytes = 32 << 20
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
    /// - Parameters:
    ///   - bytes: the message.
    ///   - token: what `api_token` must be; nil if none is asked for. Nothing else of a request without it is
    ///     looked at.
    ///   - limits: what the message may hold.
    /// - Throws: `MessageError` `unauthorized` for another token, `unknown_type` for another endpoint, `not_messagepack`
    ///   for a torch file, and others for a request that cannot be read.
    public static func decode(
        _ bytes: [UInt8],
        token: String? = nil,
        limits: MessagePackLimits = limits
    ) throws(MessageError) -> Gr00tRequest {
        guard !bytes.starts(with: zipFileStart) else {
            throw MessageError(
                .notMessagePack,
                "a torch file, as the TorchSerializer of GR00T N1 and early N1.5 packs requests; none is read, for reading "
                    + "one can run code; use a client whose gr00t/eval/service.py has MsgSerializer"
            )
        }
        let value = try MessagePackDecoder.decode(bytes, limits: limits)
        guard case .map(let map) = value else {
            throw MessageError(.wrongType, "the message is \(value.summary), expected a map")
        }
        let fields = FieldReader(map)
        if let token {
            guard case .string(let given)? = map["api_token"], equalsInConstantTime(given, token) else {
                throw MessageError(.unauthorized, "Unauthorized: Invalid API token")
            }
        }
        let endpoint = map["endpoint"] == nil ? "get_action" : try fields.string("endpoint")
        switch endpoint {
        case "ping": return .ping
        case "get_modality_config": return .getModalityConfig
        case "kill": return .kill
        case "reset": return .reset(try Options(FieldReader(data(of: fields), path: "data")))
        case "get_action":
            let data = try data(of: fields)
            return .getAction(
                try Gr00tObservation(inDataOfGetAction: data),
                try Options(FieldReader(data, path: "data"))
            )
        default:
            throw MessageError(
                .unknownType,
                field: "endpoint",
                "found \"\(printable(endpoint, limit: 32))\", expected ping, get_action, reset or get_modality_config"
            )
        }
    }

    /// The start of a zip archive, which is what torch.save writes. No MessagePack map starts so.
    private static let zipFileStart: [UInt8] = [0x50, 0x4b, 0x03, 0x04]

    /// The field `data`; empty if it is left out.
    private static func data(of fields: FieldReader) throws(MessageError) -> MessagePackMap {
        guard fields.optional("data") != nil else { return MessagePackMap() }
        return try fields.map("data")
    }
}

/// What a client observed, by key. Maps in maps are read as keys with dots: `{"state": {"arm": ...}}` and
/// `{"state.arm": ...}` are the same. Arrays are unpacked when they are asked for, so that what the policy does not observe
/// (other cameras, instructions) costs nothing: it shares the storage of the request.
public struct Gr00tObservation: Sendable, Hashable {
    /// The path of the observation from the request's top.
    public let path: String
    /// The version of the client, which shows in the place of the observation.
    public let version: Gr00tVersion
    private(set) var values: [String: MessagePackValue] = [:]

    /// Finds the observation in the data of `get_action`. Since N1.6 it is the map `observation`. In N1.5 it is the data
    /// itself, but for `options`, which N1.5 does not have and which is read all the same.
    /// - Throws: `MessageError` `missing_field` if there is neither, `bad_array` if there are both, `wrong_type` if
    ///   `observation` is no map of arrays, and `not_messagepack` if two entries have the same key.
    init(inDataOfGetAction data: MessagePackMap) throws(MessageError) {
        let reader = FieldReader(data, path: "data")
        guard data["observation"] != nil else {
            guard Self.firstArray(in: data, except: ["options"], alsoInMaps: false) != nil else {
                throw MessageError(
                    .missingField,
                    field: reader.path(of: "observation"),
                    "the field is missing; data may also hold arrays itself, under keys like state.arm and in no further map, "
                        + "as clients of GR00T N1.5 send them"
                )
            }
            try self.init(data, path: "data", version: .n15)
            return
        }
        let observation = try reader.map("observation")
        guard !Gr00tArray.isArray(observation) else {
            throw MessageError(
                .wrongType,
                field: reader.path(of: "observation"),
                "found an array, expected a map of arrays"
            )
        }
        if let array = Self.firstArray(in: data, except: ["observation", "options"], alsoInMaps: true) {
            throw MessageError(
                .badArray,
                field: reader.path(of: array),
                "an array beside data.observation; expected all arrays in data.observation, or all in data, as clients of "
                    + "GR00T N1.5 send them"
            )
        }
        try self.init(observation, path: reader.path(of: "observation"))
    }

    /// - Throws: `MessageError` `not_messagepack` if two entries have the same key.
    init(_ map: MessagePackMap, path: String, version: Gr00tVersion = .n16) throws(MessageError) {
        self.path = path
        self.version = version
        try add(map, prefix: "")
    }

    /// The keys, sorted.
    public var keys: [String] { values.keys.sorted() }

    /// The array under `key`, or else under `state.` and `key`; nil if neither is there.
    /// - Throws: `MessageError` if the value is no array of finite numbers.
    public func array(_ key: String) throws(MessageError) -> Gr00tArray? {
        guard let value = values[sent(key, in: "state")] else { return nil }
        return try Gr00tArray(value, field: field(key))
    }

    /// The array under `key`, or else under `video.` and `key`, not unpacked; nil if neither is there.
    /// - Throws: `MessageError` if the value is no array.
    func video(_ key: String) throws(MessageError) -> Gr00tPackedArray? {
        guard let value = values[sent(key, in: "video")] else { return nil }
        return try Gr00tPackedArray(value, field: field(key, in: "video"))
    }

    /// The path from the request's top of what is found under a key of a modality (`state` or `video`), for errors.
    public func field(_ key: String, in group: String = "state") -> String {
        "\(path).\(printable(sent(key, in: group), limit: 128))"
    }

    /// The key under which the client sent what is asked for as `key`.
    private func sent(_ key: String, in group: String) -> String {
        let long = "\(group).\(key)"
        return values[key] == nil && values[long] != nil ? long : key
    }

    /// The key, with dots, of the first array that is not under one of the keys `except`.
    private static func firstArray(
        in data: MessagePackMap,
        except: [String] = [],
        alsoInMaps: Bool
    ) -> String? {
        var found: String?
        data.forEach { key, value in
            guard found == nil, case .map(let map) = value, !except.contains(key) else { return }
            if Gr00tArray.isArray(map) {
                found = key
            } else if alsoInMaps {
                found = firstArray(in: map, alsoInMaps: true).map { "\(key).\($0)" }
            }
        }
        return found
    }

    private mutating func add(_ map: MessagePackMap, prefix: String) throws(MessageError) {
        try map.forEach { (key, value) throws(MessageError) in
            if version == .n15, prefix.isEmpty, key == "options" { return }
            if case .map(let inner) = value, !Gr00tArray.isArray(inner) {
                try add(inner, prefix: "\(prefix)\(key).")
            } else if values.updateValue(value, forKey: prefix + key) != nil {
                throw MessageError(.notMessagePack, field: field(prefix + key), "the key comes twice")
            }
        }
    }
}

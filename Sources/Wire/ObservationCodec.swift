import ForeignText
import Robotics

extension RobotObservation {
    /// The fields of an observation, published or sent with `predict`.
    package static let table = MessageTable(
        RobotObservation(
            robot: .unread,
            episode: .number(0),
            sequence: 0,
            timeNs: 0,
            values: [:],
            replan: nil
        ),
        [
            .required("robot", \.robot, .robot, "who saw it"),
            .required("episode", \.episode, .episode, "a new one starts a fresh history"),
            .required(
                "sequence",
                \.sequence,
                .unsigned,
                "the control step in the episode; rises from one observation to the next"
            ),
            .required(
                "time_ns",
                \.timeNs,
                .unsigned,
                """
                when the observation was made, in nanoseconds of the robot's own clock; comes back with the chunk. Commands are \
                timed by it. A robot file with `clock: monotonic` demands the monotonic clock of the daemon's machine, \
                `clock: wall` the time since 1970, each within 10 s; see [ROBOTS.md](ROBOTS.md#time)
                """
            ),
            .required(
                "observation",
                \.values,
                .features,
                "LeRobot feature name to array of shape [D]: exactly the policy's features (see `info`)"
            ),
            .optional(
                "replan",
                \.replan,
                .bool,
                """
                true: a chunk is wanted; false: the observation enters the history only; left out: the daemon decides. It plans \
                for each observation, or, for a robot that it sends commands to, as often as those need
                """
            ),
            .optional(
                "noise_seed",
                \.noiseSeed,
                .unsigned,
                "the seed of the sampling noise; else the daemon derives it (see *Noise seed*)"
            ),
            .optional(
                "session",
                \.session,
                .unsigned,
                "a number that the process which speaks for the robot draws at its start, see *Sessions*"
            ),
            .optional(
                "committed",
                \.committed,
                .actionRows,
                """
                [k, action_dim], k from 0 to horizon - n_obs_steps + 1: what the robot will carry out at control steps `sequence` ... \
                `sequence` + k - 1, before the chunk can take over. The chunk begins with these actions and the rest of it fits \
                them ([SAMPLING.md](SAMPLING.md#part-of-the-chunk-is-known)); what the policy cannot express is clipped
                """
            ),
            .optional(
                "array_keys",
                \.arrayKeys,
                .arrayKeys,
                """
                how the keys of arrays are packed in the chunks and commands for this robot, or in the reply to this `predict`: \
                `bin`, or `str` for a decoder that takes no other keys. Left out: `bin`
                """
            ),
        ]
    )

    /// Reads a published observation.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("observation")
        self = try Self.table.read(envelope.fields)
    }

    /// The message as published.
    public func encoded() -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.message("observation", Self.table, of: self)
        return encoder.bytes
    }
}

extension FieldCoding<[String: [Float]]> {
    /// The numbers of each feature, by its name.
    fileprivate static let features = Self(kind: .arrays) {
        .map(FieldValue.features($0))
    } read: { (fields, name) throws(MessageError) in
        try fields.features(name)
    }
}

extension FieldCoding<[[String: [Float]]]> {
    /// The numbers of each feature, by its name, one observation after the other.
    package static let featureList = Self(kind: .listOfArrays) {
        .list($0.map(FieldValue.features))
    } read: { (fields, name) throws(MessageError) in
        var list: [[String: [Float]]] = []
        for (index, element) in try fields.array(name).enumerated() {
            let path = "\(name)[\(index)]"
            guard case .map(let features) = element else {
                throw MessageError(
                    .wrongType,
                    field: fields.path(of: path),
                    "found \(element.summary), expected a map of arrays"
                )
            }
            list.append(try features.features(path: path))
        }
        return list
    }
}

extension FieldValue {
    fileprivate static func features(_ values: [String: [Float]]) -> [Entry] {
        values.sorted { $0.key < $1.key }
            .map { Entry(name: $0.key, value: .array($0.value, shape: [$0.value.count])) }
    }
}

extension FieldReader {
    fileprivate func features(_ name: String) throws(MessageError) -> [String: [Float]] {
        try map(name).features(path: name)
    }
}

extension MessagePackMap {
    /// The numbers of each feature, by its name.
    fileprivate func features(path: String) throws(MessageError) -> [String: [Float]] {
        var values = Dictionary<String, [Float]>(minimumCapacity: count)
        try forEach { (feature, value) throws(MessageError) in
            let field = "\(path).\(printable(feature, limit: 128))"
            let (elements, shape) = try NumericArray.decode(value, field: field)
            guard shape.count == 1 else {
                throw MessageError(.badArray, field: "\(field).shape", "found \(shape), expected one extent")
            }
            values[feature] = elements
        }
        return values
    }
}

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
                \.observed,
                .observation,
                """
                LeRobot feature name to array of shape [D], or to a camera's frame (see *Frames of cameras*): exactly the policy's \
                features and cameras (see `info`)
                """
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

extension FieldCoding<Observation> {
    /// Numbers and frames, by their features' names.
    fileprivate static let observation = Self(kind: .observation) {
        .map(FieldValue.entries(of: $0))
    } read: { (fields, name) throws(MessageError) in
        try fields.map(name).observation(path: name)
    }
}

extension FieldCoding<[Observation]> {
    /// Numbers and frames, by their features' names, one observation after the other.
    package static let observations = Self(kind: .observations) {
        .list($0.map(FieldValue.entries))
    } read: { (fields, name) throws(MessageError) in
        var list: [Observation] = []
        for (index, element) in try fields.array(name).enumerated() {
            let path = "\(name)[\(index)]"
            guard case .map(let features) = element else {
                throw MessageError(
                    .wrongType,
                    field: fields.path(of: path),
                    "found \(element.summary), expected a map of arrays and frames"
                )
            }
            list.append(try features.observation(path: path))
        }
        return list
    }
}

extension FieldValue {
    fileprivate static func entries(of observation: Observation) -> [Entry] {
        var entries = observation.values.map {
            Entry(name: $0.key, value: .array($0.value, shape: [$0.value.count]))
        }
        entries += observation.frames.map { Entry(name: $0.key, value: .frame($0.value)) }
        return entries.sorted { $0.name < $1.name }
    }
}

extension MessagePackMap {
    /// Numbers and frames, by their features' names.
    fileprivate func observation(path: String) throws(MessageError) -> Observation {
        var values = Dictionary<String, [Float]>(minimumCapacity: count)
        var frames: [String: CameraFrame] = [:]
        try forEach { (feature, value) throws(MessageError) in
            let field = "\(path).\(printable(feature, limit: 128))"
            if let frame = try CameraFrame(value, field: field) {
                frames[feature] = frame
                return
            }
            let (elements, shape) = try NumericArray.decode(value, field: field)
            guard shape.count == 1 else {
                throw MessageError(
                    .badArray,
                    field: "\(field).shape",
                    "found \(shape), expected one extent, or [height, width, 3] for a camera's frame"
                )
            }
            values[feature] = elements
        }
        return Observation(values: values, frames: frames)
    }
}

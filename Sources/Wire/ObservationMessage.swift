/// What a robot saw at one control step: published under the topic `observation.<robot>`, or sent as the request
/// `predict`.
public struct ObservationMessage: Sendable, Hashable {
    /// Who saw it.
    public var robot: RobotID
    /// The episode it belongs to; a new id starts a fresh history.
    public var episode: EpisodeID
    /// The control step in the episode, rising from one observation to the next.
    public var sequence: UInt64
    /// When it was seen, in nanoseconds of the robot's own clock. It comes back with the chunk, and says when commands are
    /// due.
    public var timeNs: UInt64
    /// The numbers of each feature, by LeRobot feature name, in the robot's units.
    public var values: [String: [Float]]
    /// Whether a chunk is wanted; false adds the observation to the history and no more; nil leaves it to the daemon, which
    /// plans for each, or, for a robot that it sends commands to, as often as those need.
    public var replan: Bool?
    /// The seed of the sampling noise; nil lets the daemon derive it.
    public var noiseSeed: UInt64?
    /// A number that the process which speaks for the robot draws at its start; nil where it draws none. While one session
    /// speaks, another's observations are refused.
    public var session: UInt64?
    /// What the robot will carry out at the control steps `sequence`, `sequence` + 1, ... before the chunk can take over: the
    /// chunk begins with these actions, and the rest of it fits them. Nil: nothing is assumed.
    public var committed: ActionRows?
    /// How the keys of arrays are to be packed in the chunks and commands for the robot; nil: as openpi does.
    public var arrayKeys: ArrayKeys?

    /// An observation that asks for a chunk, with the noise seed left to the daemon.
    public init(
        robot: RobotID,
        episode: EpisodeID,
        sequence: UInt64,
        timeNs: UInt64,
        values: [String: [Float]],
        replan: Bool? = true,
        noiseSeed: UInt64? = nil,
        session: UInt64? = nil,
        committed: ActionRows? = nil,
        arrayKeys: ArrayKeys? = nil
    ) {
        self.robot = robot
        self.episode = episode
        self.sequence = sequence
        self.timeNs = timeNs
        self.values = values
        self.replan = replan
        self.noiseSeed = noiseSeed
        self.session = session
        self.committed = committed
        self.arrayKeys = arrayKeys
    }

    /// Reads a published observation.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("observation")
        try self.init(envelope.fields)
    }

    init(_ fields: FieldReader) throws(MessageError) {
        robot = try fields.robot()
        episode = try fields.episode()
        sequence = try fields.unsigned("sequence")
        timeNs = try fields.unsigned("time_ns")
        replan = fields.optional("replan") == nil ? nil : try fields.bool("replan")
        noiseSeed = fields.optional("noise_seed") == nil ? nil : try fields.unsigned("noise_seed")
        session = fields.optional("session") == nil ? nil : try fields.unsigned("session")
        committed = try ActionRows.decode(fields, "committed")
        arrayKeys = try fields.arrayKeys()

        let observation = try fields.map("observation")
        var values = Dictionary<String, [Float]>(minimumCapacity: observation.count)
        try observation.forEach { (name, value) throws(MessageError) in
            let field = "observation.\(printable(name, limit: 128))"
            let (elements, shape) = try NumericArray.decode(value, field: field)
            guard shape.count == 1 else {
                throw MessageError(.badArray, field: "\(field).shape", "found \(shape), expected one extent")
            }
            values[name] = elements
        }
        self.values = values
    }

    /// The message as published.
    public func encoded() -> [UInt8] {
        let encoder = MessagePackEncoder()
        encode(type: "observation", request: nil, to: encoder)
        return encoder.bytes
    }

    func encode(type: String, request: UInt64?, to encoder: borrowing MessagePackEncoder) {
        let optional = [
            request != nil, replan != nil, noiseSeed != nil, session != nil, committed != nil,
            arrayKeys != nil,
        ]
        .count { $0 }
        encoder.message(type, fields: 5 + optional)
        if let request {
            encoder.string("request")
            encoder.unsigned(request)
        }
        encoder.string("robot")
        encoder.string(robot.text)
        encoder.string("episode")
        encoder.episode(episode)
        encoder.string("sequence")
        encoder.unsigned(sequence)
        encoder.string("time_ns")
        encoder.unsigned(timeNs)
        encoder.string("observation")
        encoder.map(values.count)
        for (name, elements) in values.sorted(by: { $0.key < $1.key }) {
            encoder.string(name)
            NumericArray.encode(elements, shape: [elements.count], to: encoder)
        }
        if let replan {
            encoder.string("replan")
            encoder.bool(replan)
        }
        if let noiseSeed {
            encoder.string("noise_seed")
            encoder.unsigned(noiseSeed)
        }
        if let session {
            encoder.string("session")
            encoder.unsigned(session)
        }
        if let committed {
            encoder.string("committed")
            committed.encode(to: encoder)
        }
        if let arrayKeys {
            encoder.string("array_keys")
            encoder.string(arrayKeys.rawValue)
        }
    }
}

import ForeignText
import Robotics

extension RobotObservation {
    /// Reads a published observation.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("observation")
        try self.init(envelope.fields)
    }

    init(_ fields: FieldReader) throws(MessageError) {
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
        try self.init(
            robot: fields.robot(),
            episode: fields.episode(),
            sequence: fields.unsigned("sequence"),
            timeNs: fields.unsigned("time_ns"),
            values: values,
            replan: fields.optional("replan") == nil ? nil : fields.bool("replan"),
            noiseSeed: fields.optional("noise_seed") == nil ? nil : fields.unsigned("noise_seed"),
            session: fields.optional("session") == nil ? nil : fields.unsigned("session"),
            committed: ActionRows.decode(fields, "committed"),
            arrayKeys: fields.arrayKeys()
        )
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

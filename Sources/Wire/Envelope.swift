import ForeignText
import Robotics

/// The version of the protocol, in the field `v` of every message.
public let protocolVersion: UInt64 = 1

/// What each message begins with: the version and the type.
struct Envelope {
    let type: String
    let fields: FieldReader

    /// Unpacks a message and checks its version.
    init(_ bytes: [UInt8], limits: MessagePackLimits) throws(MessageError) {
        let value = try MessagePackDecoder.decode(bytes, limits: limits)
        guard case .map(let map) = value else {
            throw MessageError(.wrongType, "the message is \(value.summary), expected a map")
        }
        fields = FieldReader(map)
        let version = try fields.unsigned("v")
        guard version == protocolVersion else {
            throw MessageError(
                .unsupportedVersion,
                field: "v",
                "found \(version), expected \(protocolVersion)"
            )
        }
        type = try fields.string("type")
    }

    /// Checks that the type is the one expected.
    func expect(_ expected: String) throws(MessageError) {
        guard type == expected else {
            throw MessageError(
                .unknownType,
                field: "type",
                "found \"\(printable(type, limit: 32))\", expected \"\(expected)\""
            )
        }
    }
}

extension MessagePackEncoder {
    /// Begins a message of `fields` fields besides the version and the type.
    func message(_ type: String, fields: Int) {
        map(fields + 2)
        string("v")
        unsigned(protocolVersion)
        string("type")
        string(type)
    }
}

import ForeignText
import Robotics

extension FieldReader {
    /// The form that a robot asks for in `array_keys`; nil if it does not ask.
    func arrayKeys() throws(MessageError) -> ArrayKeys? {
        guard optional("array_keys") != nil else { return nil }
        let text = try string("array_keys")
        guard let keys = ArrayKeys(rawValue: text) else {
            throw MessageError(
                .outOfRange,
                field: path(of: "array_keys"),
                "found \"\(printable(text, limit: 32))\", expected \"bin\" or \"str\""
            )
        }
        return keys
    }
}

extension MessagePackEncoder {
    /// A key of an array's map.
    func key(_ name: StaticString, as keys: ArrayKeys) {
        switch keys {
        case .binary: binary(name)
        case .string: string(name.description)
        }
    }
}

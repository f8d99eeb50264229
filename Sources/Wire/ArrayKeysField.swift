import ForeignText
import Robotics

extension FieldCoding<ArrayKeys> {
    /// The form that a robot asks for.
    static let arrayKeys = Self(kind: .choice(ArrayKeys.allCases.map(\.rawValue))) {
        .string($0.rawValue)
    } read: { (fields, name) throws(MessageError) in
        let text = try fields.string(name)
        guard let keys = ArrayKeys(rawValue: text) else {
            throw MessageError(
                .outOfRange,
                field: fields.path(of: name),
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
        case .string: string(name)
        }
    }
}

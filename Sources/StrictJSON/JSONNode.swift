import Fields

extension JSONValue: FieldNode {
    package var isNull: Bool { if case .null = self { true } else { false } }
    package var text: String? { if case .string(let text) = self { text } else { nil } }
    package var flag: Bool? { if case .boolean(let flag) = self { flag } else { nil } }
    package var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    package var members: JSONObject? { if case .object(let object) = self { object } else { nil } }

    package var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .unsigned(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    /// The value of a number from 0 up that is written without fraction and exponent.
    package var wholeNumber: UInt64? {
        switch self {
        case .integer(let number): UInt64(exactly: number)
        case .unsigned(let number): number
        default: nil
        }
    }
}

extension JSONObject: FieldMembers {
    package var names: [String] { members.map(\.name) }
}

extension FieldWords {
    /// What JSON calls its values.
    package static let json = FieldWords(members: "an object", list: "a list", text: "a string")
}

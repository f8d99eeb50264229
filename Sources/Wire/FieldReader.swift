import ForeignText
import Robotics

/// Reads the fields of a map; each error names the field by its path, what was found and what was expected. Fields that
/// nobody asks for are ignored, so that a later minor version may add some.
package struct FieldReader {
    private let map: MessagePackMap
    private let path: String

    package init(_ map: MessagePackMap, path: String = "") {
        self.map = map
        self.path = path
    }

    /// The path of a field from the message's top, fit for one line of a log.
    package func path(of name: String) -> String {
        let name = printable(name, limit: 128)
        return path.isEmpty ? name : "\(path).\(name)"
    }

    /// The names of the fields, in order.
    package var names: [String] { map.keys }

    /// The value of a field that must be there; of a NumPy scalar what it holds.
    package func value(_ name: String) throws(MessageError) -> MessagePackValue {
        guard let value = map[name] else {
            throw MessageError(.missingField, field: path(of: name), "the field is missing")
        }
        return try NumPyScalar.unwrap(value, field: path(of: name))
    }

    /// The value of a field that may be left out or nil.
    package func optional(_ name: String) -> MessagePackValue? {
        if let value = map[name], value != .null { value } else { nil }
    }

    package func string(_ name: String) throws(MessageError) -> String {
        let value = try value(name)
        guard case .string(let text) = value else { throw wrongType(name, value, "a string") }
        return text
    }

    /// One of a closed list of texts.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String
    ) throws(MessageError) -> Choice {
        let text = try string(name)
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw MessageError(
                .outOfRange,
                field: path(of: name),
                "found \"\(printable(text, limit: 32))\", expected one of \(choices)"
            )
        }
        return choice
    }

    package func bool(_ name: String) throws(MessageError) -> Bool {
        let value = try value(name)
        guard case .bool(let flag) = value else { throw wrongType(name, value, "true or false") }
        return flag
    }

    package func binary(_ name: String) throws(MessageError) -> [UInt8] {
        let value = try value(name)
        guard case .binary(let bytes) = value else { throw wrongType(name, value, "bin") }
        return bytes
    }

    /// An integer from 0 to 2^64 - 1, also one that is packed as a float.
    package func unsigned(_ name: String) throws(MessageError) -> UInt64 {
        let value = try value(name)
        if let integer = value.wholeNumber { return integer }
        guard let number = value.number else { throw wrongType(name, value, "an integer from 0 up") }
        throw MessageError(
            number == number.rounded() ? .outOfRange : .wrongType,
            field: path(of: name),
            "found \(value.summary), expected an integer from 0 to \(UInt64.max)"
        )
    }

    /// An integer from 0 to 2^63 - 1.
    package func count(_ name: String) throws(MessageError) -> Int {
        let value = try unsigned(name)
        guard let count = Int(exactly: value) else {
            throw MessageError(
                .outOfRange,
                field: path(of: name),
                "found \(value), expected at most \(Int.max)"
            )
        }
        return count
    }

    package func double(_ name: String) throws(MessageError) -> Double {
        let value = try value(name)
        guard let number = value.number else { throw wrongType(name, value, "a number") }
        return number
    }

    package func map(_ name: String) throws(MessageError) -> MessagePackMap {
        let value = try value(name)
        guard case .map(let map) = value else { throw wrongType(name, value, "a map") }
        return map
    }

    package func fields(_ name: String) throws(MessageError) -> FieldReader {
        FieldReader(try map(name), path: path(of: name))
    }

    package func array(_ name: String) throws(MessageError) -> [MessagePackValue] {
        let value = try value(name)
        guard case .array(let elements) = value else { throw wrongType(name, value, "an array") }
        return elements
    }

    /// An array of maps.
    package func maps(_ name: String) throws(MessageError) -> [FieldReader] {
        var readers: [FieldReader] = []
        for element in try array(name) {
            guard case .map(let map) = element else { throw wrongType(name, element, "maps") }
            readers.append(FieldReader(map, path: path(of: name)))
        }
        return readers
    }

    package func strings(_ name: String) throws(MessageError) -> [String] {
        let value = try value(name)
        guard case .array(let elements) = value else { throw wrongType(name, value, "an array of strings") }
        var texts: [String] = []
        for element in elements {
            guard case .string(let text) = element else {
                throw wrongType(name, element, "an array of strings")
            }
            texts.append(text)
        }
        return texts
    }

    /// The extents of an array, each from 0 up.
    package func shape(_ name: String) throws(MessageError) -> [Int] {
        let value = try value(name)
        guard case .array(let extents) = value, extents.count <= 8 else {
            throw wrongType(name, value, "an array of at most 8 extents")
        }
        var shape: [Int] = []
        for extent in extents {
            guard let integer = extent.wholeNumber, let count = Int(exactly: integer) else {
                throw MessageError(
                    .outOfRange,
                    field: path(of: name),
                    "found \(extent.summary), expected an extent from 0 up"
                )
            }
            shape.append(count)
        }
        return shape
    }

    private func wrongType(_ name: String, _ found: MessagePackValue, _ expected: String) -> MessageError {
        MessageError(.wrongType, field: path(of: name), "found \(found.summary), expected \(expected)")
    }
}

extension MessagePackValue {
    /// The value of any number, as a double; nil for what is none.
    package var number: Double? {
        switch self {
        case .negative(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .float(let value): value
        default: nil
        }
    }

    /// The value of an integer from 0 to 2^64 - 1; nil for any other value. JavaScript packs integers from 2^32 or 2^53 up as
    /// floats.
    package var wholeNumber: UInt64? {
        switch self {
        case .unsigned(let value): value
        case .float(let value): UInt64(exactly: value)
        default: nil
        }
    }
}

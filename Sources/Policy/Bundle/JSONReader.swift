import Foundation
import Safetensors
import StrictJSON

/// A value of a JSON file together with its key path, so that each error can say where it is.
struct JSONReader {
    let file: String
    /// Key path from the root; empty for the root.
    let path: String
    let value: JSONValue

    /// Far above any configuration; refuses a wrong file before reading it.
    private static let maximumByteCount = 1 << 24

    init(contentsOf url: URL) throws(PolicyError) {
        file = url.lastPathComponent
        path = ""
        value = try withPolicyError { () throws(SafetensorsError) in
            try JSONValue(contentsOf: url, maximumByteCount: Self.maximumByteCount)
        }
    }

    private init(file: String, path: String, value: JSONValue) {
        self.file = file
        self.path = path
        self.value = value
    }

    /// An error about this value.
    func error(expected: String) -> PolicyError {
        PolicyError(file, path.isEmpty ? nil : path, found: value.summary, expected: expected)
    }

    private func path(to key: String) -> String {
        let key = key.isPlain ? key : key.quoted
        return path.isEmpty ? key : "\(path).\(key)"
    }

    func object() throws(PolicyError) -> JSONObject {
        guard case .object(let object) = value else { throw error(expected: "an object") }
        return object
    }

    /// The members of an object, in the file's order.
    func members() throws(PolicyError) -> [(key: String, reader: JSONReader)] {
        try object().members.map {
            ($0.name, JSONReader(file: file, path: path(to: $0.name), value: $0.value))
        }
    }

    /// A member; nil if the object has none of that name.
    func optional(_ key: String) throws(PolicyError) -> JSONReader? {
        try object()[key].map { JSONReader(file: file, path: path(to: key), value: $0) }
    }

    func required(_ key: String, expected: String) throws(PolicyError) -> JSONReader {
        guard let member = try optional(key) else {
            throw PolicyError(file, path(to: key), found: "missing", expected: expected)
        }
        return member
    }

    /// Refuses members that are not named here: a misspelt key must not become a default.
    func refuseOtherKeys(than known: Set<String>) throws(PolicyError) {
        for (key, reader) in try members() where !known.contains(key) {
            throw PolicyError(
                file,
                reader.path,
                found: "an unknown key",
                expected: "only keys whose meaning for inference is known"
            )
        }
    }

    /// The members that are not named here, if their values say nothing: null, false, or empty. Others are refused.
    func emptyKeys(otherThan known: Set<String>) throws(PolicyError) -> [String] {
        var empty: [String] = []
        for (key, reader) in try members() where !known.contains(key) {
            guard reader.isEmpty else {
                throw PolicyError(
                    file,
                    reader.path,
                    found: "an unknown key, \(reader.value.summary)",
                    expected:
                        "only keys whose meaning for inference is known, or a value of null, false or empty"
                )
            }
            empty.append(key)
        }
        return empty
    }

    private var isEmpty: Bool {
        switch value {
        case .null, .boolean(false), .string(""): true
        case .array(let values): values.isEmpty
        case .object(let object): object.members.isEmpty
        default: false
        }
    }

    func elements() throws(PolicyError) -> [JSONReader] {
        guard case .array(let values) = value else { throw error(expected: "a list") }
        return values.enumerated().map {
            JSONReader(file: file, path: "\(path)[\($0.offset)]", value: $0.element)
        }
    }

    var isNull: Bool { value == .null }

    func string() throws(PolicyError) -> String {
        guard case .string(let string) = value else { throw error(expected: "a string") }
        return string
    }

    func boolean() throws(PolicyError) -> Bool {
        guard case .boolean(let boolean) = value else { throw error(expected: "true or false") }
        return boolean
    }

    func integer(in range: ClosedRange<Int>) throws(PolicyError) -> Int {
        guard case .integer(let integer) = value, range.contains(integer) else {
            throw error(expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    func number(expected: String, _ isValid: (Double) -> Bool) throws(PolicyError) -> Double {
        let number: Double
        switch value {
        case .integer(let integer): number = Double(integer)
        case .unsigned(let integer): number = Double(integer)
        case .number(let other): number = other
        default: throw error(expected: expected)
        }
        guard isValid(number) else { throw error(expected: expected) }
        return number
    }

    /// A string that is the raw value of an enumeration's case.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ type: Choice.Type
    ) throws(PolicyError) -> Choice {
        let expected = "one of " + Choice.allCases.map(\.rawValue.debugDescription).joined(separator: ", ")
        guard case .string(let string) = value, let choice = Choice(rawValue: string) else {
            throw error(expected: expected)
        }
        return choice
    }
}

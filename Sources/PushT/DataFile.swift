import Foundation

/// Why a file of `sim/` cannot be used.
public enum DataFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file cannot be read.
    case unreadable(file: String, reason: String)
    /// The file is not JSON, or a field is missing or has the wrong type.
    case malformed(file: String, field: String, reason: String)
    /// The file has a field that means nothing.
    case unknownField(file: String, field: String)
    /// A field has a value that it must not have.
    case invalid(file: String, field: String, value: String, expected: String)

    /// File, field, value and expectation in one line.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
        case .malformed(let file, let field, let reason):
            field.isEmpty ? "\(file): \(reason)" : "\(file): \(field): \(reason)"
        case .unknownField(let file, let field): "\(file): \(field): unknown field"
        case .invalid(let file, let field, let value, let expected):
            "\(file): \(field) is \(value), expected \(expected)"
        }
    }
}

/// JSON files with snake-case fields, read strictly.
enum DataFile {
    static func contents(of url: URL) throws(DataFileError) -> Data {
        do {
            return try Data(contentsOf: url)
        } catch {
            throw .unreadable(file: url.lastPathComponent, reason: error.localizedDescription)
        }
    }

    /// Decodes a value, and refuses fields that the value does not have.
    static func decode<Value: Codable>(
        _ type: Value.Type,
        from json: Data,
        source: String
    ) throws(DataFileError) -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let found: Any
        do {
            found = try JSONSerialization.jsonObject(with: json)
        } catch {
            let place = (error as NSError).userInfo["NSDebugDescription"] as? String
            throw .malformed(
                file: source,
                field: "",
                reason: "not JSON: \(place ?? error.localizedDescription)"
            )
        }
        let value: Value
        let unknown: String?
        do {
            value = try decoder.decode(type, from: json)
            // What was understood, written back: a field of the file that is not in it was not understood.
            let known = try JSONSerialization.jsonObject(with: encoder.encode(value))
            unknown = firstExtraField(of: found, beyond: known)
        } catch let error as DecodingError {
            throw error.asDataFileError(source: source)
        } catch {
            throw .malformed(file: source, field: "", reason: error.localizedDescription)
        }
        if let unknown { throw .unknownField(file: source, field: unknown) }
        return value
    }

    private static func firstExtraField(of found: Any, beyond known: Any) -> String? {
        if let found = found as? [String: Any], let known = known as? [String: Any] {
            for (key, value) in found.sorted(by: { $0.key < $1.key }) {
                guard let knownValue = known[key] else { return key }
                if let rest = firstExtraField(of: value, beyond: knownValue) {
                    return rest.hasPrefix("[") ? key + rest : "\(key).\(rest)"
                }
            }
        } else if let found = found as? [Any], let known = known as? [Any] {
            for (index, (value, knownValue)) in zip(found, known).enumerated() {
                if let rest = firstExtraField(of: value, beyond: knownValue) { return "[\(index)].\(rest)" }
            }
        }
        return nil
    }
}

extension DecodingError {
    fileprivate func asDataFileError(source: String) -> DataFileError {
        switch self {
        case .keyNotFound(let key, let context):
            .malformed(file: source, field: Self.path(context.codingPath + [key]), reason: "missing")
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            // The decoder says no more than this of a number that its field's type cannot hold.
            .malformed(
                file: source,
                field: "",
                reason: "a count is not a whole number, or a seed is negative"
            )
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            .malformed(file: source, field: Self.path(context.codingPath), reason: context.debugDescription)
        @unknown default:
            .malformed(file: source, field: "", reason: localizedDescription)
        }
    }

    /// The path as the file spells it: `world.walls[2].radius`.
    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce("") { path, key in
            if let index = key.intValue { return "\(path)[\(index)]" }
            let name = key.stringValue.reduce("") {
                $1.isUppercase ? $0 + "_" + $1.lowercased() : $0 + String($1)
            }
            return path.isEmpty ? name : "\(path).\(name)"
        }
    }
}

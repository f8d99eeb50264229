import Fields
import Foundation
import Safetensors
import StrictJSON

/// A JSON file of a policy's folder as a source of fields.
struct PolicyFile: FieldSource {
    typealias Node = JSONValue

    /// Its name, without its folder.
    let name: String

    static var words: FieldWords { .json }
    static var null: FieldNull { .value }

    func failure(_ problem: FieldProblem) -> PolicyError {
        PolicyError(name, problem.field, found: problem.found, expected: problem.expected)
    }
}

/// A value of a JSON file together with its key path, so that each error can say where it is.
typealias JSONReader = FieldReader<PolicyFile>

extension JSONReader {
    /// Far above any configuration; refuses a wrong file before reading it.
    private static var maximumByteCount: Int { 1 << 24 }

    init(contentsOf url: URL) throws(PolicyError) {
        let value = try withPolicyError { () throws(SafetensorsError) in
            try JSONValue(contentsOf: url, maximumByteCount: Self.maximumByteCount)
        }
        self.init(value, of: PolicyFile(name: url.lastPathComponent))
    }

    /// The file's name.
    var file: String { source.name }

    var isNull: Bool { node.isNull }

    /// Refuses members that are not named here: a misspelt key must not become a default.
    func refuseOtherKeys(than known: Set<String>) throws(PolicyError) {
        for (key, reader) in try members() where !known.contains(key) {
            throw reader.error(
                .unknown,
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
                throw reader.error(
                    .unknown,
                    found: "an unknown key, \(reader.node.summary)",
                    expected:
                        "only keys whose meaning for inference is known, or a value of null, false or empty"
                )
            }
            empty.append(key)
        }
        return empty
    }

    private var isEmpty: Bool {
        switch node {
        case .null, .boolean(false), .string(""): true
        case .array(let values): values.isEmpty
        case .object(let object): object.members.isEmpty
        default: false
        }
    }
}

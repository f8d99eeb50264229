import Fields
import StrictJSON

/// Why a file cannot be reported on.
package struct RunFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file, as it was given.
    package let file: String
    /// The field that is wrong, as a path from the top; nil for the whole file.
    package let field: String?
    /// What was found and what was expected.
    package let problem: String

    init(_ file: String, field: String? = nil, _ problem: String) {
        (self.file, self.field, self.problem) = (file, field, problem)
    }

    package var description: String {
        "\(file): " + (field.map { "\($0): \(problem)" } ?? problem)
    }
}

/// A JSON file of a run as a source of fields.
struct RunSource: FieldSource {
    typealias Node = JSONValue

    /// As it was given.
    let file: String

    static var words: FieldWords { .json }
    static var null: FieldNull { .refused }

    func failure(_ problem: FieldProblem) -> RunFileError {
        RunFileError(file, field: problem.field, problem.message)
    }
}

typealias RunReader = FieldReader<RunSource>

extension FieldReader<RunSource> {
    /// Far above any amount in a file, and far below what an integer or a picture could not hold.
    private static var most: Double { 1e12 }

    /// A finite amount from 0 up.
    func amount() throws(RunFileError) -> Double {
        try number(expected: "a number from 0 to 1e12") { (0...Self.most).contains($0) }
    }

    func amount(_ name: String) throws(RunFileError) -> Double { try required(name).amount() }

    /// A number from 0 to 1.
    func share() throws(RunFileError) -> Double {
        try number(expected: "a number from 0 to 1") { (0...1).contains($0) }
    }

    func share(_ name: String) throws(RunFileError) -> Double { try required(name).share() }

    /// A whole number from 0 up.
    func whole(_ name: String) throws(RunFileError) -> Int { try required(name).whole() }

    func whole() throws(RunFileError) -> Int { try integer(in: 0...Int(Self.most)) }

    /// A time in nanoseconds.
    func nanoseconds() throws(RunFileError) -> UInt64 { UInt64(try integer(in: 0...1_000_000_000_000_000)) }

    func optionalWhole(_ name: String) throws(RunFileError) -> Int? { try optional(name)?.whole() }

    func optionalAmount(_ name: String) throws(RunFileError) -> Double? { try optional(name)?.amount() }

    func optionalText(_ name: String) throws(RunFileError) -> String? { try optional(name)?.string() }
}

/// Where values come from: a kind of file. It decides what errors say, and what a value that is null means.
package protocol FieldSource {
    associatedtype Node: FieldNode
    associatedtype Failure: Error

    /// What its format calls things.
    static var words: FieldWords { get }
    /// What a member without a value means.
    static var null: FieldNull { get }

    /// The error that tells of a problem.
    func failure(_ problem: FieldProblem) -> Failure
}

/// What a format calls the values that it has, for errors.
package struct FieldWords: Sendable {
    /// A value with members: "a map".
    package let members: String
    /// "an array".
    package let list: String
    /// "a string".
    package let text: String

    package init(members: String, list: String, text: String) {
        self.members = members
        self.list = list
        self.text = text
    }
}

/// What a member without a value means.
package enum FieldNull: Sendable {
    /// A value, which the reader of the field decides on.
    case value
    /// An error: somebody may have meant to fill it in.
    case refused
}

/// What is wrong with a field.
package struct FieldProblem: Sendable, Hashable {
    package enum Reason: Sendable, Hashable {
        /// The field must be there and is not.
        case missing
        /// It is of another type.
        case wrongType
        /// It is of the right type, and its value is not accepted.
        case outOfRange
        /// Nobody knows a field of that name.
        case unknown
        /// It is there twice.
        case repeated
    }

    package let reason: Reason
    /// The field as a path from the top, fit for one line of a log; nil for the whole.
    package let field: String?
    /// What is there, in words.
    package let found: String
    /// What should be there, in words.
    package let expected: String

    package init(_ reason: Reason, field: String?, found: String, expected: String) {
        self.reason = reason
        self.field = field
        self.found = found
        self.expected = expected
    }

    /// What was found and what was expected.
    package var message: String {
        switch reason {
        case .missing: "the field is missing"
        case .unknown: "unknown field, expected \(expected)"
        case .repeated: "given twice, expected once"
        case .wrongType, .outOfRange: "found \(found), expected \(expected)"
        }
    }
}

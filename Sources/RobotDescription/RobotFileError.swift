import StrictYAML

/// Why a robot file was not accepted.
public struct RobotFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The field, as a path from the file's top (`actions[2].velocity`); nil for the whole file.
    public let field: String?
    /// What was found and what was expected, in words.
    public let message: String

    init(_ field: String?, _ message: String) {
        self.field = field
        self.message = message
    }

    init(_ refusal: YAMLRefusal) {
        self.init(nil, (refusal.line.map { "line \($0): " } ?? "") + refusal.message)
    }

    /// The field, what was found and what was expected.
    public var description: String {
        if let field { "\(field): \(message)" } else { message }
    }
}

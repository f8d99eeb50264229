/// A robot's id: 1 to 64 of the ASCII letters, digits, `_`, `-`, `.`, `:` and `/`.
public struct RobotID: Sendable, Hashable, CustomStringConvertible {
    /// The id's text.
    public let text: String

    /// The id, or nil if the text is not one.
    public init?(_ text: String) {
        guard isName(text) else { return nil }
        self.text = text
    }

    /// What an id may be, in words for an error message.
    public static let rule = "1 to 64 ASCII letters, digits, _ - . : or /"

    /// The id's text.
    public var description: String { text }
}

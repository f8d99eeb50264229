/// A value of a file, whatever its format.
package protocol FieldNode {
    /// What it is if it has members.
    associatedtype Members: FieldMembers where Members.Node == Self

    /// Whether it stands for no value.
    var isNull: Bool { get }
    /// Its text; nil if it is none.
    var text: String? { get }
    /// True or false; nil if it is neither.
    var flag: Bool? { get }
    /// Its value as a number; nil if it is none.
    var double: Double? { get }
    /// Its value as an integer from 0 to 2^64 - 1; nil if it is none.
    var wholeNumber: UInt64? { get }
    /// Its elements; nil if it is no list.
    var elements: [Self]? { get }
    /// Its members; nil if it has no members.
    var members: Members? { get }
    /// What it is, in words for an error: one line without control characters, of bounded length.
    var summary: String { get }
}

/// The members of a value: values by name, in the order in which they were written.
package protocol FieldMembers {
    associatedtype Node

    /// The names, in order; a name may come twice if the format allows that.
    var names: [String] { get }
    /// The value of that name; nil if there is none.
    subscript(name: String) -> Node? { get }
}

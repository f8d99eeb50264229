/// Why bytes are no pickle that can be read.
package struct PickleError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where in the bytes the instruction begins.
    package let offset: Int
    /// What is there.
    package let found: String
    /// What should be there.
    package let expected: String

    /// One line.
    package var description: String { "byte \(offset): \(found); expected \(expected)" }
}

/// How much a pickle may hold. Every limit is far above what a checkpoint needs.
package struct PickleLimits: Sendable, Hashable {
    /// Bytes of the pickle.
    package var bytes = 1 << 26
    /// Values with parts.
    package var nodes = 500_000
    /// Values on the stack, in the memo, and members of all nodes: of each so many.
    package var values = 2_000_000
    /// Bytes of the name of a class or function.
    package var nameBytes = 4096

    package init() {}
}

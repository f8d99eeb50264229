/// A value of a pickle. A value that has parts is a node of the ``Pickle``, so that several values may share it, and it may
/// have itself among its parts.
package enum PickleValue: Sendable, Hashable {
    case none
    case bool(Bool)
    case integer(Int)
    /// A whole number beyond 64 bits.
    case hugeInteger
    case float(Double)
    case string(String)
    case bytes([UInt8])
    /// The index of a node.
    case node(Int)
}

/// A value that has parts: a container, or something that Python would make by running code, which is kept as data.
package struct PickleNode: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        case list, tuple, set, dictionary
        /// A class or function by its name.
        case global
        /// What a class or function makes of arguments. Nothing is made.
        case call
        /// What the pickle's file keeps elsewhere, such as a tensor's numbers; its name is the only argument.
        case persistent
    }

    /// A key and its value.
    package struct Entry: Sendable, Hashable {
        package let key: PickleValue
        package let value: PickleValue
    }

    package let kind: Kind
    /// Of a global, such as `collections`.
    package let module: String
    /// Of a global, such as `OrderedDict`.
    package let name: String
    /// The class or function of a call.
    package let callee: PickleValue
    /// What a call is given: usually a tuple. Of a persistent value its name.
    package let arguments: PickleValue
    /// The members of a list, tuple or set, and what is added to a call's result.
    package internal(set) var elements: [PickleValue] = []
    /// The entries of a dictionary, and what is set in a call's result, in the order in which they come.
    package internal(set) var entries: [Entry] = []
    /// The attributes that a call's result gets.
    package internal(set) var state: PickleValue?

    init(
        _ kind: Kind,
        module: String = "",
        name: String = "",
        callee: PickleValue = .none,
        arguments: PickleValue = .none,
        elements: [PickleValue] = []
    ) {
        self.kind = kind
        self.module = module
        self.name = name
        self.callee = callee
        self.arguments = arguments
        self.elements = elements
    }
}

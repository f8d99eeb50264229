import StrictJSON

/// What a pickle says, as data. Python's `pickle` would import modules and call functions; this reads names of both and
/// calls nothing.
///
/// Read are the binary instructions of protocols 2 to 5, which is what PyTorch and dill write.
package struct Pickle: Sendable {
    /// The values with parts, which other values name by their index.
    package let nodes: [PickleNode]
    /// The value that Python would return.
    package let root: PickleValue

    /// Reads a pickle that takes up all of the bytes.
    ///
    /// - Throws: ``PickleError`` with the offset of the instruction that is wrong.
    package init(_ bytes: [UInt8], limits: PickleLimits = PickleLimits()) throws(PickleError) {
        guard bytes.count <= limits.bytes else {
            throw PickleError(
                offset: 0,
                found: "\(bytes.count) bytes",
                expected: "at most \(limits.bytes)"
            )
        }
        var reader = PickleReader(bytes, limits: limits)
        root = try reader.read()
        nodes = reader.nodes
    }

    /// The node of a value that has parts.
    package func node(_ value: PickleValue) -> PickleNode? {
        if case .node(let index) = value { nodes[index] } else { nil }
    }

    /// The members of a list or a tuple.
    package func sequence(_ value: PickleValue) -> [PickleValue]? {
        guard let node = node(value), node.kind == .list || node.kind == .tuple else { return nil }
        return node.elements
    }

    /// The entries of a dictionary, also of an `OrderedDict` or `defaultdict`.
    package func entries(_ value: PickleValue) -> [PickleNode.Entry]? {
        guard let node = node(value) else { return nil }
        let isSubclass =
            isCall(value, of: "collections", "OrderedDict")
            || isCall(value, of: "collections", "defaultdict")
        return node.kind == .dictionary || isSubclass ? node.entries : nil
    }

    /// The value that a dictionary has for a string; the last, if there are several, as Python has it.
    package func member(_ name: String, of value: PickleValue) -> PickleValue? {
        entries(value)?.last { $0.key == .string(name) }?.value
    }

    /// The name of the class or function that a value would be made by, such as `collections.OrderedDict`.
    package func callee(_ value: PickleValue) -> String? {
        guard let node = node(value), node.kind == .call, let callee = self.node(node.callee),
            callee.kind == .global
        else { return nil }
        return "\(callee.module).\(callee.name)"
    }

    /// Whether a value is what this class or function would make.
    package func isCall(_ value: PickleValue, of module: String, _ name: String) -> Bool {
        guard let node = node(value), node.kind == .call, let callee = self.node(node.callee) else {
            return false
        }
        return callee.kind == .global && callee.module == module && callee.name == name
    }

    /// The bytes of a value: protocol 2 has no instruction for them and writes them as Latin-1 text.
    package func bytes(_ value: PickleValue) -> [UInt8]? {
        if case .bytes(let bytes) = value { return bytes }
        guard let node = node(value), node.kind == .call, let arguments = sequence(node.arguments) else {
            return nil
        }
        if arguments.isEmpty,
            isCall(value, of: "__builtin__", "bytes") || isCall(value, of: "builtins", "bytes")
        {
            return []
        }
        guard isCall(value, of: "_codecs", "encode"), arguments.count == 2,
            case .string(let text) = arguments[0], case .string(let encoding) = arguments[1],
            ["latin1", "latin-1"].contains(encoding)
        else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// What a value is, in a few words for a message.
    package func summary(_ value: PickleValue) -> String {
        switch value {
        case .none: return "None"
        case .bool(let flag): return flag ? "True" : "False"
        case .integer(let number): return "\(number)"
        case .hugeInteger: return "a whole number beyond 64 bits"
        case .float(let number): return "\(number)"
        case .string(let text): return text.quoted
        case .bytes(let bytes): return "\(bytes.count) bytes"
        case .node(let index):
            let node = nodes[index]
            switch node.kind {
            case .global: return "the name \("\(node.module).\(node.name)".quoted)"
            case .call:
                return callee(value).map { "an object of \($0.quoted)" }
                    ?? "an object of an unknown kind"
            case .persistent: return "a storage"
            case .list, .tuple, .set, .dictionary: return "a \(node.kind.rawValue)"
            }
        }
    }
}

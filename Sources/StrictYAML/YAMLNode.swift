import Fields
import ForeignText
import Yams

extension Node: FieldNode {
    package var isNull: Bool { null != nil }
    package var text: String? { scalar?.string }
    package var flag: Bool? { bool }
    package var double: Double? { float ?? int.map(Double.init) }
    package var wholeNumber: UInt64? { int.flatMap(UInt64.init(exactly:)) }
    package var elements: [Node]? { sequence.map(Array.init) }
    package var members: NodeMembers? { mapping.map(NodeMembers.init) }

    /// What the node is, in words for an error message; long text is cut.
    package var summary: String {
        switch self {
        case .scalar(let scalar):
            return "\"\(printable(scalar.string, limit: 64))\""
        case .mapping(let mapping): return "a mapping of \(mapping.count)"
        case .sequence(let sequence): return "a list of \(sequence.count)"
        case .alias: return "an alias"
        }
    }
}

/// The members of a mapping.
package struct NodeMembers: FieldMembers {
    fileprivate let mapping: Node.Mapping

    /// The keys; one that is no text is told in words, and has no value.
    package var names: [String] { mapping.keys.map { $0.text ?? $0.summary } }

    /// The lines of the keys, as ``names`` has them; nil for a key whose line is not known.
    package var lines: [Int?] { mapping.keys.map { $0.mark?.line } }

    package subscript(name: String) -> Node? { mapping.first { $0.key.text == name }?.value }
}

/// A value of a YAML file.
package typealias YAMLValue = Yams.Node

extension Node {
    /// Where it begins, from 1; nil: not known.
    package var line: Int? { mark?.line }
}

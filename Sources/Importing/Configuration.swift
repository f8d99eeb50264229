import Pickle
import StrictJSON

/// A configuration as OmegaConf keeps it, as plain values.
indirect enum ConfigurationValue {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([ConfigurationValue])
    case dictionary([(key: String, value: ConfigurationValue)])
    /// What is none of these, in words.
    case other(String)

    /// The member of a dictionary; nil: there is none, or this is no dictionary.
    subscript(key: String) -> ConfigurationValue? {
        guard case .dictionary(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    /// What it is, in a few words for a message.
    var summary: String {
        switch self {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .integer(let number): "\(number)"
        case .number(let number): "\(number)"
        case .text(let text): text.quoted
        case .list(let elements):
            elements.count <= 16 ? "[\(elements.map(\.summary).joined(separator: ", "))]" : "a list"
        case .dictionary: "a dictionary"
        case .other(let text): text
        }
    }
}

/// Turns the pickled objects of OmegaConf into plain values. A node of theirs keeps its value in `_val`, a dictionary or list
/// its members in `_content`.
struct ConfigurationReader {
    private let pickle: Pickle
    private let file: String
    /// A hostile pickle may name one object from many places.
    private var left = 100_000

    private static let maximumDepth = 64

    init(_ pickle: Pickle, file: String) {
        self.pickle = pickle
        self.file = file
    }

    /// - Throws: `ImportError` for a configuration that is too large or that contains itself.
    mutating func read(_ value: PickleValue, depth: Int = 0) throws(ImportError) -> ConfigurationValue {
        left -= 1
        guard left > 0, depth < Self.maximumDepth else {
            throw ImportError(
                file,
                "cfg",
                found:
                    "a configuration that is deeper than \(Self.maximumDepth) or has more than 100000 values",
                expected: "a configuration of a training run"
            )
        }
        switch value {
        case .none: return .null
        case .bool(let flag): return .bool(flag)
        case .integer(let number): return .integer(number)
        case .float(let number): return .number(number)
        case .string(let text): return .text(text)
        case .hugeInteger, .bytes: return .other(pickle.summary(value))
        case .node: return try readNode(value, depth: depth)
        }
    }

    private mutating func readNode(_ value: PickleValue, depth: Int) throws(ImportError) -> ConfigurationValue
    {
        if let elements = pickle.sequence(value) { return try list(elements, depth: depth) }
        if let entries = pickle.entries(value) { return try dictionary(entries, depth: depth) }
        let state = pickle.node(value)?.state ?? .none
        switch pickle.callee(value) {
        case "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig":
            guard let content = pickle.member("_content", of: state) else { break }
            // Also None, or the text of an interpolation that stands for the whole.
            return try read(content, depth: depth + 1)
        case let name? where name.hasPrefix("omegaconf.nodes."):
            guard let content = pickle.member("_val", of: state) else { break }
            return try read(content, depth: depth + 1)
        default: break
        }
        return .other(pickle.summary(value))
    }

    private mutating func list(_ elements: [PickleValue], depth: Int) throws(ImportError)
        -> ConfigurationValue
    {
        var values: [ConfigurationValue] = []
        for element in elements { values.append(try read(element, depth: depth + 1)) }
        return .list(values)
    }

    private mutating func dictionary(
        _ entries: [PickleNode.Entry],
        depth: Int
    ) throws(ImportError) -> ConfigurationValue {
        var members: [(key: String, value: ConfigurationValue)] = []
        for entry in entries {
            // What is read here has text for keys. Others cannot be asked for.
            guard case .string(let key) = entry.key else { continue }
            members.append((key, try read(entry.value, depth: depth + 1)))
        }
        return .dictionary(members)
    }
}

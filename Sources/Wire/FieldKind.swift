/// What a field holds. The text is that of the type's column in docs/PROTOCOL.md.
package indirect enum FieldKind: Sendable, Hashable, CustomStringConvertible {
    case bool
    /// A number of things, from 0 to 2^63 - 1.
    case integer
    /// An integer from 0 to 2^64 - 1.
    case unsigned
    case float
    case string
    /// One of these texts.
    case choice([String])
    case robot
    case episode
    /// Texts, one after the other.
    case strings
    /// Actions, [k, action_dim], in any form that ``NumericArray`` reads.
    case rows
    /// Actions, [k, action_dim], which the daemon packs as `<f4`.
    case floatRows
    /// Numbers one after the other, which the daemon packs as `<f4`.
    case floatArray
    /// Arrays of numbers and frames of cameras, by name.
    case observation
    /// Several of these maps, one after the other.
    case observations
    /// Integers by name.
    case counters
    /// The numbers of frames by camera, which only recordings have.
    case frameNumbers
    /// Several of these maps, one after the other, which only recordings have.
    case frameNumbersList
    /// A map with these fields.
    case map([FieldDescription])
    /// Maps with these fields, by name.
    case maps([FieldDescription])
    /// Maps with these fields, one after the other.
    case list([FieldDescription])

    package var description: String {
        switch self {
        case .bool: "bool"
        case .integer: "integer"
        case .unsigned: "u64"
        case .float: "float"
        case .string, .choice: "string"
        case .robot: "robot"
        case .episode: "episode"
        case .strings: "array of strings"
        case .rows: "array"
        case .floatRows, .floatArray: "array `<f4`"
        case .observation: "map of arrays and frames"
        case .observations: "array of maps of arrays and frames"
        case .counters, .frameNumbers: "map of u64"
        case .frameNumbersList: "array of maps of u64"
        case .map: "map"
        case .maps: "map of maps"
        case .list: "array of maps"
        }
    }
}

/// A field as docs/PROTOCOL.md describes it.
package struct FieldDescription: Sendable, Hashable {
    /// Its key in the message's map.
    package let name: String
    /// What it holds.
    package let kind: FieldKind
    /// Whether some messages lack it.
    package let isOptional: Bool
    /// What it means, with units and shapes, in Markdown.
    package let meaning: String

    package init(_ name: String, _ kind: FieldKind, isOptional: Bool = false, _ meaning: String) {
        self.name = name
        self.kind = kind
        self.isOptional = isOptional
        self.meaning = meaning
    }
}

import Robotics

/// What a field of a message holds, before it is packed.
package enum FieldValue: Sendable, Hashable {
    case bool(Bool)
    case integer(Int)
    case unsigned(UInt64)
    case float(Double)
    case string(String)
    case strings([String])
    /// Numbers in row-major order, and their extents.
    case array([Float], shape: [Int])
    case frame(CameraFrame)
    case episode(EpisodeID)
    case map([Entry])
    /// Maps, one after the other.
    case list([[Entry]])

    /// A field of a map.
    package struct Entry: Sendable, Hashable {
        package let name: String
        package let value: FieldValue

        package init(name: String, value: FieldValue) {
            self.name = name
            self.value = value
        }
    }

    /// A map of the entries of a dictionary, in the order of their names.
    package static func map<Value>(
        sorted entries: [String: Value],
        _ value: (Value) -> FieldValue
    ) -> FieldValue {
        .map(entries.sorted { $0.key < $1.key }.map { Entry(name: $0.key, value: value($0.value)) })
    }
}

extension MessagePackEncoder {
    /// Packs what a field holds.
    ///
    /// - Parameter arrayKeys: how the keys of an array's map are packed.
    func pack(_ value: FieldValue, arrayKeys: ArrayKeys = .binary) {
        switch value {
        case .bool(let flag): bool(flag)
        case .integer(let number): integer(Int64(number))
        case .unsigned(let number): unsigned(number)
        case .float(let number): float(number)
        case .string(let text): string(text)
        case .strings(let texts):
            array(texts.count)
            for text in texts { string(text) }
        case .array(let numbers, let shape):
            NumericArray.encode(numbers, shape: shape, keys: arrayKeys, to: self)
        case .frame(let frame): pack(frame, arrayKeys: arrayKeys)
        case .episode(.number(let number)): unsigned(number)
        case .episode(.name(let name)): string(name)
        case .map(let entries): pack(entries, arrayKeys: arrayKeys)
        case .list(let maps):
            array(maps.count)
            for entries in maps { pack(entries, arrayKeys: arrayKeys) }
        }
    }

    private func pack(_ entries: [FieldValue.Entry], arrayKeys: ArrayKeys) {
        map(entries.count)
        for entry in entries {
            string(entry.name)
            pack(entry.value, arrayKeys: arrayKeys)
        }
    }
}

import Robotics

/// How a Swift value is kept in a field: what kind of field that is, and the ways there and back.
package struct FieldCoding<Value>: Sendable {
    let kind: FieldKind
    let value: @Sendable (Value) -> FieldValue
    let read: @Sendable (FieldReader, String) throws(MessageError) -> Value

    /// - Parameter read: reads the field of that name, which is there.
    package init(
        kind: FieldKind,
        value: @escaping @Sendable (Value) -> FieldValue,
        read: @escaping @Sendable (FieldReader, String) throws(MessageError) -> Value
    ) {
        self.kind = kind
        self.value = value
        self.read = read
    }
}

extension FieldCoding<Bool> {
    package static let bool = Self(kind: .bool) {
        .bool($0)
    } read: { (fields, name) throws(MessageError) in
        try fields.bool(name)
    }
}

extension FieldCoding<Int> {
    package static let count = Self(kind: .integer) {
        .integer($0)
    } read: { (fields, name) throws(MessageError) in
        try fields.count(name)
    }
}

extension FieldCoding<UInt64> {
    package static let unsigned = Self(kind: .unsigned) {
        .unsigned($0)
    } read: {
        (fields, name) throws(MessageError) in
        try fields.unsigned(name)
    }
}

extension FieldCoding<Double> {
    package static let float = Self(kind: .float) {
        .float($0)
    } read: { (fields, name) throws(MessageError) in
        try fields.double(name)
    }
}

extension FieldCoding<String> {
    package static let string = Self(kind: .string) {
        .string($0)
    } read: { (fields, name) throws(MessageError) in
        try fields.string(name)
    }
}

extension FieldCoding<[String]> {
    package static let strings = Self(kind: .strings) {
        .strings($0)
    } read: { (fields, name) throws(MessageError) in
        try fields.strings(name)
    }
}

extension FieldCoding<RobotID> {
    /// A robot's id; the field's name is `robot`.
    package static let robot = Self(kind: .robot) {
        .string($0.text)
    } read: { (fields, _) throws(MessageError) in
        try fields.robot()
    }
}

extension FieldCoding<EpisodeID> {
    /// An episode's id; the field's name is `episode`.
    package static let episode = Self(kind: .episode) {
        .episode($0)
    } read: { (fields, _) throws(MessageError) in
        try fields.episode()
    }
}

extension FieldCoding where Value: RawRepresentable<String> & CaseIterable & Sendable {
    /// One of a closed list of texts.
    package static var choice: Self {
        Self(kind: .choice(Value.allCases.map(\.rawValue))) {
            .string($0.rawValue)
        } read: {
            (fields, name) throws(MessageError) in
            try fields.choice(name)
        }
    }
}

extension FieldCoding<[String: UInt64]> {
    /// Counters by name.
    package static let counters = Self(kind: .counters) {
        .map(sorted: $0) { .unsigned($0) }
    } read: {
        (fields, name) throws(MessageError) in
        let counters = try fields.fields(name)
        var counts: [String: UInt64] = [:]
        for key in counters.names { counts[key] = try counters.unsigned(key) }
        return counts
    }
}

extension FieldCoding where Value: Sendable {
    /// A map with the fields of a table.
    package static func map(_ table: MessageTable<Value>) -> Self {
        Self(kind: .map(table.descriptions)) {
            .map(table.entries(of: $0))
        } read: {
            (fields, name) throws(MessageError) in
            try table.read(fields.fields(name))
        }
    }

    /// Maps with the fields of a table, by name.
    package static func maps<Element>(_ table: MessageTable<Element>) -> Self
    where Value == [String: Element] {
        Self(kind: .maps(table.descriptions)) {
            .map(sorted: $0) { .map(table.entries(of: $0)) }
        } read: {
            (fields, name) throws(MessageError) in
            let maps = try fields.fields(name)
            var elements: [String: Element] = [:]
            for key in maps.names { elements[key] = try table.read(maps.fields(key)) }
            return elements
        }
    }

    /// Maps with the fields of a table, one after the other.
    package static func list<Element>(_ table: MessageTable<Element>) -> Self where Value == [Element] {
        Self(kind: .list(table.descriptions)) {
            .list($0.map { table.entries(of: $0) })
        } read: {
            (fields, name) throws(MessageError) in
            var elements: [Element] = []
            for map in try fields.maps(name) { elements.append(try table.read(map)) }
            return elements
        }
    }
}

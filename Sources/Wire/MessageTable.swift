import Robotics

/// The fields of a message, in the order in which they are packed. Packing, reading and the tables of docs/PROTOCOL.md all
/// follow it.
package struct MessageTable<Message: Sendable>: Sendable {
    package let fields: [MessageField<Message>]
    /// What fields are read into. A field that may be left out, and is, keeps its value.
    package let blank: Message

    /// The fields of messages that are read into `blank`.
    package init(_ blank: Message, _ fields: [MessageField<Message>]) {
        self.blank = blank
        self.fields = fields
    }

    /// The fields as the protocol's page describes them.
    package var descriptions: [FieldDescription] { fields.map(\.description) }

    /// Reads a message. Fields that the table does not list are ignored, so that a later minor version may add some.
    ///
    /// - Throws: `MessageError` for the first field in the table's order that cannot be used.
    package func read(_ fields: FieldReader) throws(MessageError) -> Message {
        var message = blank
        for field in self.fields { try field.read(fields, &message) }
        return message
    }

    /// The entries of the message as a map.
    package func entries(of message: Message) -> [FieldValue.Entry] {
        var entries: [FieldValue.Entry] = []
        entries.reserveCapacity(fields.count)
        for field in fields {
            guard let value = field.value(message) else { continue }
            entries.append(.init(name: field.description.name, value: value))
        }
        return entries
    }

    /// The table without some of its fields.
    package func selecting(_ isWanted: (FieldDescription) -> Bool) -> MessageTable {
        MessageTable(blank, fields.filter { isWanted($0.description) })
    }

    /// The fields as those of a message that has this one as a part.
    ///
    /// - Parameter excluded: the names of fields that the whole lacks, each of which the table has.
    package func fields<Whole>(
        of path: WritableKeyPath<Whole, Message> & Sendable,
        except excluded: Set<String> = []
    ) -> [MessageField<Whole>] {
        precondition(excluded.isSubset(of: fields.map(\.description.name)), "no field of one of \(excluded)")
        return fields.filter { !excluded.contains($0.description.name) }
            .map { field in
                MessageField(field.description) { whole in
                    field.value(whole[keyPath: path])
                } read: { (fields, whole) throws(MessageError) in
                    try field.read(fields, &whole[keyPath: path])
                }
            }
    }

    /// How many fields the message is packed with.
    func count(in message: Message) -> Int {
        fields.count { !$0.description.isOptional || $0.value(message) != nil }
    }
}

/// A field of a message: how the protocol's page describes it, and where the message keeps it.
package struct MessageField<Message>: Sendable {
    package let description: FieldDescription
    /// What is packed; nil: the message is packed without the field.
    package let value: @Sendable (Message) -> FieldValue?
    /// Reads the field into a message.
    package let read: @Sendable (FieldReader, inout Message) throws(MessageError) -> Void

    /// A field whose value is computed, or read with regard to other fields.
    ///
    /// - Parameters:
    ///   - value: gives nil only if the field is described as optional.
    ///   - read: also called if the field is left out.
    package init(
        _ description: FieldDescription,
        value: @escaping @Sendable (Message) -> FieldValue?,
        read: @escaping @Sendable (FieldReader, inout Message) throws(MessageError) -> Void
    ) {
        self.description = description
        self.value = value
        self.read = read
    }

    /// A field that every message has.
    package static func required<Value>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String
    ) -> MessageField {
        let property = StoredProperty(path)
        return MessageField(FieldDescription(name, coding.kind, meaning)) { message in
            coding.value(property.value(of: message))
        } read: { (fields, message) throws(MessageError) in
            property.set(try coding.read(fields, name), in: &message)
        }
    }

    /// A field that is left out if the message's value is nil.
    package static func optional<Value>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value?> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String
    ) -> MessageField {
        let property = StoredProperty(path)
        return MessageField(FieldDescription(name, coding.kind, isOptional: true, meaning)) { message in
            property.value(of: message).map(coding.value)
        } read: { (fields, message) throws(MessageError) in
            guard fields.optional(name) != nil else { return }
            property.set(try coding.read(fields, name), in: &message)
        }
    }

    /// A field that is left out if its list is empty.
    package static func unlessEmpty<Value: Collection & Sendable>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String
    ) -> MessageField {
        let property = StoredProperty(path)
        return MessageField(FieldDescription(name, coding.kind, isOptional: true, meaning)) { message in
            let value = property.value(of: message)
            return value.isEmpty ? nil : coding.value(value)
        } read: { (fields, message) throws(MessageError) in
            guard fields.optional(name) != nil else { return }
            property.set(try coding.read(fields, name), in: &message)
        }
    }

    /// A field that every message has but those of earlier daemons.
    static func added<Value>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String
    ) -> MessageField {
        let property = StoredProperty(path)
        return MessageField(FieldDescription(name, coding.kind, meaning)) { message in
            coding.value(property.value(of: message))
        } read: { (fields, message) throws(MessageError) in
            guard fields.optional(name) != nil else { return }
            property.set(try coding.read(fields, name), in: &message)
        }
    }
}

extension MessagePackEncoder {
    /// Packs the fields of a message, without what tells how many there are.
    func fields<Message>(
        _ fields: [MessageField<Message>],
        of message: Message,
        arrayKeys: ArrayKeys = .binary
    ) {
        for field in fields {
            guard let value = field.value(message) else { continue }
            string(field.description.name)
            pack(value, arrayKeys: arrayKeys)
        }
    }

    /// Packs a whole message.
    ///
    /// - Parameter request: the number of the request, or of the one that the message answers.
    func message<Message>(
        _ type: String,
        request: UInt64? = nil,
        _ table: MessageTable<Message>,
        of message: Message,
        arrayKeys: ArrayKeys = .binary
    ) {
        begin(type, request: request, fields: table.count(in: message))
        fields(table.fields, of: message, arrayKeys: arrayKeys)
    }

    /// Begins a message of `fields` fields besides the version, the type and the request's number.
    func begin(_ type: String, request: UInt64?, fields: Int) {
        self.message(type, fields: fields + (request == nil ? 0 : 1))
        if let request {
            string("request")
            unsigned(request)
        }
    }
}

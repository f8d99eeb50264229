import Robotics

/// The fields of a message, in the order in which they are packed. Packing, reading and the tables of docs/PROTOCOL.md all
/// follow it.
package struct MessageTable<Message: Sendable>: Sendable {
    package let fields: [MessageField<Message>]
    /// What fields are read into. A field that may be left out, and is, keeps its value.
    private let blank: Message

    /// The fields of messages that are read into `blank`.
    init(_ blank: Message, _ fields: [MessageField<Message>]) {
        self.blank = blank
        self.fields = fields
    }

    /// The fields as the protocol's page describes them.
    package var descriptions: [FieldDescription] { fields.map(\.description) }

    /// Reads a message. Fields that the table does not list are ignored, so that a later minor version may add some.
    ///
    /// - Throws: `MessageError` for the first field in the table's order that cannot be used.
    func read(_ fields: FieldReader) throws(MessageError) -> Message {
        var message = blank
        for field in self.fields { try field.read(fields, &message) }
        return message
    }

    /// The message as a map.
    package func map(of message: Message) -> FieldValue {
        var entries: [FieldValue.Entry] = []
        entries.reserveCapacity(fields.count)
        for field in fields {
            guard let value = field.value(message) else { continue }
            entries.append(.init(name: field.description.name, value: value))
        }
        return .map(entries)
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
    let value: @Sendable (Message) -> FieldValue?
    /// Reads the field into a message.
    let read: @Sendable (FieldReader, inout Message) throws(MessageError) -> Void

    /// A field whose value is computed, or read with regard to other fields.
    ///
    /// - Parameters:
    ///   - value: gives nil only if the field is described as optional.
    ///   - read: also called if the field is left out.
    init(
        _ description: FieldDescription,
        value: @escaping @Sendable (Message) -> FieldValue?,
        read: @escaping @Sendable (FieldReader, inout Message) throws(MessageError) -> Void
    ) {
        self.description = description
        self.value = value
        self.read = read
    }

    /// A field that every message has.
    static func required<Value>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String = ""
    ) -> MessageField {
        MessageField(FieldDescription(name, coding.kind, meaning)) { message in
            coding.value(message[keyPath: path])
        } read: { (fields, message) throws(MessageError) in
            message[keyPath: path] = try coding.read(fields, name)
        }
    }

    /// A field that is left out if the message's value is nil.
    static func optional<Value>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value?> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String
    ) -> MessageField {
        MessageField(FieldDescription(name, coding.kind, isOptional: true, meaning)) { message in
            message[keyPath: path].map(coding.value)
        } read: { (fields, message) throws(MessageError) in
            guard fields.optional(name) != nil else { return }
            message[keyPath: path] = try coding.read(fields, name)
        }
    }

    /// A field that is left out if its list is empty.
    static func unlessEmpty<Value: Collection & Sendable>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String
    ) -> MessageField {
        MessageField(FieldDescription(name, coding.kind, isOptional: true, meaning)) { message in
            let value = message[keyPath: path]
            return value.isEmpty ? nil : coding.value(value)
        } read: { (fields, message) throws(MessageError) in
            guard fields.optional(name) != nil else { return }
            message[keyPath: path] = try coding.read(fields, name)
        }
    }

    /// A field that every message has but those of earlier daemons.
    static func added<Value>(
        _ name: String,
        _ path: WritableKeyPath<Message, Value> & Sendable,
        _ coding: FieldCoding<Value>,
        _ meaning: String
    ) -> MessageField {
        MessageField(FieldDescription(name, coding.kind, meaning)) { message in
            coding.value(message[keyPath: path])
        } read: { (fields, message) throws(MessageError) in
            guard fields.optional(name) != nil else { return }
            message[keyPath: path] = try coding.read(fields, name)
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

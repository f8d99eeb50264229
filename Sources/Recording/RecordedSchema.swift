import Robotics
import StrictJSON
import Wire

/// The JSON Schema of a value in a recording.
///
/// Viewers read only plain schemas. Those of Foxglove and Lichtblick drop a whole channel whose schema has a value of several types
/// or a list of lists, and show nothing of an object that does not list its properties, or drop that too. Here a value has one type
/// and an object lists its properties; a list of lists is a programming error.
package indirect enum RecordedSchema: Sendable {
    case string
    /// Bytes, as text in base64, which viewers turn into bytes.
    case base64
    /// A time, as ``Foxglove`` has it.
    case time
    /// One of these texts.
    case choice([String])
    case boolean
    /// A whole number from 0 up.
    case unsigned
    case number
    case list(of: RecordedSchema)
    /// `others` is the schema of every member that `properties` does not list; nil: there are no such members.
    case object(_ properties: [Property], others: RecordedSchema? = nil)

    /// A member of an object.
    package struct Property: Sendable {
        package let name: String
        package let schema: RecordedSchema
        /// Whether some objects lack it.
        package let isOptional: Bool
        /// What it means, in plain text; may be empty.
        package let meaning: String

        package init(
            _ name: String,
            _ schema: RecordedSchema,
            isOptional: Bool = false,
            meaning: String = ""
        ) {
            self.name = name
            self.schema = schema
            self.isOptional = isOptional
            self.meaning = meaning
        }
    }

    /// A list of numbers; for several rows of them, the rows one after the other.
    package static let numbers = list(of: .number)

    /// The text of the schema of whole messages.
    package func text(title: String) -> String {
        let bytes = JSONBuilder.object { schema in
            schema.member("$schema", "https://json-schema.org/draft/2020-12/schema")
            schema.member("title", title)
            write(to: &schema)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(to schema: inout JSONBuilder) {
        switch self {
        case .string: schema.member("type", "string")
        case .base64:
            schema.member("type", "string")
            schema.member("contentEncoding", "base64")
        case .time: Foxglove.writeTimeSchema(to: &schema)
        case .choice(let texts):
            schema.member("type", "string")
            schema.member("enum", texts)
        case .boolean: schema.member("type", "boolean")
        case .unsigned:
            schema.member("type", "integer")
            schema.member("minimum", 0)
        case .number: schema.member("type", "number")
        case .list(let items):
            if case .list = items { preconditionFailure("viewers read no lists of lists") }
            schema.member("type", "array")
            schema.member("items") { items.write(to: &$0) }
        case .object(let properties, let others):
            schema.member("type", "object")
            schema.member("properties") { members in
                for property in properties {
                    members.member(property.name) { member in
                        property.schema.write(to: &member)
                        if !property.meaning.isEmpty { member.member("description", property.meaning) }
                    }
                }
            }
            schema.member("required", properties.filter { !$0.isOptional }.map(\.name))
            if let others {
                schema.member("additionalProperties") { others.write(to: &$0) }
            } else {
                schema.member("additionalProperties", false)
            }
        }
    }
}

extension RecordedSchema {
    /// The values of an observation, by feature.
    ///
    /// - Parameter policy: whose features they are; nil: any.
    package static func features(of policy: PolicyDescription?) -> RecordedSchema {
        guard let policy else { return .object([], others: .numbers) }
        return .object(policy.features.map { Property($0.name, .numbers) })
    }

    /// The numbers of an observation's frames, by camera.
    ///
    /// - Parameter policy: whose cameras they are; nil: any.
    private static func frameNumbers(of policy: PolicyDescription?) -> RecordedSchema {
        guard let policy else { return .object([], others: .unsigned) }
        return .object(policy.cameras.map { Property($0.name, .unsigned) })
    }

    /// The schema of a map with these fields, as it is recorded.
    ///
    /// - Parameter policy: whose observations they hold; nil: any.
    init(_ fields: [FieldDescription], policy: PolicyDescription?) {
        self = .object(
            RecordedForm.fields(fields).map { field in
                Property(
                    field.name,
                    RecordedSchema(field, policy: policy),
                    isOptional: field.isOptional,
                    meaning: field.meaning.withoutLinks
                )
            }
        )
    }

    private init(_ field: FieldDescription, policy: PolicyDescription?) {
        switch field.kind {
        case .bool: self = .boolean
        case .integer, .unsigned: self = .unsigned
        case .float: self = .number
        case .string, .robot, .episode: self = .string
        case .choice(let texts): self = .choice(texts)
        case .strings: self = .list(of: .string)
        case .rows, .floatRows, .floatArray: self = .numbers
        case .observation: self = .features(of: policy)
        case .observations: self = .list(of: .features(of: policy))
        case .counters: self = .named(.unsigned, by: field.name)
        case .frameNumbers: self = .frameNumbers(of: policy)
        case .frameNumbersList: self = .list(of: .frameNumbers(of: policy))
        case .map(let fields): self = RecordedSchema(fields, policy: policy)
        case .maps(let fields): self = .named(RecordedSchema(fields, policy: policy), by: field.name)
        case .list(let fields): self = .list(of: RecordedSchema(fields, policy: policy))
        }
    }

    /// The names of members whose names depend on what the daemon has done: viewers show those that are listed.
    private static let knownNames = [
        "latency_ns": DaemonStatistics.stages,
        "rejected_messages": MessageError.Code.allCases.map(\.rawValue),
    ]

    /// An object of members of one form.
    private static func named(_ member: RecordedSchema, by field: String) -> RecordedSchema {
        let known = (knownNames[field] ?? []).sorted()
        return .object(known.map { Property($0, member, isOptional: true) }, others: member)
    }
}

extension String {
    /// Markdown whose links are their text alone: what they lead to is not in a recording.
    fileprivate var withoutLinks: String { replacing(/\[([^\]]*)\]\([^)]*\)/) { String($0.output.1) } }
}

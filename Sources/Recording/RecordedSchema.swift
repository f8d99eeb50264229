import Foundation
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

        package init(_ name: String, _ schema: RecordedSchema, isOptional: Bool = false) {
            self.name = name
            self.schema = schema
            self.isOptional = isOptional
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
                    members.member(property.name) { property.schema.write(to: &$0) }
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

    /// The daemon's statistics: a property for each counter that `DaemonStatistics` encodes.
    package static let statistics: RecordedSchema = {
        var example = DaemonStatistics()
        for stage in DaemonStatistics.stages {
            example.latencyNs[stage] = .init(count: 0, p50: 0, p90: 0, p99: 0, max: 0)
        }
        for code in MessageError.Code.allCases { example.rejectedMessages[code.rawValue] = 0 }
        guard case .object(let members)? = try? JSONValue(parsing: Array(JSONEncoder().encode(example)))
        else { preconditionFailure("statistics are encoded as an object") }
        return .object(
            members.members.sorted { $0.name < $1.name }.map { name, value in
                guard case .object(let entries) = value else { return Property(name, .unsigned) }
                return Property(name, counters(by: entries))
            }
        )
    }()

    /// An object of counters, or of latencies, whose names depend on what the daemon has done.
    private static func counters(by entries: JSONObject) -> RecordedSchema {
        var entry = RecordedSchema.unsigned
        if case .object(let figures)? = entries.members.first?.value {
            entry = .object(figures.members.map(\.name).sorted().map { Property($0, .unsigned) })
        }
        let known = entries.members.map(\.name).sorted().map { Property($0, entry, isOptional: true) }
        return .object(known, others: entry)
    }
}

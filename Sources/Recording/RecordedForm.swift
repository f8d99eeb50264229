import Robotics
import StrictJSON
import Wire

/// How the fields of a message lie in a recording. Most are JSON as they are; what follows is different, because JSON or the viewers
/// of recordings have no form for it:
///
/// - An episode's id is text, in `episode`; `episode_type` says which it was of the integer 5 and the text "5".
/// - Actions are one list of numbers, one action after the other; `action_dim`, in the same object, is how many numbers each has.
/// - A number that is not finite is left out.
///
/// Format 1 had an episode's id as a number or a string, and actions as lists of lists. It is read as well.
enum RecordedForm {
    /// Comes after each field of ``FieldKind/episode``.
    private static let episodeType = "episode_type"
    /// Comes once with fields of actions.
    private static let actionDim = "action_dim"

    private enum EpisodeType: String, CaseIterable { case integer, string }

    /// The fields as a recording has them.
    static func fields(_ fields: [FieldDescription]) -> [FieldDescription] {
        var recorded: [FieldDescription] = []
        for field in fields {
            switch field.kind {
            case .episode:
                recorded += [
                    FieldDescription(field.name, .string, isOptional: field.isOptional, field.meaning),
                    FieldDescription(
                        episodeType,
                        .choice(EpisodeType.allCases.map(\.rawValue)),
                        isOptional: field.isOptional,
                        "which it was: the integer 5 and the text \"5\" are two episodes"
                    ),
                ]
            default: recorded.append(field)
            }
        }
        let actions = fields.filter(\.kind.isActions)
        if !actions.isEmpty {
            let isOptional = actions.allSatisfy(\.isOptional)
            let meaning = "how many numbers each action has; actions lie in a list one after the other"
            recorded.append(FieldDescription(actionDim, .integer, isOptional: isOptional, meaning))
        }
        return recorded
    }

    /// Writes the entries of a message as the members of an object.
    static func write(_ entries: [FieldValue.Entry], to object: inout JSONBuilder) {
        var actionDim: Int?
        for entry in entries {
            let name = entry.name
            switch entry.value {
            case .bool(let flag): object.member(name, flag)
            case .integer(let number): object.member(name, number)
            case .unsigned(let number): object.member(name, number)
            case .float(let number): if number.isFinite { object.member(name, number) }
            case .string(let text): object.member(name, text)
            case .strings(let texts): object.member(name, texts)
            case .array(let numbers, let shape):
                object.member(name, numbers)
                if shape.count == 2 { actionDim = shape[1] }
            case .frame(let frame): object.member(name) { $0.member("frame", frame.number) }
            case .episode(let episode):
                object.member(name, episode.description)
                let type: EpisodeType = if case .number = episode { .integer } else { .string }
                object.member(episodeType, type.rawValue)
            case .map(let entries): object.member(name) { write(entries, to: &$0) }
            case .list(let maps): object.member(name, objects: maps) { write($1, to: &$0) }
            }
        }
        if let actionDim { object.member(Self.actionDim, actionDim) }
    }

    /// A recorded message as it would be unpacked.
    ///
    /// - Parameter fields: the message's fields, as it is packed.
    /// - Throws: `MessageError` for an episode's id or actions that are none, and for a string with control characters, which
    ///   would reach the terminal of whoever replays.
    static func message(
        _ object: JSONObject,
        fields: [FieldDescription]
    ) throws(MessageError) -> MessagePackMap {
        let kinds = Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.kind) })
        var map = MessagePackMap()
        for (name, value) in object.members {
            let value: MessagePackValue =
                switch kinds[name] {
                case .episode?: try episode(value, name: name, type: object[episodeType])
                case .rows?, .floatRows?: try actions(value, name: name, actionDim: object[actionDim])
                default: try packed(value, path: name)
                }
            map.appendNew(name, value)
        }
        return map
    }

    private static func episode(
        _ value: JSONValue,
        name: String,
        type: JSONValue?
    ) throws(MessageError) -> MessagePackValue {
        guard let type else { return try packed(value, path: name) }
        guard case .string(let text) = type, let type = EpisodeType(rawValue: text) else {
            let choices = EpisodeType.allCases.map(\.rawValue).joined(separator: ", ")
            throw wrong(episodeType, type, "one of \(choices)")
        }
        switch (type, value) {
        case (.integer, .string(let text)):
            // As it was written: no sign and no zeros in front.
            guard let number = UInt64(text), "\(number)" == text else { fallthrough }
            return .unsigned(number)
        case (.integer, _): throw wrong(name, value, "the text of an integer from 0 to \(UInt64.max)")
        case (.string, .string): return try packed(value, path: name)
        case (.string, _): throw wrong(name, value, "an episode's name")
        }
    }

    /// The rows of actions that lie in one list.
    private static func actions(
        _ value: JSONValue,
        name: String,
        actionDim: JSONValue?
    ) throws(MessageError) -> MessagePackValue {
        guard case .array(let numbers) = value else { throw wrong(name, value, "a list of numbers") }
        // Nothing to divide into rows, or rows already.
        if numbers.isEmpty { return .array([]) }
        if case .array? = numbers.first { return try packed(value, path: name) }
        guard let actionDim else {
            throw MessageError(.missingField, field: Self.actionDim, "the field is missing")
        }
        guard case .integer(let count) = actionDim, count > 0 else {
            throw wrong(Self.actionDim, actionDim, "an integer from 1 up")
        }
        guard numbers.count.isMultiple(of: count) else {
            throw MessageError(
                .badArray,
                field: name,
                "found \(numbers.count) numbers, expected whole actions of action_dim \(count)"
            )
        }
        var rows: [MessagePackValue] = []
        for start in stride(from: 0, to: numbers.count, by: count) {
            rows.append(try packed(.array(Array(numbers[start..<start + count])), path: name))
        }
        return .array(rows)
    }

    private static func packed(_ value: JSONValue, path: String) throws(MessageError) -> MessagePackValue {
        switch value {
        case .null: return .null
        case .boolean(let flag): return .bool(flag)
        case .integer(let number):
            return number < 0 ? .negative(Int64(number)) : .unsigned(UInt64(number))
        case .unsigned(let number): return .unsigned(number)
        case .number(let number): return .float(number)
        case .string(let text):
            guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
                throw wrong(path, value, "a string without control characters")
            }
            return .string(text)
        case .array(let values):
            var elements: [MessagePackValue] = []
            elements.reserveCapacity(values.count)
            for value in values { elements.append(try packed(value, path: path)) }
            return .array(elements)
        case .object(let object):
            var map = MessagePackMap()
            for (name, value) in object.members {
                map.appendNew(name, try packed(value, path: "\(path).\(name.inOneLine)"))
            }
            return .map(map)
        }
    }

    private static func wrong(_ field: String, _ found: JSONValue, _ expected: String) -> MessageError {
        MessageError(.wrongType, field: field, "found \(found.summary), expected \(expected)")
    }
}

extension FieldKind {
    fileprivate var isActions: Bool {
        switch self {
        case .rows, .floatRows: true
        default: false
        }
    }
}

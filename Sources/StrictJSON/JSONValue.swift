/// A JSON document as it is written: object members keep their order, whole numbers stay exact.
///
/// Foundation's parsers keep one of two equal keys without a word, which would let a header or a configuration
/// say two things at once; the parser here refuses that, as it refuses everything else RFC 8259 does.
package enum JSONValue: Sendable, Equatable {
    case null
    case boolean(Bool)
    /// A number written without fraction or exponent that fits in 64 bits with a sign.
    case integer(Int)
    /// A number written without fraction or exponent from 2^63 to 2^64 - 1.
    case unsigned(UInt64)
    /// Any other number. Always finite.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// What the value is, short enough for one line of an error message.
    package var summary: String {
        switch self {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .unsigned(let value): String(value)
        case .number(let value): String(value)
        case .string(let value): value.quoted
        case .array(let values):
            values.count <= 8
                ? "[" + values.map(\.summary).joined(separator: ", ") + "]" : "a list of \(values.count)"
        case .object(let object): object.isEmpty ? "{}" : "an object of \(object.members.count) members"
        }
    }
}

/// The members of a JSON object, in the order they are written, each name once.
package struct JSONObject: Sendable, Equatable {
    package fileprivate(set) var members: [(name: String, value: JSONValue)] = []
    private var positions: [String: Int] = [:]

    package var isEmpty: Bool { members.isEmpty }

    package subscript(name: String) -> JSONValue? { positions[name].map { members[$0].value } }

    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.members.elementsEqual(right.members) { $0.name == $1.name && $0.value == $1.value }
    }

    /// False if the name is there already.
    fileprivate mutating func append(_ name: String, _ value: JSONValue) -> Bool {
        guard positions.updateValue(members.count, forKey: name) == nil else { return false }
        members.append((name, value))
        return true
    }
}

extension String {
    /// The string in quotation marks with control characters and line breaks escaped, cut after 120 characters: text from
    /// a file must not be able to forge a line of a log.
    package var quoted: String {
        var text = "\""
        // Scalars, because what people see as one character may have any number of them.
        for (index, scalar) in unicodeScalars.enumerated() {
            guard index < 120 else { return text + "\"..." }
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.breaksLines:
                text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    /// The string with `?` in the place of control characters and line breaks.
    package var inOneLine: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.breaksLines ? "?" : $0 }))
    }

    /// Whether the string may stand in a line of a log as it is: short, and without control characters and line breaks.
    package var isPlain: Bool {
        utf8.count <= 120 && !unicodeScalars.contains(where: \.breaksLines)
    }

    /// Whether the string names a safetensors file in the same folder. A name with a folder in it could make the daemon read
    /// anywhere on the disk.
    package var isSafetensorsFileName: Bool {
        // Bytes, because to Swift a slash with an accent on it is no slash.
        isPlain && !utf8.contains(UInt8(ascii: "/")) && utf8.first != UInt8(ascii: ".")
            && hasSuffix(".safetensors")
    }
}

extension Unicode.Scalar {
    /// Whether the scalar could break a line of a log, or hide what follows.
    fileprivate var breaksLines: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}

/// Why a text is not acceptable JSON.
package struct JSONSyntaxError: Error, Equatable {
    package enum Reason: Sendable { case syntax, duplicateName }
    package var reason: Reason
    /// Offset of the offending byte from the start of the text.
    package var offset: Int
    /// What is wrong there.
    package var problem: String

    package init(reason: Reason, offset: Int, problem: String) {
        self.reason = reason
        self.offset = offset
        self.problem = problem
    }
}

extension JSONValue {
    /// Parses a whole document.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8 text.
    ///   - maximumValues: the most values the document may hold, which bounds the memory that parsing takes.
    package init(parsing bytes: [UInt8], maximumValues: Int = 1_000_000) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes: bytes, remainingValues: maximumValues)
        self = try parser.document()
    }
}

private struct JSONParser {
    /// Deeper documents than any checkpoint has; bounds the recursion.
    static let maximumDepth = 32

    let bytes: [UInt8]
    var remainingValues: Int
    var position = 0

    mutating func document() throws(JSONSyntaxError) -> JSONValue {
        skipWhitespace()
        let value = try self.value(depth: 0)
        skipWhitespace()
        guard position == bytes.count else { throw error("text after the end of the document") }
        return value
    }

    func error(_ problem: String, at offset: Int? = nil) -> JSONSyntaxError {
        JSONSyntaxError(reason: .syntax, offset: offset ?? position, problem: problem)
    }

    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            position += 1
        }
    }

    mutating func expect(_ character: Character) throws(JSONSyntaxError) {
        guard let byte = current, byte == character.asciiValue else { throw error("expected '\(character)'") }
        position += 1
    }

    mutating func accept(_ character: Character) -> Bool {
        guard let byte = current, byte == character.asciiValue else { return false }
        position += 1
        return true
    }

    mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        for character in "\(word)".utf8 {
            guard current == character else { throw error("expected \(word)") }
            position += 1
        }
        return value
    }

    mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        guard depth < Self.maximumDepth else { throw error("nested deeper than \(Self.maximumDepth)") }
        guard remainingValues > 0 else { throw error("more values than are read") }
        remainingValues -= 1
        switch current {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .boolean(true))
        case UInt8(ascii: "f"): return try literal("false", .boolean(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"): return try number()
        case .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
        case nil: throw error("the text ends where a value should be")
        default: throw error("not the start of a JSON value")
        }
    }

    mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONObject {
        try expect("{")
        var object = JSONObject()
        skipWhitespace()
        if accept("}") { return object }
        while true {
            skipWhitespace()
            let start = position
            let name = try string()
            skipWhitespace()
            try expect(":")
            skipWhitespace()
            let value = try self.value(depth: depth + 1)
            guard object.append(name, value) else {
                throw JSONSyntaxError(
                    reason: .duplicateName,
                    offset: start,
                    problem: "the name \(name.quoted) occurs twice in one object"
                )
            }
            skipWhitespace()
            if accept("}") { return object }
            try expect(",")
        }
    }

    mutating func array(depth: Int) throws(JSONSyntaxError) -> [JSONValue] {
        try expect("[")
        var values: [JSONValue] = []
        skipWhitespace()
        if accept("]") { return values }
        while true {
            skipWhitespace()
            values.append(try value(depth: depth + 1))
            skipWhitespace()
            if accept("]") { return values }
            try expect(",")
        }
    }

    mutating func string() throws(JSONSyntaxError) -> String {
        try expect("\"")
        let start = position
        var text: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw error("the string is not UTF-8", at: start)
                }
                return string
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            case 0..<0x20: throw error("a control character in a string")
            default:
                text.append(byte)
                position += 1
            }
        }
        throw error("the text ends inside a string")
    }

    mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = current else { throw error("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            let start = position
            var code = try fourHexDigits()
            if (0xD800..<0xDC00).contains(code) {
                guard accept("\\"), accept("u") else { throw error("half a surrogate pair", at: start) }
                let low = try fourHexDigits()
                guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair", at: start) }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair", at: start) }
            text.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
        default: throw error("an unknown escape", at: position - 1)
        }
    }

    mutating func fourHexDigits() throws(JSONSyntaxError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80
            else {
                throw error("expected four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw error("expected a digit") }
    }

    mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = position
        _ = accept("-")
        if !accept("0") { try digits() }
        var isWhole = true
        if accept(".") {
            isWhole = false
            try digits()
        }
        if accept("e") || accept("E") {
            isWhole = false
            if !accept("+") { _ = accept("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole {
            if let integer = Int(text) { return .integer(integer) }
            if let unsigned = UInt64(text) { return .unsigned(unsigned) }
        }
        guard let number = Double(text), number.isFinite else {
            throw error("a number out of range", at: start)
        }
        return .number(number)
    }
}

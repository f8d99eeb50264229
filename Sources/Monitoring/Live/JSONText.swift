/// JSON as it is written, piece by piece. It has no line breaks, so that it is one line of an event stream.
struct JSONText {
    /// The text so far.
    private(set) var text = ""
    private var needsComma = false

    /// The text of an object.
    static func object(_ fill: (inout JSONText) -> Void) -> String {
        var json = JSONText()
        json.object(fill)
        return json.text
    }

    /// Writes an object, whose members `fill` writes.
    mutating func object(_ fill: (inout JSONText) -> Void) { nest("{", "}", fill) }

    /// Writes an array, whose elements `fill` writes.
    mutating func array(_ fill: (inout JSONText) -> Void) { nest("[", "]", fill) }

    /// Writes the name of a member; its value comes next.
    mutating func name(_ name: String) {
        separate()
        quote(name)
        text += ":"
        needsComma = false
    }

    mutating func value(_ value: String) {
        separate()
        quote(value)
    }

    mutating func value(_ value: Bool) { raw(value ? "true" : "false") }

    mutating func value(_ value: some FixedWidthInteger) { raw(String(value)) }

    /// Writes a number, or null if JSON has no form for it.
    mutating func value(_ value: Float) { raw(value.isFinite ? "\(value)" : "null") }

    /// Writes a number, or null if JSON has no form for it.
    mutating func value(_ value: Double) { raw(value.isFinite ? "\(value)" : "null") }

    mutating func null() { raw("null") }

    /// Writes numbers as an array.
    mutating func value(_ values: [Float]) {
        array { json in for value in values { json.value(value) } }
    }

    /// Writes texts as an array.
    mutating func value(_ values: [String]) {
        array { json in for value in values { json.value(value) } }
    }

    private mutating func raw(_ word: String) {
        separate()
        text += word
    }

    private mutating func nest(_ open: String, _ close: String, _ fill: (inout JSONText) -> Void) {
        separate()
        text += open
        needsComma = false
        fill(&self)
        text += close
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { text += "," }
        needsComma = true
    }

    private mutating func quote(_ string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            // The others that break a line, for JSON, an event stream or JavaScript.
            case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

extension JSONText {
    mutating func member(_ name: String, _ value: String) {
        self.name(name)
        self.value(value)
    }

    mutating func member(_ name: String, _ value: Bool) {
        self.name(name)
        self.value(value)
    }

    mutating func member(_ name: String, _ value: some FixedWidthInteger) {
        self.name(name)
        self.value(value)
    }

    mutating func member(_ name: String, _ value: Double) {
        self.name(name)
        self.value(value)
    }

    mutating func member(_ name: String, _ values: [Float]) {
        self.name(name)
        value(values)
    }

    mutating func member(_ name: String, _ values: [String]) {
        self.name(name)
        value(values)
    }

    /// A time in whole microseconds.
    mutating func microseconds(_ name: String, _ nanoseconds: UInt64) { member(name, nanoseconds / 1000) }

    /// Counts, by name.
    mutating func member(_ name: String, _ counts: [String: UInt64]) {
        self.name(name)
        object { json in
            for (key, count) in counts.sorted(by: { $0.key < $1.key }) { json.member(key, count) }
        }
    }
}

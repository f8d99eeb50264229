/// Writes JSON text. Whole numbers are written in full; a 32-bit float reads back as itself, also by way of a double.
public struct JSONBuilder: Sendable {
    /// The text so far, in UTF-8.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// No text.
    public init() {}

    /// The text of one object whose members `fill` adds.
    public static func object(_ fill: (inout JSONBuilder) -> Void) -> [UInt8] {
        var builder = JSONBuilder()
        builder.object(fill)
        return builder.bytes
    }

    /// Adds an object to an array, or as the whole text.
    public mutating func object(_ fill: (inout JSONBuilder) -> Void) { nested("{", "}", fill) }

    /// A member that is an object.
    public mutating func member(_ name: String, _ fill: (inout JSONBuilder) -> Void) {
        self.name(name)
        object(fill)
    }

    /// A member that is a string.
    public mutating func member(_ name: String, _ text: String) {
        self.name(name)
        string(text)
        needsComma = true
    }

    /// A member that is true or false.
    public mutating func member(_ name: String, _ flag: Bool) { literal(name, flag ? "true" : "false") }

    /// A member that is a whole number from 0 up.
    public mutating func member(_ name: String, _ number: UInt64) { literal(name, "\(number)") }

    /// A member that is a whole number.
    public mutating func member(_ name: String, _ number: Int) { literal(name, "\(number)") }

    /// A member that is a number; null if it is not finite, which JSON cannot say.
    public mutating func member(_ name: String, _ number: Double) {
        literal(name, number.isFinite ? "\(number)" : "null")
    }

    /// A member that is JSON already.
    public mutating func member(_ name: String, json: [UInt8]) {
        self.name(name)
        bytes += json
        needsComma = true
    }

    /// A member that is a list of numbers; null for one that is not finite.
    public mutating func member(_ name: String, _ numbers: [Float]) {
        self.name(name)
        list(numbers[...])
    }

    /// A member that is a list of strings.
    public mutating func member(_ name: String, _ texts: [String]) {
        self.name(name)
        nested("[", "]") { list in
            for text in texts {
                list.separate()
                list.string(text)
                list.needsComma = true
            }
        }
    }

    /// A member that is a list of objects.
    public mutating func member<Element>(
        _ name: String,
        objects elements: [Element],
        _ fill: (inout JSONBuilder, Element) -> Void
    ) {
        self.name(name)
        nested("[", "]") { list in
            for element in elements { list.object { fill(&$0, element) } }
        }
    }

    private mutating func nested(
        _ start: Unicode.Scalar,
        _ end: Unicode.Scalar,
        _ fill: (inout JSONBuilder) -> Void
    ) {
        separate()
        bytes.append(UInt8(ascii: start))
        needsComma = false
        fill(&self)
        bytes.append(UInt8(ascii: end))
        needsComma = true
    }

    private mutating func list(_ numbers: ArraySlice<Float>) {
        nested("[", "]") { list in
            for number in numbers {
                list.separate()
                list.bytes.append(contentsOf: Self.text(number).utf8)
                list.needsComma = true
            }
        }
    }

    /// The shortest text that reads back as the number. If a reader that goes through a double would round twice, to
    /// another number, the double in full.
    private static func text(_ number: Float) -> String {
        guard number.isFinite else { return "null" }
        let text = number.description
        if let double = Double(text), Float(double) == number { return text }
        return Double(number).description
    }

    private mutating func literal(_ name: String, _ text: String) {
        self.name(name)
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func name(_ name: String) {
        separate()
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func string(_ text: String) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20: bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

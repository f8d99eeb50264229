import Foundation
import Harness

@testable import StrictJSON

/// JSON documents. What is accepted reads the same when it is written out, and is JSON for Foundation too.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    do throws(JSONSyntaxError) {
        let value = try JSONValue(parsing: bytes)
        var text = ""
        write(value, to: &text)
        do throws(JSONSyntaxError) {
            require(try JSONValue(parsing: Array(text.utf8)) == value, "\(text) reads as something else")
        } catch {
            require(false, "\(text) is refused: \(error.problem)")
        }
        require(
            (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil,
            "Foundation refuses \(text)"
        )
        require(value.summary.utf8.count <= 1 << 16, "a summary of \(value.summary.utf8.count) bytes")
    } catch {
        require(
            (0...bytes.count).contains(error.offset),
            "an error at byte \(error.offset) of \(bytes.count)"
        )
        require(!error.problem.isEmpty, "an error without text")
    }
    return 0
}

private func write(_ value: JSONValue, to text: inout String) {
    switch value {
    case .null: text += "null"
    case .boolean(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    case .unsigned(let value): text += "\(value)"
    case .number(let value):
        require(value.isFinite, "the number \(value)")
        // Not as a whole number, which would read as an integer.
        let digits = "\(value)"
        text += digits.contains { ".e".contains($0) } ? digits : digits + "e0"
    case .string(let value): write(value, to: &text)
    case .array(let values):
        text += "["
        for (index, value) in values.enumerated() {
            if index > 0 { text += "," }
            write(value, to: &text)
        }
        text += "]"
    case .object(let object):
        text += "{"
        for (index, member) in object.members.enumerated() {
            require(object[member.name] == member.value, "the member \(member.name) is not found")
            if index > 0 { text += "," }
            write(member.name, to: &text)
            text += ":"
            write(member.value, to: &text)
        }
        text += "}"
    }
}

private func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
        switch scalar {
        case "\"", "\\": text += "\\\(scalar)"
        case "\u{0}"..<" ":
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }
    text += "\""
}

import Foundation
import Testing

@testable import StrictJSON

@Suite struct JSONBuilderTests {
    private static func text(_ fill: (inout JSONBuilder) -> Void) -> String {
        String(decoding: JSONBuilder.object(fill), as: UTF8.self)
    }

    @Test func everyKindOfMember() {
        let text = Self.text { object in
            object.member("text", "a \"b\" \\ \n\u{1} é")
            object.member("yes", true)
            object.member("large", UInt64.max)
            object.member("small", -3)
            object.member("half", 0.5)
            object.member("none", Double.nan)
            object.member("list", [1, -0.25, .infinity])
            object.member("empty", [Float]())
            object.member("texts", ["a", "\""])
            object.member("no_texts", [String]())
            object.member("inner") { $0.member("x", 1) }
            object.member("objects", objects: [1, 2]) { $0.member("n", $1) }
        }
        #expect(
            text
                == #"{"text":"a \"b\" \\ \u000a\u0001 é","yes":true,"large":18446744073709551615,"small":-3,"half":0.5,"#
                + #""none":null,"list":[1.0,-0.25,null],"empty":[],"texts":["a","\""],"no_texts":[],"#
                + #""inner":{"x":1},"objects":[{"n":1},{"n":2}]}"#
        )
    }

    /// By way of a double, as most JSON readers go.
    @Test func floatsReadBackAsThemselves() throws {
        var generator = SystemRandomNumberGenerator()
        var numbers = [Float.leastNonzeroMagnitude, .greatestFiniteMagnitude, -0.0, 0.1, 1e-5, 16_777_216]
        while numbers.count < 50_000 {
            let number = Float(bitPattern: generator.next())
            if number.isFinite { numbers.append(number) }
        }
        let text = Self.text { $0.member("n", numbers) }
        let parts = text.dropFirst(#"{"n":["#.count).dropLast(2).split(separator: ",")
        try #require(parts.count == numbers.count)
        for (part, number) in zip(parts, numbers) {
            let double = try #require(Double(part))
            #expect(Float(double).bitPattern == number.bitPattern, "\(part)")
        }
    }
}

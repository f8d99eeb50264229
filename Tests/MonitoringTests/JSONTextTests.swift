import Foundation
import Testing

@testable import Monitoring

@Suite struct JSONTextTests {
    @Test func valuesAreSeparated() {
        let text = JSONText.object { json in
            json.member("a", 1)
            json.name("b")
            json.array { json in
                json.value(true)
                json.null()
                json.object { _ in }
                json.value([Float]())
            }
            json.member("c", ["x", "y"])
            json.member("d", [0.5, -1e20] as [Float])
            json.microseconds("e", 1999)
        }
        #expect(text == #"{"a":1,"b":[true,null,{},[]],"c":["x","y"],"d":[0.5,-1e+20],"e":1}"#)
    }

    @Test func numbersThatJSONLacksAreNull() {
        let text = JSONText.object { json in
            json.member("a", [.nan, .infinity, -.infinity, 1] as [Float])
            json.member("b", Double.nan)
        }
        #expect(text == #"{"a":[null,null,null,1.0],"b":null}"#)
    }

    @Test func everyTextComesBackAndBreaksNoLine() throws {
        var texts = ["<script>alert(1)</script>", "\"\\\r\n\t/", "é\u{2028}\u{2029}\u{85}", "\u{1f916}", ""]
        texts += (0..<160).map { String(UnicodeScalar($0)) }
        let json = JSONText.object { $0.member("texts", texts) }
        #expect(!json.unicodeScalars.contains { $0.value < 32 || $0.value == 0x85 || $0.value == 0x2028 })
        let read = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: [String]]
        #expect(read?["texts"] == texts)
    }
}

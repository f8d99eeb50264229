import Foundation
import Testing

@testable import StrictYAML

@Suite struct StrictYAMLTests {
    private static func refusal(_ text: String) -> YAMLRefusal? {
        do throws(YAMLRefusal) {
            _ = try StrictYAML.value(of: text)
            return nil
        } catch {
            return error
        }
    }

    @Test func aValueHasItsMembersAndTheirLines() throws {
        let value = try #require(
            try StrictYAML.value(of: "\u{FEFF}# a comment\na: 1\n\nb:\n  - c\n  - d: e\n")
        )
        let members = try #require(value.members)
        #expect(members.names == ["a", "b"])
        #expect(members.lines == [2, 4])
        #expect(members["a"]?.wholeNumber == 1)
        let list = try #require(members["b"]?.elements)
        #expect(list.map(\.line) == [5, 6])
        #expect(members["c"] == nil)
    }

    @Test(arguments: ["", "# nothing\n", "\n\n"])
    func aTextWithoutAValueIsNone(text: String) throws {
        #expect(try StrictYAML.value(of: text) == nil)
    }

    @Test(arguments: [
        ("a: 1\nb: *x", 2, "anchors and aliases"),
        ("a: 1\r\nb: 2\r\nc: &x 3", 3, "anchors and aliases"),
        ("a:\n  - " + String(repeating: "[", count: 20), 2, "nested deeper than 16"),
        ("a: 1\n\tb: 2", 2, "not YAML"),
        ("a: 1\nb: c: d", 2, "not YAML: mapping values are not allowed in this context"),
        ("a: [1,\nb: 2", 3, "not YAML"),
        ("s:\n  b: 1\n  b: 2", 2, "b: given twice in one mapping, expected once"),
        ("a: 1\n---\na: 2", 2, "not YAML"),
    ])
    func aRefusalHasTheLine(text: String, line: Int, part: String) throws {
        let refusal = try #require(Self.refusal(text))
        #expect(refusal.line == line, "\(refusal)")
        #expect(refusal.message.contains(part), "\(refusal)")
        let isOneLine = refusal.message.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control
        }
        #expect(isOneLine, "\(refusal)")
    }

    /// A wildcard port is no alias: no name follows.
    @Test(arguments: [
        "tcp://127.0.0.1:*", "tcp://[::1]:*", "\"tcp://[::1]:*\"", "[tcp://a:*, b]", "{c: tcp://a:*}",
    ])
    func anAsteriskMayEndAText(text: String) throws {
        let value = try #require(try StrictYAML.value(of: "a: \(text)\n")?.members?["a"])
        let part = value.text ?? value.elements?.first?.text ?? value.members?["c"]?.text
        #expect(part.map(text.contains) == true, "\(value.summary)")
    }

    @Test(arguments: ["*x", "[*x]", "{\"a\":*x}", "{[a]:&x 1}", "{a: b,*x}", "*é"])
    func anAliasIsRefusedWhereverItIs(text: String) {
        #expect(Self.refusal("a: \(text)")?.message.contains("anchors and aliases") == true)
    }

    @Test func aLongLineIsCutInTheError() throws {
        let refusal = try #require(Self.refusal("a: \"" + String(repeating: "x", count: 60_000)))
        #expect(refusal.message.count < 400, "\(refusal.message.count)")
    }

    @Test func onlyAShortRegularFileIsRead() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func message(_ name: String, _ data: Data?) throws -> String? {
            let file = folder.appending(path: name)
            try data?.write(to: file)
            do throws(YAMLRefusal) {
                _ = try StrictYAML.text(ofFile: file.path(percentEncoded: false))
                return nil
            } catch {
                return error.message
            }
        }
        #expect(try message("good", Data("a: 1".utf8)) == nil)
        #expect(try message("longest", Data(count: StrictYAML.longestFile)) == nil)
        #expect(try message("long", Data(count: StrictYAML.longestFile + 1))?.contains("65536 bytes") == true)
        #expect(try message("latin1", Data([0x61, 0xe4]))?.contains("UTF-8") == true)
        #expect(try message("missing", nil)?.contains("No such file") == true)
        #expect(try message(".", nil)?.contains("a folder, expected a regular file") == true)
    }
}

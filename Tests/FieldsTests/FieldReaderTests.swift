import Fields
import StrictJSON
import Testing

/// Reading of fields, of JSON as an example of a format.
@Suite struct FieldReaderTests {
    struct Text: FieldSource {
        typealias Node = JSONValue

        static var words: FieldWords { .json }
        static var null: FieldNull { .value }

        func failure(_ problem: FieldProblem) -> Failure { Failure(problem: problem) }
    }

    /// As ``Text``, but what is null is an error.
    struct StrictText: FieldSource {
        typealias Node = JSONValue

        static var words: FieldWords { .json }
        static var null: FieldNull { .refused }

        func failure(_ problem: FieldProblem) -> Failure { Failure(problem: problem) }
    }

    struct Failure: Error {
        let problem: FieldProblem
        var text: String { "\(problem.field ?? "the whole"): \(problem.message)" }
    }

    enum Color: String, CaseIterable { case red, green }

    static func reader(_ json: String) throws -> FieldReader<Text> {
        FieldReader(try JSONValue(parsing: Array(json.utf8)), of: Text())
    }

    private static func error(_ json: String, _ read: (FieldReader<Text>) throws -> Void) throws -> String {
        do {
            try read(try reader(json))
            return "accepted"
        } catch let failure as Failure {
            return failure.text
        }
    }

    @Test func whatIsThereIsRead() throws {
        let fields = try Self.reader(
            #"{"s":"x","b":true,"u":18446744073709551615,"n":-1.5,"c":"green","l":["a","b"],"o":{"i":3}}"#
        )
        #expect(fields.names == ["s", "b", "u", "n", "c", "l", "o"])
        #expect(try fields.string("s") == "x")
        #expect(try fields.bool("b"))
        #expect(try fields.unsigned("u") == .max)
        #expect(try fields.number("n") == -1.5)
        #expect(try fields.choice("c") == Color.green)
        #expect(try fields.strings("l") == ["a", "b"])
        #expect(try fields.required("o").required("i").integer(in: 1...3) == 3)
        #expect(try fields.optional("none")?.node == nil)
        #expect(try fields.members().map(\.name) == fields.names)
    }

    static let wrong: [(json: String, text: String, read: @Sendable (FieldReader<Text>) throws -> Void)] = [
        (#"{}"#, "a: the field is missing", { _ = try $0.string("a") }),
        (#"[]"#, "the whole: found [], expected an object", { _ = try $0.string("a") }),
        (#"{"a":1}"#, "a: found 1, expected a string", { _ = try $0.string("a") }),
        (#"{"a":null}"#, "a: found null, expected a string", { _ = try $0.string("a") }),
        (#"{"a":1}"#, "a: found 1, expected true or false", { _ = try $0.bool("a") }),
        (#"{"a":"x"}"#, "a: found \"x\", expected a number", { _ = try $0.number("a") }),
        (#"{"a":"x"}"#, "a: found \"x\", expected an integer from 0 up", { _ = try $0.unsigned("a") }),
        (
            #"{"a":-1}"#, "a: found -1, expected an integer from 0 to 18446744073709551615",
            { _ = try $0.unsigned("a") }
        ),
        (
            #"{"a":9223372036854775808}"#,
            "a: found 9223372036854775808, expected at most 9223372036854775807", { _ = try $0.count("a") }
        ),
        (
            #"{"a":4}"#, "a: found 4, expected an integer from 1 to 3",
            { _ = try $0.required("a").integer(in: 1...3) }
        ),
        (
            #"{"a":"blue"}"#, "a: found \"blue\", expected one of red, green",
            { let _: Color = try $0.choice("a") }
        ),
        (
            #"{"a":{"b":[true,1]}}"#, "a.b[1]: found 1, expected true or false",
            { for flag in try $0.required("a").required("b").elements() { _ = try flag.bool() } }
        ),
        (#"{"a":{}}"#, "a: found {}, expected a list", { _ = try $0.required("a").elements() }),
        (
            #"{"a":[1]}"#, "a: found [1], expected a list of 2",
            { _ = try $0.required("a").elements(2...2) }
        ),
        (#"{"x":1}"#, "x: unknown field, expected one of a, b", { try $0.checkNames(["a", "b"]) }),
        (#"3"#, "the whole: found 3, expected an object of a, b", { try $0.checkNames(["a", "b"]) }),
        (#"{"a\n":1}"#, "a?: found 1, expected a string", { _ = try $0.string("a\n") }),
    ]

    @Test(arguments: wrong.indices)
    func whatIsWrongIsNamed(index: Int) throws {
        let (json, text, read) = Self.wrong[index]
        #expect(try Self.error(json, read) == text)
    }

    @Test func whatNullMeansIsTheSourcesToSay() throws {
        let value = try JSONValue(parsing: Array(#"{"a":null}"#.utf8))
        #expect(try FieldReader(value, of: Text()).optional("a")?.node == .null)
        for read in [{ try $0.optional("a") }, { try $0.required("a") }]
            as [(FieldReader<StrictText>) throws -> FieldReader<StrictText>?]
        {
            let failure = #expect(throws: Failure.self) { try read(FieldReader(value, of: StrictText())) }
            #expect(failure?.text == "a: found no value, expected one, or the field left out")
        }
    }
}

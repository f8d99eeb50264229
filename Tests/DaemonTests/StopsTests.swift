import Foundation
import Testing

@testable import Daemon
@testable import Piloting

@Suite struct StopsTests {
    static func stop(_ reason: String, isFault: Bool = false) -> Stop {
        Stop(isFault: isFault, reason: reason, wallNs: 1_700_000_000_000_000_000)
    }

    static func every() throws -> [Stops] {
        let arm1 = try id("arm1")
        let arm2 = try id("a-r_m.2:x")
        return [
            Stops(),
            Stops(robots: [
                arm1: stop("a stop was requested"), arm2: stop("NaN \"in\" the chunk", isFault: true),
            ]),
            Stops(everyRobot: stop("\u{0} line\nbreak \u{2028} ä 🦾")),
            Stops(everyRobot: stop(""), robots: [arm1: stop("x")], released: [arm2]),
        ]
    }

    @Test(arguments: 0..<4)
    func textReadsBack(index: Int) throws {
        let stops = try Self.every()[index]
        let text = try stops.text()
        #expect(try Stops(text: Array(text)) == stops)
    }

    @Test func textIsForPeople() throws {
        let stops = try Stops(robots: [id("arm1"): Self.stop("a stop was requested")])
        let text = String(decoding: try stops.text(), as: UTF8.self)
        #expect(
            text == """
                {
                  "every_robot" : null,
                  "released" : [

                  ],
                  "robots" : {
                    "arm1" : {
                      "reason" : "a stop was requested",
                      "state" : "stopped",
                      "time" : "2023-11-14T22:13:20Z"
                    }
                  },
                  "version" : 1
                }

                """
        )
    }

    @Test func longReasonsAreCutAndStayOneLine() throws {
        let stop = Self.stop("a\nb" + String(repeating: "x", count: 1000))
        #expect(stop.reason.count == Stop.longestReason)
        #expect(stop.reason.hasPrefix("a bx"))
    }

    private static let entry = #"{"state": "stopped", "reason": "r", "time": "t"}"#

    /// A text with one thing wrong, and what the error names.
    static let damaged: [(text: String, named: String)] = [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "the file"),
        (#"{"version": 1}"#, "every_robot: the field is missing"),
        (#"{"version": 2, "every_robot": null, "robots": {}, "released": []}"#, "version: found 2"),
        (#"{"version": 1, "every_robot": null, "robots": {}, "released": [], "more": 1}"#, "more"),
        (#"{"version": 1, "every_robot": true, "robots": {}, "released": []}"#, "every_robot: found true"),
        (#"{"version": 1, "every_robot": null, "robots": [], "released": []}"#, "robots: found []"),
        (#"{"version": 1, "every_robot": null, "robots": {"arm 1": \#(entry)}, "released": []}"#, "arm 1"),
        (
            #"{"version": 1, "every_robot": null, "robots": {"a": {"state": "stopped"}}, "released": []}"#,
            "reason"
        ),
        (
            #"{"version": 1, "every_robot": null, "robots": {"a": {"state": "idle", "reason": "", "time": ""}}, "released": []}"#,
            "robots.a.state: found \"idle\""
        ),
        (
            #"{"version": 1, "every_robot": null, "robots": {"a": \#(entry), "a": \#(entry)}, "released": []}"#,
            "twice"
        ),
        (#"{"version": 1, "every_robot": null, "robots": {}, "released": ["a"]}"#, "released"),
        (#"{"version": 1, "every_robot": \#(entry), "robots": {}, "released": [1]}"#, "released[0]: found 1"),
        (
            #"{"version": 1, "every_robot": \#(entry), "robots": {"a": \#(entry)}, "released": ["a"]}"#,
            "released"
        ),
    ]

    @Test(arguments: damaged)
    func damageIsNamed(text: String, named: String) throws {
        let damage = #expect(throws: Stops.Damage.self) { try Stops(text: Array(text.utf8)) }
        let problem = try #require(damage?.problem)
        #expect(problem.contains(named), "\(problem)")
        #expect(!problem.contains("\n") && problem.utf8.count < 400)
    }

    @Test func everyBeginningOfATextIsDamaged() throws {
        let text = Array(try Self.every()[3].text())
        // The line break at the end is no part of the document.
        for count in 0..<text.count - 1 {
            #expect(throws: Stops.Damage.self) { try Stops(text: Array(text[..<count])) }
        }
    }
}

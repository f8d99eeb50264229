import Foundation
import Robotics
import Testing

@testable import CameraServers

@Suite struct CameraServerMessageTests {
    private func parse(_ text: String, wanted: Set<String> = ["front"]) throws -> CameraServerMessage {
        try CameraServerMessage(parsing: Array(text.utf8), wanted: wanted)
    }

    @Test func `Pictures that are wanted are taken, with their times`() throws {
        let message = try parse(
            #"{"timestamps": {"front": 1785500000.25, "wrist": 3}, "fps": 30, "#
                + #""images": {"front": "/9j/4AA=", "wrist": "%%"}}"#
        )
        #expect(message.names == ["front", "wrist"])
        #expect(
            message.pictures == [
                "front": .init(jpeg: [0xff, 0xd8, 0xff, 0xe0, 0], timestamp: 1_785_500_000.25)
            ]
        )
    }

    @Test func `A server that has nothing new, or tells no times, is understood`() throws {
        let empty = try parse(#"{"timestamps": {}, "images": {}}"#)
        #expect(empty.pictures.isEmpty && empty.names.isEmpty)
        let timeless = try parse(#"{"images": {"front": "AAEC"}}"#)
        #expect(timeless.pictures["front"] == .init(jpeg: [0, 1, 2], timestamp: nil))
    }

    static let broken: [(text: String, says: String)] = [
        ("", "no JSON: at byte 0, the text ends where a value should be"),
        ("\u{ff}", "no JSON: at byte 0, not the start of a JSON value"),
        (#"{"images": {}"#, "no JSON: at byte 13"),
        (#"{"images": {}, "images": {}}"#, "the name \"images\" occurs twice in one object"),
        ("[1]", "found [1], expected an object with images"),
        ("{}", "images: missing, expected an object of JPEG files in base64, by camera"),
        (#"{"images": null}"#, "images: found null, expected an object, by camera"),
        (#"{"images": {}, "timestamps": 3}"#, "timestamps: found 3, expected an object, by camera"),
        (#"{"images": {"front": 3}}"#, "images.front: found 3, expected a JPEG file in base64"),
        (#"{"images": {"front": ""}}"#, "images.front: found 0 characters that are no base64"),
        (#"{"images": {"front": "AAE"}}"#, "images.front: found 3 characters that are no base64"),
        (#"{"images": {"front": "AA\nEC"}}"#, "images.front: found 5 characters that are no base64"),
        (#"{"images": {"front": "A-_C"}}"#, "images.front: found 4 characters that are no base64"),
        (
            #"{"images": {"front": "AAEC"}, "timestamps": {"front": "now"}}"#,
            "timestamps.front: found \"now\", expected a number of seconds"
        ),
    ]

    @Test(arguments: broken)
    func `What cannot be used is named`(text: String, says: String) throws {
        let error = try #require(throws: MessageError.self) { try parse(text) }
        #expect(error.code == .badCameraMessage)
        #expect("\(error)".contains(says), "\(error)")
    }

    @Test func `A message of many values is refused before it takes memory`() throws {
        let list = Array(repeating: "0", count: 5000).joined(separator: ",")
        let error = try #require(throws: MessageError.self) { try parse("{\"images\": [\(list)]}") }
        #expect("\(error)".contains("more values than are read"), "\(error)")
    }
}

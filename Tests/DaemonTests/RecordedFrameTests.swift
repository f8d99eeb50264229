import Foundation
import Logging
import Pictures
import Robotics
import TestSupport
import Testing

@testable import Daemon
@testable import MCAP
@testable import Planning
@testable import Recording

/// What cameras see, in a recording: which frames, in which form, and what is not taken back in.
@Suite(.timeLimit(.minutes(10))) struct RecordedFrameTests {
    /// What sees through a camera and in no other way.
    static let policy = PolicyDescription(
        name: "eye",
        features: [.init(name: "observation.state", count: 1)],
        cameras: [.init(name: "observation.image", height: 4, width: 6)],
        horizon: 4,
        nObsSteps: 2,
        nActionSteps: 2,
        actionDim: 1
    )
    private static let sampler = ToyPlanner().sampler
    private static let pixels = (0..<72).map { UInt8(3 * $0) }

    /// Numbers that fit ``policy``.
    private static let numbers: [String: [Float]] = ["observation.state": [1]]

    private static func observation(
        _ frames: [String: CameraFrame],
        robot: String = "arm1",
        preceding: [[String: CameraFrame]] = []
    ) throws -> TappedMessage {
        let observation = RobotObservation(
            robot: try id(robot),
            episode: .number(1),
            sequence: 1,
            timeNs: 1,
            values: numbers,
            frames: frames
        )
        return TappedMessage(
            .observation(
                observation,
                preceding: preceding.map { Observation(values: numbers, frames: $0) },
                isRepeat: false,
                receivedNs: 1
            )
        )
    }

    private static func frame(_ byte: UInt8) -> CameraFrame { CameraFrame(.picture([byte], format: .jpeg)) }

    /// Records messages, and reads them back.
    private static func recorded(
        _ messages: [TappedMessage],
        pixelFormat: CameraFrame.Format = .jpeg,
        logger: Logger = LogLines().logger
    ) throws -> [RecordedMessage] {
        let file = RecorderTests.RecordingPath()
        var log = RecordingLog(
            writer: try MCAPWriter(creating: file.path, library: "test"),
            setup: RecorderTests.setup,
            pixelFormat: pixelFormat,
            logger: logger
        )
        log.record(TappedMessage(.started(policies: [ServedPolicy(policy: policy, sampler: sampler)])))
        for message in messages { log.record(message) }
        log.finish()
        let reader = try MCAPReader(file.path)
        var read: [RecordedMessage] = []
        while let message = try reader.next() { read.append(message) }
        #expect(reader.end == .complete)
        return Array(read.dropFirst())
    }

    private static func frames(in messages: [RecordedMessage]) throws -> [RecordedFrame] {
        try messages.compactMap { message in
            guard case .frame(let frame)? = try RecordedEvent(message) else { return nil }
            return frame
        }
    }

    private static func numbers(in messages: [RecordedMessage]) throws -> [RecordedEvent.FrameNumbers] {
        try messages.compactMap { message in
            guard case .observation(_, _, let numbers, _)? = try RecordedEvent(message) else { return nil }
            return numbers
        }
    }

    // MARK: What is written

    @Test(arguments: CameraFrame.Format.allCases)
    func picturesAreRecordedAsTheyCame(format: CameraFrame.Format) throws {
        // Nobody looks into them: these are none.
        let frame = CameraFrame(.picture([0, 255, 1, 254, 2], format: format))
        let messages = try Self.recorded([Self.observation(["observation.image": frame])])
        #expect(messages.map(\.topic) == ["/arm1/observation.image", "/arm1/observation"])
        #expect(messages[0].schema == "foxglove.CompressedImage")
        let found = try Self.frames(in: messages)
        #expect(
            found == [
                RecordedFrame(
                    number: frame.number,
                    picture: [0, 255, 1, 254, 2],
                    format: format,
                    isLossy: false
                )
            ]
        )
        #expect(try Self.numbers(in: messages) == [.init(own: ["observation.image": frame.number])])
        let json = try PlainJSON(String(decoding: messages[0].data, as: UTF8.self))
        #expect(json["frame_id"] == .string("arm1/observation.image"))
        #expect(json["data"] == .string("AP8B/gI="))
        let sent = try #require(json["timestamp"]?["sec"]?.double)
        #expect(UInt64(sent) == messages[0].timeNs / 1_000_000_000)
    }

    @Test func pixelsAreRecordedAsPNGBitForBit() throws {
        let frame = CameraFrame(height: 4, width: 6, pixels: Self.pixels)
        let observation = try Self.observation(["observation.image": frame])
        let found = try Self.frames(in: Self.recorded([observation], pixelFormat: .png))
        #expect(found.map(\.isLossy) == [false] && found.map(\.format) == [.png])
        #expect(try Self.decoded(found[0]) == Self.pixels)
    }

    @Test func pixelsAreRecordedAsJPEGAndCalledLossy() throws {
        let frame = CameraFrame(height: 4, width: 6, pixels: Self.pixels)
        let observation = try Self.observation(["observation.image": frame])
        let found = try Self.frames(in: Self.recorded([observation]))
        #expect(found.map(\.isLossy) == [true] && found.map(\.format) == [.jpeg])
        let decoded = try Self.decoded(found[0])
        #expect(decoded.count == Self.pixels.count)
        #expect(zip(decoded, Self.pixels).allSatisfy { abs(Int($0) - Int($1)) < 40 })
    }

    private static func decoded(_ frame: RecordedFrame) throws -> [UInt8] {
        let format: PictureFormat = frame.format == .png ? .png : .jpeg
        let header = try PictureHeader(reading: frame.picture.span, as: format)
        var pixels = [UInt8](repeating: 0, count: header.pixelByteCount)
        var decoder = try PictureDecoder()
        var span = pixels.mutableSpan
        try decoder.decode(frame.picture.span, header, into: &span)
        return pixels
    }

    @Test func aFrameThatStandsInIsWrittenOnce() throws {
        let (slow, first, second) = (Self.frame(1), Self.frame(2), Self.frame(3))
        let messages = try Self.recorded([
            Self.observation(["fast": first, "slow": slow]),
            Self.observation(["fast": second, "slow": slow]),
            // Another robot's camera has a channel of its own.
            Self.observation(["fast": second, "slow": slow], robot: "arm2"),
        ])
        #expect(
            messages.map(\.topic) == [
                "/arm1/fast", "/arm1/slow", "/arm1/observation", "/arm1/fast", "/arm1/observation",
                "/arm2/fast",
                "/arm2/slow", "/arm2/observation",
            ]
        )
        #expect(
            try Self.numbers(in: messages).map(\.own) == [
                ["fast": first.number, "slow": slow.number], ["fast": second.number, "slow": slow.number],
                ["fast": second.number, "slow": slow.number],
            ]
        )
    }

    @Test func precedingObservationsHaveFramesToo() throws {
        let (first, second, newest) = (Self.frame(1), Self.frame(2), Self.frame(3))
        let name = "observation.image"
        let messages = try Self.recorded([
            Self.observation([name: newest], preceding: [[name: first], [name: second]])
        ])
        #expect(try Self.frames(in: messages).map(\.picture) == [[1], [2], [3]])
        #expect(
            try Self.numbers(in: messages) == [
                .init(own: [name: newest.number], preceding: [[name: first.number], [name: second.number]])
            ]
        )
        let json = try PlainJSON(String(decoding: try #require(messages.last).data, as: UTF8.self))
        #expect(json["preceding"]?.elements?.count == 2)
        #expect(json["preceding"]?.elements?.first?.members?.keys.sorted() == ["observation.state"])
    }

    @Test func messagesFitTheirSchemas() throws {
        let name = "observation.image"
        let messages = try Self.recorded([
            Self.observation(
                [name: CameraFrame(height: 4, width: 6, pixels: Self.pixels)],
                preceding: [[name: Self.frame(1)]]
            )
        ])
        #expect(messages.count == 3)
        for message in messages {
            let kind = try #require(RecordedKind(schemaName: message.schema))
            let schema = try PlainJSON(kind.schema(for: Self.policy))
            #expect(ViewerRules.problems(of: schema) == [])
            let json = try PlainJSON(String(decoding: message.data, as: UTF8.self))
            #expect(SchemaCheck.problems(of: json, as: schema) == [], "\(message.topic)")
        }
        let schema = try PlainJSON(RecordedKind.observation.schema(for: Self.policy))
        for frames in [schema["properties"]?["frames"], schema["properties"]?["preceding_frames"]?["items"]] {
            #expect(frames?["required"] == .array([.string(name)]))
        }
        let image = try PlainJSON(RecordedKind.frame.schema(for: nil))
        #expect(image["properties"]?["data"]?["contentEncoding"] == .string("base64"))
        #expect(image["properties"]?["timestamp"]?["title"] == .string("time"))
    }

    @Test func aCameraMayBeCalledAsAKindOfMessage() throws {
        let messages = try Self.recorded([Self.observation(["observation": Self.frame(1)])])
        #expect(messages.map(\.topic) == ["/arm1/observation", "/arm1/observation"])
        #expect(messages.map(\.schema) == ["foxglove.CompressedImage", "denoised.observation"])
    }

    // MARK: What does not fit

    @Test func aFrameThatIsTooLongIsMissingAndCounted() throws {
        let file = RecorderTests.RecordingPath()
        let logged = LogLines()
        var log = RecordingLog(
            writer: try MCAPWriter(creating: file.path, library: "test"),
            setup: RecorderTests.setup,
            logger: logged.logger
        )
        let long = CameraFrame(
            .picture([UInt8](repeating: 1, count: RecordingLog.maximumFrameBytes / 4 * 3), format: .png)
        )
        let short = CameraFrame(
            .picture(
                [UInt8](repeating: 1, count: RecordingLog.maximumFrameBytes / 4 * 3 - 1024),
                format: .png
            )
        )
        log.record(
            TappedMessage(.started(policies: [ServedPolicy(policy: Self.policy, sampler: Self.sampler)]))
        )
        for _ in 0..<2 { log.record(try Self.observation(["observation.image": long])) }
        #expect(log.statistics.lost == 2)
        #expect(logged.lines.count == 1 && logged.lines[0].contains("are not recorded"), "\(logged.lines)")
        // The longest that is recorded is read as well.
        log.record(try Self.observation(["observation.image": short]))
        log.finish()
        #expect(log.statistics.lost == 2 && log.statistics.writeErrors == 0)
        let reader = try MCAPReader(file.path)
        var topics: [String] = []
        while let message = try reader.next() { topics.append(message.topic) }
        #expect(
            topics == [
                "/session", "/arm1/observation", "/arm1/observation", "/arm1/observation.image",
                "/arm1/observation",
            ]
        )
    }

    @Test func framesThatWaitAreBoundedByTheirBytes() throws {
        let file = RecorderTests.RecordingPath()
        let disk = Gate()
        let recorder = try Recorder(
            path: file.path,
            setup: RecorderTests.setup,
            logger: LogLines().logger,
            bounds: .init(messages: 100, frameBytes: 1000)
        ) {
            () throws(RecordingError) in
            try MCAPWriter(storage: GatedFile(path: file.path, gate: disk), library: "test")
        }
        recorder.take(TappedMessage(.reset(try id("first"))))
        disk.waitForEntry()
        func frame(_ count: Int) -> CameraFrame {
            CameraFrame(.picture([UInt8](repeating: 7, count: count), format: .jpeg))
        }
        // The thread waits for the disk. 400 + 400 bytes find room, 400 more do not, 200 do.
        for count in [400, 400, 400, 200] { recorder.take(try Self.observation(["eye": frame(count)])) }
        #expect(recorder.lostMessages == 1)
        // Messages without frames still do.
        recorder.take(TappedMessage(.reset(try id("last"))))
        #expect(recorder.lostMessages == 1)
        disk.pass(100)
        // Room is made as they are recorded, also for one message that has more than all may have.
        try eventually {
            let before = recorder.lostMessages
            recorder.take(try Self.observation(["eye": frame(5000)]))
            return recorder.lostMessages == before
        }
        recorder.finish()

        var sizes: [Int] = []
        var lost: UInt64 = 0
        for event in try file.events() {
            if case .frame(let frame) = event { sizes.append(frame.picture.count) }
            if case .gap(let count) = event { lost += count }
        }
        #expect(sizes == [400, 400, 200, 5000])
        #expect(lost == recorder.lostMessages)
    }

    @Test func theFileTellsOfWhatIsLostAfterItsLastMessage() throws {
        let file = RecorderTests.RecordingPath()
        let disk = Gate()
        let recorder = try Recorder(
            path: file.path,
            setup: RecorderTests.setup,
            logger: LogLines().logger,
            bounds: .init(messages: 2, frameBytes: 1000)
        ) {
            () throws(RecordingError) in
            try MCAPWriter(storage: GatedFile(path: file.path, gate: disk), library: "test")
        }
        recorder.take(TappedMessage(.reset(try id("first"))))
        disk.waitForEntry()
        for robot in ["second", "third", "fourth", "fifth"] {
            recorder.take(TappedMessage(.reset(try id(robot))))
        }
        #expect(recorder.lostMessages == 2)
        disk.pass(100)
        recorder.finish()
        let gaps = try file.events().compactMap { event in
            if case .gap(let count) = event { count } else { nil }
        }
        #expect(gaps == [2])
    }

    @Test func aFrameThatStandsInForALostOneIsWritten() throws {
        let storage = FullableStorage()
        var log = RecordingLog(
            writer: try MCAPWriter(storage: storage, library: "test"),
            setup: RecorderTests.setup,
            logger: LogLines().logger
        )
        log.record(
            TappedMessage(.started(policies: [ServedPolicy(policy: Self.policy, sampler: Self.sampler)]))
        )
        log.flush()
        let (slow, name) = (Self.frame(9), "observation.image")
        storage.isFull = true
        log.record(TappedMessage(.reset(try id("arm1"))))
        log.flush()
        log.record(try Self.observation([name: slow]))
        #expect(log.statistics.lost == 1)
        storage.isFull = false
        log.flush()
        log.record(try Self.observation([name: slow]))
        log.finish()
        let reader = try MCAPReader(storage: storage)
        var topics: [String] = []
        while let message = try reader.next() { topics.append(message.topic) }
        #expect(
            topics == [
                "/session", "/arm1/reset", "/gap", "/log", "/arm1/observation.image", "/arm1/observation",
            ]
        )
    }

    // MARK: What is read

    private static func image(_ json: String) -> RecordedMessage {
        RecordedMessage(
            topic: "/arm1/eye",
            schema: "foxglove.CompressedImage",
            encoding: "json",
            sequence: 3,
            timeNs: 0,
            publishNs: 0,
            data: Array(json.utf8)
        )
    }

    @Test(arguments: [
        (
            #"{"number":1,"format":"jpeg","lossy":false,"data":"*"}"#,
            #"data: found "*", expected a picture in base64"#
        ),
        (#"{"number":1,"format":"jpeg","lossy":false,"data":"AP8"}"#, "data: found "),
        (#"{"number":1,"format":"jpeg","lossy":false,"data":""}"#, "data: found "),
        (#"{"number":1,"format":"jpeg","lossy":false,"data":[1]}"#, "data: found "),
        (#"{"number":1,"format":"jpeg","lossy":false}"#, "data: the field is missing"),
        (
            #"{"number":1,"format":"webp","lossy":false,"data":"AP8="}"#,
            #"format: found "webp", expected one of jpeg, png"#
        ),
        (#"{"number":1,"lossy":false,"data":"AP8="}"#, "format: the field is missing"),
        (#"{"number":1,"format":"png","lossy":0,"data":"AP8="}"#, "lossy: found 0, expected true or false"),
        (#"{"number":1,"format":"png","data":"AP8="}"#, "lossy: the field is missing"),
        (
            #"{"number":-1,"format":"png","lossy":true,"data":"AP8="}"#,
            "number: found -1, expected an integer"
        ),
        (#"{"number":1.5,"format":"png","lossy":true,"data":"AP8="}"#, "number: found 1.5"),
        (#"{"number":"1","format":"png","lossy":true,"data":"AP8="}"#, "number: found "),
        (#"[]"#, "found [], expected an object"),
        (#"{"number":1,"#, "not JSON: "),
    ])
    func whatIsNoFrameIsNamed(json: String, problem: String) throws {
        let error = try #require(throws: RecordedMessageError.self) { try RecordedEvent(Self.image(json)) }
        #expect("\(error)".hasPrefix(#""/arm1/eye" number 3: \#(problem)"#), "\(error)")
    }

    @Test func anImageOfSomebodyElseIsPassedOver() throws {
        #expect(try RecordedEvent(Self.image(#"{"format":"webp","data":"AP8="}"#)) == nil)
    }

    @Test(arguments: [
        (#""frames":{"eye":-1}"#, "frames.eye: found -1"),
        (#""frames":{"eye":[1]}"#, "frames.eye: found "),
        (#""frames":[1]"#, "frames: found "),
        (#""preceding":[],"preceding_frames":{"eye":1}"#, "preceding_frames: found "),
        (#""preceding":[],"preceding_frames":[1]"#, "preceding_frames: found 1, expected maps"),
        (#""preceding":[],"preceding_frames":[{"eye":null}]"#, "preceding_frames.eye: found nil"),
    ])
    func numbersOfFramesThatAreNoneAreNamed(fields: String, problem: String) throws {
        var message = Self.image(
            #"{"robot":"arm1","episode":"1","episode_type":"integer","sequence":1,"time_ns":1,"repeat":false,"#
                + #""received_ns":1,"observation":{},\#(fields)}"#
        )
        message.schema = "denoised.observation"
        let error = try #require(throws: RecordedMessageError.self) { try RecordedEvent(message) }
        #expect("\(error)".hasPrefix(#""/arm1/eye" number 3: \#(problem)"#), "\(error)")
    }

    @Test func theFramesThatAReplayKeepsAreBounded() throws {
        var frames = ReplayedFrames(cameras: Self.policy.cameras)
        let count = 24 << 20
        for number in 0..<16 as Range<UInt64> {
            frames.add(
                RecordedFrame(
                    number: number,
                    picture: [UInt8](repeating: UInt8(number), count: count),
                    format: .jpeg,
                    isLossy: false
                )
            )
        }
        func isKept(_ number: UInt64) -> Bool {
            frames.frames(["observation.image": number])["observation.image"]?.byteCount == count
        }
        let kept = (0..<16).filter { isKept($0) }
        #expect(kept == Array(6..<16), "256 MiB of them")
        // What is missing has a stand-in of the camera's size.
        #expect(frames.frames(["observation.image": 0])["observation.image"]?.byteCount == 4 * 6 * 3)
    }
}

/// A file in memory that can be full.
private final class FullableStorage: RecordingStorage {
    let name = "test.mcap"
    var isFull = false
    private var bytes: [UInt8] = []

    func length() -> UInt64 { UInt64(bytes.count) }
    func read(_ count: Int, at offset: UInt64) -> [UInt8] {
        Array(bytes.dropFirst(Int(offset)).prefix(count))
    }
    func write(_ new: [UInt8], at offset: UInt64) throws(RecordingError) {
        if isFull { throw RecordingError(.inputOutput, file: name, "No space left on device") }
        bytes.removeLast(max(0, bytes.count - Int(offset)))
        bytes += new
    }
    func truncate(to length: UInt64) { bytes.removeLast(max(0, bytes.count - Int(length))) }
    func synchronize() {}
}

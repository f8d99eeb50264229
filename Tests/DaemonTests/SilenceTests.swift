import Foundation
import Robotics
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon

/// Whatever comes is answered, or counted and logged with what was expected.
@Suite(.timeLimit(.minutes(10))) struct SilenceTests {
    // MARK: Requests

    /// Frames that are no request, and what the answer says.
    static let badRequests: [(frames: [[UInt8]], says: String)] = [
        ([[]], "an empty frame alone"),
        ([[], []], "an empty frame"),
        ([[1], [2]], "2 frames"),
        ([[], [1], [2]], "2 frames"),
        ([[1], []], "an empty frame alone"),
        (Array(repeating: [1], count: 50), "more than 8 frames"),
    ]

    @Test(arguments: badRequests.indices, [false, true])
    func `a request in the wrong frames is answered`(index: Int, overTCP: Bool) throws {
        let (frames, says) = Self.badRequests[index]
        let toy = try ToyDaemon { if overTCP { DaemonTests.tcp(&$0) } }
        let error = try Self.answer(to: frames, from: toy)
        #expect(error.code == "bad_frames")
        #expect(error.message.hasPrefix(says), "\(error)")
        #expect(toy.daemon.statistics.rejectedMessages == ["bad_frames": 1])
        #expect(toy.log.lines.count { $0.hasPrefix("warning") && $0.contains(says) } == 1)
    }

    @Test(arguments: [(1 << 20) + 1, 6 << 20, 16 << 20], [false, true])
    func `a request above the limit is answered`(bytes: Int, hasDelimiter: Bool) throws {
        let toy = try ToyDaemon(DaemonTests.tcp)
        let request = [UInt8](repeating: 0, count: bytes)
        let error = try Self.answer(to: hasDelimiter ? [[], request] : [request], from: toy)
        #expect(error.code == "too_large")
        #expect(error.message == "the message has \(bytes) bytes; at most 1048576 are accepted")
        #expect(toy.daemon.statistics.rejectedMessages == ["too_large": 1])
        _ = try toy.client().ping()
    }

    /// What the daemon answers to the frames, over a connection of their own.
    static func answer(to frames: [[UInt8]], from toy: ToyDaemon) throws -> ErrorMessage {
        let socket = try ZeroMQSocket(.dealer, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.requests)
        try socket.send(frames)
        try #require(ZeroMQSocket.wait(for: [socket], timeout: .seconds(20))[0], "no answer")
        let answer = try #require(try socket.receive(maximumFrames: 8))
        let isDelimited = frames.count > 1 && frames[0].isEmpty
        #expect(answer.count == (isDelimited ? 2 : 1) && (!isDelimited || answer[0].isEmpty))
        guard case .error(let error) = try Reply.decode(try #require(answer.last)).reply else {
            throw MessageError(.unknownType, "not an error")
        }
        return error
    }

    // MARK: Observations

    /// What a robot may publish by mistake, the reason, and what the log says.
    static let badObservations: [(frames: @Sendable () throws -> [[UInt8]], code: String, says: String)] = [
        ({ [Array("arm1".utf8), try packed()] }, "bad_frames", "the topic is \"arm1\""),
        (
            { [Array("observation/arm1".utf8), try packed()] }, "bad_frames",
            "the topic is \"observation/arm1\""
        ),
        (
            { [Array("observation.arm2".utf8), try packed()] }, "bad_frames",
            "the topic is \"observation.arm2\", expected observation.arm1"
        ),
        ({ [[0xff, 0x0a], try packed()] }, "bad_frames", "the topic is \"\u{fffd}?\""),
        ({ [[], try packed()] }, "bad_frames", "the topic is \"\""),
        ({ [Array("observation.arm1".utf8)] }, "bad_frames", "the topic alone"),
        ({ [Array("hello".utf8)] }, "bad_frames", "one frame of 5 bytes that is no MessagePack map"),
        ({ [[]] }, "bad_frames", "one frame of 0 bytes that is no MessagePack map"),
        ({ [Array("observation.arm1".utf8), try packed(), []] }, "bad_frames", "more than 2 frames"),
        ({ [[0x81]] }, "not_messagepack", "ends early"),
        (
            { [Array("observation.arm1".utf8), [UInt8](repeating: 0, count: (1 << 20) + 1)] }, "too_large",
            "the message has 1048577 bytes; at most 1048576 are accepted"
        ),
        ({ [[0x81] + [UInt8](repeating: 0, count: 6 << 20)] }, "too_large", "the message has 6291457 bytes"),
        (
            { [[UInt8](repeating: 0x6f, count: 2 << 20), try packed()] }, "bad_frames",
            "the topic has 2097152 bytes"
        ),
        ({ [Array("observation.arm1".utf8), Array("{\"v\": 1}".utf8)] }, "not_messagepack", "JSON text"),
    ]

    static func packed() throws -> [UInt8] { try observation(0, first: 1).encoded() }

    @Test(arguments: badObservations.indices)
    func `a message that is no observation is counted and logged`(index: Int) throws {
        let (frames, code, says) = Self.badObservations[index]
        let toy = try ToyDaemon(DaemonTests.tcp)
        let socket = try Self.publisher(toy)
        try Self.send(frames(), on: socket, until: { !toy.daemon.statistics.rejectedMessages.isEmpty })
        #expect(Array(toy.daemon.statistics.rejectedMessages.keys) == [code])
        let warnings = toy.log.lines.filter { $0.hasPrefix("warning") }
        #expect(warnings.count == 1 && warnings[0].contains(says), "\(warnings)")
        #expect(toy.daemon.statistics.observations == 0)
    }

    /// A publisher that keeps the newest message alone sends no topic.
    @Test func `an observation without a topic is taken`() throws {
        let toy = try ToyDaemon(DaemonTests.tcp)
        let socket = try Self.publisher(toy)
        try Self.send([Self.packed()], on: socket, until: { toy.daemon.statistics.observations > 0 })
        #expect(toy.daemon.statistics.rejectedMessages.isEmpty)
        eventually {
            toy.daemon.statistics.chunks
        } is: {
            $0 > 0
        }
    }

    @Test func `what a robot sends without a topic counts as its own`() throws {
        let toy = try ToyDaemon {
            DaemonTests.tcp(&$0)
            $0.messagesPerSecond = 20
        }
        let socket = try Self.publisher(toy)
        let flood = try observation(0, first: 1, robot: "flood").encoded()
        try Self.send(
            [flood],
            on: socket,
            until: { toy.daemon.statistics.rejectedMessages["rate_limited"] != nil }
        )
        let client = try toy.client("good")
        _ = try client.chunk(for: observation(0, first: 1, robot: "good"))
        try socket.send([try observation(1, first: 1, robot: "good").encoded()])
        eventually {
            toy.daemon.statistics.observations
        } is: {
            $0 >= 3
        }
    }

    static func publisher(_ toy: ToyDaemon) throws -> ZeroMQSocket {
        let socket = try ZeroMQSocket(.publish, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.observations)
        return socket
    }

    /// Publishes again and again: what is published before the connection stands is lost.
    static func send(
        _ frames: [[UInt8]],
        on socket: ZeroMQSocket,
        until isDone: () -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try eventually(every: .milliseconds(5), sourceLocation: sourceLocation) {
            if isDone() { return true }
            try socket.send(frames)
            return false
        }
    }

    // MARK: Keys of arrays

    /// Whether the keys of a message's arrays are packed as `str`.
    static func hasTextKeys(_ message: [UInt8]) -> Bool {
        let key = Array("__ndarray__".utf8)
        let start = message.indices.first { message[$0...].starts(with: key) }
        return start.map { message[$0 - 1] == 0xab } ?? false
    }

    @Test(arguments: [nil, ArrayKeys.binary, .string])
    func `chunks and commands have the keys that a robot asks for`(keys: ArrayKeys?) throws {
        let file = try RobotDaemonTests.file("robot: arm1")
        let toy = try ToyDaemon { $0.robots = [file] }
        let context = toy.daemon.context
        let subscriber = try ZeroMQSocket(.subscribe, context: context)
        try subscriber.subscribe(to: id("arm1").chunkTopic)
        try subscriber.subscribe(to: id("arm1").commandTopic)
        _ = try subscriber.connect(toy.endpoints.chunks)
        let publisher = try Self.publisher(toy)
        var found: [String: Bool] = [:]
        var sequence: UInt64 = 0
        try eventually(every: .milliseconds(20)) {
            while let frames = try subscriber.receive(maximumFrames: 2) {
                found[String(decoding: frames[0], as: UTF8.self)] = Self.hasTextKeys(frames[1])
            }
            if found.count == 2 { return found }
            var message = try RobotDaemonTests.seen(sequence)
            message.arrayKeys = keys
            try publisher.send([message.robot.observationTopic, message.encoded()])
            sequence += 1
            return found
        } is: {
            $0.count == 2
        }
        #expect(found == ["chunk.arm1": keys == .string, "command.arm1": keys == .string])
    }

    @Test func `a prediction has the keys that its request asks for`() throws {
        let toy = try ToyDaemon()
        let socket = try ZeroMQSocket(.dealer, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.requests)
        for (number, keys) in [ArrayKeys.string, .binary].enumerated() {
            var message = try observation(UInt64(number), first: 1)
            message.arrayKeys = keys
            try socket.send([Request.predict(message).encoded(number: UInt64(number))])
            try #require(ZeroMQSocket.wait(for: [socket], timeout: .seconds(20))[0])
            let answer = try #require(try socket.receive(maximumFrames: 1)?.last)
            #expect(Self.hasTextKeys(answer) == (keys == .string))
            #expect(try Reply.decode(answer).number == UInt64(number))
        }
    }
}

import Clocks
import Foundation
import Logging
import Pictures
import Robotics
import Synchronization
import TestSupport
import Testing
import Transport

@testable import CameraServers

/// Threads, sockets and messages together, with a server of the test's own.
@Suite(.timeLimit(.minutes(10))) struct CameraServersTests {
    /// Publishes as LeRobot's image server does.
    private final class Server {
        let endpoint: String
        let socket: ZeroMQSocket
        private var encoder: PictureEncoder
        private var clock = 1000.0

        init(context: ZeroMQContext, at endpoint: String = "tcp://127.0.0.1:*") throws {
            socket = try ZeroMQSocket(.publish, context: context)
            self.endpoint = try socket.bind(endpoint)
            encoder = try PictureEncoder()
        }

        /// A picture in one colour, whose red is `level`.
        func jpeg(_ level: UInt8, side: Int = 16) throws -> [UInt8] {
            let pixels: [UInt8] = (0..<side * side).flatMap { _ -> [UInt8] in [level, 0, 0] }
            return try encoder.jpeg(pixels.span, height: side, width: side)
        }

        func publish(_ text: String) throws { try socket.send([Array(text.utf8)]) }

        /// - Parameter time: nil: later than all before.
        func publish(_ jpeg: [UInt8], of name: String = "front", time: Double? = nil) throws {
            clock += 0.125
            let image = Data(jpeg).base64EncodedString()
            try publish(
                #"{"timestamps": {"\#(name)": \#(time ?? clock)}, "images": {"\#(name)": "\#(image)"}}"#
            )
        }
    }

    /// What was refused.
    private final class Refusals: Sendable {
        private let kept = Mutex<[MessageError]>([])
        var all: [MessageError] { kept.withLock { $0 } }
        func note(_ error: MessageError) { kept.withLock { $0.append(error) } }
    }

    private static let camera = CameraDescription(name: "observation.images.front", height: 16, width: 16)

    private func reading(
        _ endpoint: String,
        name: String? = nil,
        refusals: Refusals = Refusals()
    ) throws -> CameraServers {
        let source = CameraSource(camera: Self.camera.name, endpoint: endpoint, name: name)
        let servers = try CameraServers(
            board: CameraBoard(sources: [source]),
            cameras: [Self.camera],
            context: ZeroMQContext(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { _, error in refusals.note(error) }
        try servers.start()
        return servers
    }

    /// The blue of the newest frame's first pixel, which is the red of the server's picture.
    private func blue(_ servers: CameraServers) -> Int? {
        guard case .pixels(let pixels, _, _)? = servers.board.entry(0).newest?.frame.content else {
            return nil
        }
        return Int(pixels[2])
    }

    /// Publishes until something has come: what is published before the sockets have joined is lost.
    private func join(_ server: Server, _ servers: CameraServers) throws {
        let jpeg = try server.jpeg(10)
        try eventually(every: .milliseconds(5)) {
            if blue(servers) != nil { return true }
            try server.publish(jpeg)
            return false
        }
    }

    @Test func `The newest picture is on the board`() throws {
        let context = try ZeroMQContext()
        let server = try Server(context: context)
        let servers = try reading(server.endpoint)
        defer { servers.stop() }
        try join(server, servers)
        for level in stride(from: 20, through: 240, by: 10) {
            try server.publish(server.jpeg(UInt8(level)))
        }
        eventually { blue(servers).map { abs($0 - 240) <= 2 } ?? false }
        let status = servers.board.status(now: .now())[0]
        #expect(status.frames >= 2)
        #expect(status.refused == 0)
        #expect(try #require(status.ageNs) < 20_000_000_000)
    }

    @Test func `Broken messages are counted, and the server is read on`() throws {
        let context = try ZeroMQContext()
        let server = try Server(context: context)
        let refusals = Refusals()
        let servers = try reading(server.endpoint, refusals: refusals)
        defer { servers.stop() }
        try join(server, servers)
        let broken: [(MessageError.Code, () throws -> Void)] = [
            (.badCameraMessage, { try server.publish("no JSON") }),
            (.badCameraMessage, { try server.publish(#"{"images": {"front": "%"}}"#) }),
            (.badImage, { try server.publish([1, 2, 3]) }),
            (.badArray, { try server.publish(server.jpeg(0, side: 32)) }),
            (.badFrames, { try server.socket.send([[1], [2]]) }),
            (
                .tooLarge,
                { try server.socket.send([[UInt8](repeating: 32, count: CameraFeed.longestMessage + 1)]) }
            ),
        ]
        for (index, (code, send)) in broken.enumerated() {
            try send()
            eventually { refusals.all.count == index + 1 }
            #expect(refusals.all.last?.code == code)
        }
        try server.publish(server.jpeg(200))
        eventually { blue(servers).map { abs($0 - 200) <= 2 } ?? false }
        #expect(servers.board.status(now: .now())[0].refused == UInt64(broken.count))
    }

    @Test func `A picture with the time of the one before is no news`() throws {
        let context = try ZeroMQContext()
        let server = try Server(context: context)
        let servers = try reading(server.endpoint)
        defer { servers.stop() }
        try join(server, servers)
        try server.publish(server.jpeg(100), time: 5)
        eventually { blue(servers).map { abs($0 - 100) <= 2 } ?? false }
        let received = servers.board.entry(0).newest?.received
        try server.publish(server.jpeg(100), time: 5)
        eventually { servers.board.status(now: .now())[0].repeated == 1 }
        #expect(servers.board.entry(0).newest?.received == received)
        // A clock that was set back is no reason to go blind.
        try server.publish(server.jpeg(150), time: 4)
        eventually { blue(servers).map { abs($0 - 150) <= 2 } ?? false }
    }

    @Test func `A camera of another name is missed aloud, and found by its name`() throws {
        let context = try ZeroMQContext()
        let server = try Server(context: context)
        let refusals = Refusals()
        let misspelt = try reading(server.endpoint, refusals: refusals)
        let found = try reading(server.endpoint, name: "head")
        defer {
            misspelt.stop()
            found.stop()
        }
        let jpeg = try server.jpeg(70)
        try eventually(every: .milliseconds(5)) {
            try server.publish(jpeg, of: "head")
            return blue(found) != nil && !refusals.all.isEmpty
        }
        #expect(
            refusals.all.first?.description
                == "images.front: has never come, the server sends head; "
                + "--camera observation.images.front=NAME@\(server.endpoint) names one"
        )
        #expect(blue(misspelt) == nil)
    }

    @Test func `A server that comes back is heard again`() throws {
        let context = try ZeroMQContext()
        var server: Server? = try Server(context: context)
        let endpoint = try #require(server?.endpoint)
        let servers = try reading(endpoint)
        defer { servers.stop() }
        try join(#require(server), servers)
        server = nil
        // The port is free once libzmq has closed the old socket, in the background.
        eventually(every: .milliseconds(20)) {
            server = try? Server(context: context, at: endpoint)
            return server != nil
        }
        let back = try #require(server)
        try eventually(every: .milliseconds(20)) {
            try back.publish(back.jpeg(220))
            return blue(servers).map { abs($0 - 220) <= 2 } ?? false
        }
    }

    @Test func `A server that is silent is called anew, and that is told once`() throws {
        let context = try ZeroMQContext()
        let source = CameraSource(camera: Self.camera.name, endpoint: "tcp://127.0.0.1:1")
        let feed = try CameraFeed(
            endpoint: source.endpoint,
            cameras: [Self.camera],
            board: CameraBoard(sources: [source]),
            context: context
        ) { Issue.record("\($0)") }
        let first = feed.socket
        let now = MonotonicTime.now()
        #expect(try !feed.callAgainIfSilent(now: now))
        #expect(feed.socket === first)
        let later = now.advanced(byNanoseconds: CameraFeed.silenceNs + 1_000_000_000)
        #expect(try feed.callAgainIfSilent(now: later))
        #expect(feed.socket !== first)
        #expect(feed.isSilent)
        #expect(try !feed.callAgainIfSilent(now: later.advanced(byNanoseconds: CameraFeed.silenceNs)))
    }

    @Test func `An endpoint that is none ends the start with its name`() throws {
        let error = try #require(throws: ZeroMQError.self) { try reading("tcp://127.0.0.1:no") }
        #expect("\(error)".contains("tcp://127.0.0.1:no"), "\(error)")
    }
}

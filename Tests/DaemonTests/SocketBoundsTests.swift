import Foundation
import Gr00t
import Testing
import Transport
import Wire

@testable import Daemon

/// What may pile up on the daemon's sockets is what docs/SECURITY.md says.
@Suite(.timeLimit(.minutes(10))) struct SocketBoundsTests {
    @Test func optionsAreAsDocumented() throws {
        let configuration = DaemonConfiguration()
        let observations = SocketBounds.observations(configuration)
        #expect(observations.receiveHighWaterMark == 8)
        #expect(observations.maximumFrameBytes == 16 << 20)
        let requests = SocketBounds.requests(configuration)
        #expect(requests.receiveHighWaterMark == 4)
        #expect(requests.maximumFrameBytes == 16 << 20)
        #expect(requests.sendHighWaterMark == 1000)
        let chunks = SocketBounds.chunks(configuration)
        #expect(chunks.sendHighWaterMark == 1000)
        #expect(chunks.maximumFrameBytes == 1024)
        let gr00t = SocketBounds.gr00t(Gr00tConfiguration(endpoint: "inproc://gr00t"))
        #expect(gr00t.receiveHighWaterMark == 2)
        #expect(gr00t.maximumFrameBytes == 2 * Gr00tRequest.limits.messageBytes)
        #expect(gr00t.sendHighWaterMark == 16)
    }

    /// Whether a heartbeat comes to a subscriber who also asks for a topic of so many bytes.
    private func hears(_ toy: ToyDaemon, longTopic bytes: Int, within limit: Duration) throws -> Bool {
        let socket = try ZeroMQSocket(.subscribe, context: ZeroMQContext())
        try socket.subscribe(to: [UInt8](repeating: 1, count: bytes))
        try socket.subscribe(to: Array(Topic.status.utf8))
        _ = try socket.connect(toy.endpoints.chunks)
        return try ZeroMQSocket.wait(for: [socket], timeout: limit)[0]
    }

    @Test func aLongSubscriptionIsRefused() throws {
        let toy = try ToyDaemon(DaemonTests.tcp)
        #expect(try !hears(toy, longTopic: 1100, within: .milliseconds(800)))
        #expect(try hears(toy, longTopic: 1000, within: .seconds(10)))
    }
}

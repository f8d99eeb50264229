import Foundation
import Testing
import Transport

@testable import Transport

@Suite struct ZeroMQTests {
    let context: ZeroMQContext

    init() throws {
        context = try ZeroMQContext()
    }

    @Test func wildcardPortIsResolvedAndFramesArrive() throws {
        let router = try ZeroMQSocket(.router, context: context)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        #expect(endpoint.hasPrefix("tcp://127.0.0.1:"))
        #expect(!endpoint.hasSuffix("*"))
        let dealer = try ZeroMQSocket(.dealer, context: context)
        _ = try dealer.connect(endpoint)
        #expect(try router.receive(maximumFrames: 4) == nil)
        try dealer.send([[1, 2], [], [3]])
        #expect(try ZeroMQSocket.wait(for: [dealer, router], timeout: .seconds(10)) == [false, true])
        let frames = try #require(try router.receive(maximumFrames: 4))
        #expect(Array(frames.dropFirst()) == [[1, 2], [], [3]])
        try router.send([frames[0], [9]])
        #expect(try ZeroMQSocket.wait(for: [dealer], timeout: .seconds(10)) == [true])
        #expect(try dealer.receive(maximumFrames: 4) == [[9]])
    }

    /// Whether the machine has IPv6 on its loopback interface.
    static let hasIPv6: Bool = {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }()

    /// Whether a message gets from a socket that connects at `reached` (with the port in place of `*`) to one bound at
    /// `bound`, and the endpoint as bound.
    private func exchange(bound: String, reached: String) throws -> (arrives: Bool, endpoint: String) {
        let router = try ZeroMQSocket(.router, context: context)
        let endpoint = try router.bind(bound)
        let dealer = try ZeroMQSocket(.dealer, context: context)
        let port = endpoint.split(separator: ":").last.map(String.init) ?? ""
        _ = try dealer.connect(reached.replacingOccurrences(of: "*", with: port))
        try dealer.send([[7]])
        let arrives = try ZeroMQSocket.wait(for: [router], timeout: .seconds(5))[0]
        return (arrives, endpoint)
    }

    @Test(
        .enabled(if: hasIPv6, "this machine has no IPv6 on its loopback interface"),
        arguments: [
            ("tcp://[::1]:*", "tcp://[::1]:*", "tcp://[::1]:"),
            ("tcp://[::]:*", "tcp://[::1]:*", "tcp://[::]:"),
            ("tcp://[::]:*", "tcp://127.0.0.1:*", "tcp://[::]:"),
            ("tcp://[::ffff:127.0.0.1]:*", "tcp://127.0.0.1:*", "tcp://[::ffff:127.0.0.1]:"),
            ("tcp://127.0.0.1:*", "tcp://[::ffff:127.0.0.1]:*", "tcp://127.0.0.1:"),
        ]
    )
    func messagesGoOverIPv6(bound: String, reached: String, shown: String) throws {
        let (arrives, endpoint) = try exchange(bound: bound, reached: reached)
        #expect(arrives)
        #expect(endpoint.hasPrefix(shown), "\(endpoint)")
    }

    /// `localhost` is 127.0.0.1, also if it is ::1 as well; and IPv4 addresses are named as they were given.
    @Test func iPv4IsAsBefore() throws {
        let (arrives, endpoint) = try exchange(bound: "tcp://127.0.0.1:*", reached: "tcp://localhost:*")
        #expect(arrives)
        #expect(endpoint.hasPrefix("tcp://127.0.0.1:"))
    }

    @Test func framesBeyondTheMaximumAreCutAndTheNextMessageIsWhole() throws {
        let router = try ZeroMQSocket(.router, context: context)
        _ = try router.bind("inproc://many")
        let dealer = try ZeroMQSocket(.dealer, context: context)
        _ = try dealer.connect("inproc://many")
        try dealer.send(Array(repeating: [1], count: 100))
        try dealer.send([[2]])
        _ = try ZeroMQSocket.wait(for: [router], timeout: .seconds(10))
        #expect(try router.receive(maximumFrames: 2)?.count == 3)
        #expect(try router.receive(maximumFrames: 2)?.last == [2])
    }

    @Test func subscriptionIsAPrefix() throws {
        let publisher = try ZeroMQSocket(.publish, context: context)
        _ = try publisher.bind("inproc://topics")
        let subscriber = try ZeroMQSocket(.subscribe, context: context)
        try subscriber.subscribe(to: Array("chunk.a".utf8))
        _ = try subscriber.connect("inproc://topics")
        for topic in ["chunk.b", "chunk.a", "chunk.ab"] { try publisher.send([Array(topic.utf8)]) }
        for topic in ["chunk.a", "chunk.ab"] {
            _ = try ZeroMQSocket.wait(for: [subscriber], timeout: .seconds(10))
            #expect(try subscriber.receive(maximumFrames: 1) == [Array(topic.utf8)])
        }
    }

    @Test func errorNamesTheEndpoint() throws {
        let first = try ZeroMQSocket(.router, context: context)
        let endpoint = try first.bind("tcp://127.0.0.1:*")
        let second = try ZeroMQSocket(.router, context: context)
        let error = #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
        #expect(error?.description == "bind \(endpoint): Address already in use")
        let bad = #expect(throws: ZeroMQError.self) { try second.connect("tcp:/127.0.0.1") }
        #expect(bad?.description == "connect tcp:/127.0.0.1: Invalid argument")
    }

    @Test func frameLargerThanAllowedNeverArrives() throws {
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = 100
        let router = try ZeroMQSocket(.router, context: context, options: options)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let big = try ZeroMQSocket(.dealer, context: context)
        _ = try big.connect(endpoint)
        try big.send([[UInt8](repeating: 0, count: 101)])
        let small = try ZeroMQSocket(.dealer, context: context)
        _ = try small.connect(endpoint)
        try small.send([[UInt8](repeating: 1, count: 100)])
        #expect(try ZeroMQSocket.wait(for: [router], timeout: .seconds(10)) == [true])
        #expect(try router.receive(maximumFrames: 2)?.last?.first == 1)
        #expect(try ZeroMQSocket.wait(for: [router], timeout: .milliseconds(50)) == [false])
    }

    @Test func wakeUpEndsAWaitOnce() throws {
        let socket = try ZeroMQSocket(.router, context: context)
        _ = try socket.bind("inproc://quiet")
        let wakeUp = try WakeUp()
        for _ in 0..<1000 { wakeUp.signal() }
        let clock = ContinuousClock()
        let start = clock.now
        #expect(try ZeroMQSocket.wait(for: [socket], wakeUp: wakeUp, timeout: .seconds(60)) == [false])
        #expect(clock.now - start < .seconds(30))
        #expect(try ZeroMQSocket.wait(for: [socket], wakeUp: wakeUp, timeout: .milliseconds(1)) == [false])
        let second = clock.now
        #expect(try ZeroMQSocket.wait(for: [socket], wakeUp: wakeUp, timeout: .milliseconds(20)) == [false])
        #expect(clock.now - second >= .milliseconds(10), "signals were left over")
    }
}

import Glibc
import Synchronization
import TestSupport
import Testing
import Transport

@testable import Transport

/// The answers to libzmq's questions, without sockets.
@Suite struct ZAPTests {
    let client: CurveKeyPair
    let allowed: CurveAllowList

    init() throws {
        client = try CurveKeyPair()
        allowed = CurveAllowList(names: [client.publicKey: "arm1"])
    }

    private func question(key: [UInt8]) -> [[UInt8]] {
        [[0, 1, 2], []] + ["1.0", "7", "denoised", "10.0.0.9", "", "CURVE"].map { Array($0.utf8) } + [key]
    }

    private func ask(_ frames: [[UInt8]]) -> (answer: [[UInt8]]?, events: [CurveAuthority.Event]) {
        var events: [CurveAuthority.Event] = []
        let answer = CurveAuthority.answer(to: frames, allowed: allowed) { events.append($0) }
        return (answer, events)
    }

    @Test func knownKeyIsLetIn() {
        let (answer, events) = ask(question(key: client.publicKey.bytes))
        #expect(answer == [[0, 1, 2], []] + ["1.0", "7", "200", "OK", "arm1", ""].map { Array($0.utf8) })
        #expect(events.isEmpty)
    }

    @Test func unknownKeyIsRefusedAndTold() throws {
        let stranger = try CurveKeyPair().publicKey
        let (answer, events) = ask(question(key: stranger.bytes))
        #expect(answer?[4] == Array("400".utf8))
        #expect(answer?.count == 8)
        guard case .denied("10.0.0.9", stranger) = try #require(events.first) else {
            Issue.record("expected a denial, got \(events)")
            return
        }
        #expect(events.count == 1)
    }

    /// What replaces the frame with an index: version, domain, routing id, mechanism and key in turn.
    @Test(
        arguments: [
            (2, Array("2.0".utf8)), (4, Array("other".utf8)), (4, []),
            (6, [UInt8](repeating: 65, count: 256)), (5, [UInt8](repeating: 0x80, count: 1 << 20)),
            (7, Array("NULL".utf8)), (7, Array("PLAIN".utf8)), (8, []), (8, [UInt8](repeating: 0, count: 31)),
            (8, [UInt8](repeating: 0, count: 33)),
        ] as [(Int, [UInt8])]
    )
    func questionThatIsNotUnderstoodIsRefused(index: Int, frame: [UInt8]) {
        var frames = question(key: client.publicKey.bytes)
        frames[index] = frame
        let (answer, events) = ask(frames)
        #expect(answer?[4] == Array("400".utf8))
        guard case .malformed = events.first, events.count == 1 else {
            Issue.record("expected one malformed question, got \(events)")
            return
        }
    }

    @Test func wrongNumberOfFramesLetsNobodyIn() {
        let frames = question(key: client.publicKey.bytes)
        for count in 0..<4 { #expect(ask(Array(frames.prefix(count))).answer == nil) }
        for frames in [4, 5, 8].map({ Array(frames.prefix($0)) }) + [frames + [[1]]] {
            #expect(ask(frames).answer?[4] == Array("400".utf8))
        }
        var longID = frames
        longID[3] = [UInt8](repeating: 1, count: 256)
        #expect(ask(longID).answer == nil)
        var noEnvelope = frames
        noEnvelope[1] = [1]
        #expect(ask(noEnvelope).answer == nil)
    }
}

/// CURVE between sockets.
@Suite(.timeLimit(.minutes(10))) struct CurveSocketTests {
    let context: ZeroMQContext
    let server: CurveKeyPair
    let client: CurveKeyPair

    init() throws {
        context = try ZeroMQContext()
        server = try CurveKeyPair()
        client = try CurveKeyPair()
    }

    private func socket(_ kind: ZeroMQSocket.Kind, _ security: ZeroMQSocket.Security) throws -> ZeroMQSocket {
        var options = ZeroMQSocket.Options()
        options.security = security
        options.lingerMilliseconds = 0
        return try ZeroMQSocket(kind, context: context, options: options)
    }

    /// Whether a dealer's message arrives.
    private func arrives(
        _ security: ZeroMQSocket.Security,
        at endpoint: String,
        of router: ZeroMQSocket,
        patience: Duration = .seconds(20)
    ) throws -> Bool {
        let dealer = try socket(.dealer, security)
        _ = try dealer.connect(endpoint)
        try dealer.send([[1]])
        _ = try ZeroMQSocket.wait(for: [router], timeout: patience)
        return try router.receive(maximumFrames: 2) != nil
    }

    /// Whether a dealer's message stays out, while those of two allowed dealers come in that connected after it, one after the
    /// other: a dealer that was let in would have been there before the second.
    private func staysOut(
        _ security: ZeroMQSocket.Security,
        whileIn allowed: ZeroMQSocket.Security,
        at endpoint: String,
        of router: ZeroMQSocket
    ) throws -> Bool {
        let dealer = try socket(.dealer, security)
        _ = try dealer.connect(endpoint)
        try dealer.send([[1]])
        for number in 2...3 as ClosedRange<UInt8> {
            let fence = try socket(.dealer, allowed)
            _ = try fence.connect(endpoint)
            try fence.send([[number]])
            try #require(
                ZeroMQSocket.wait(for: [router], timeout: .seconds(20))[0],
                "an allowed client is out"
            )
            guard try router.receive(maximumFrames: 2)?.last == [number] else { return false }
        }
        return try router.receive(maximumFrames: 2) == nil
    }

    @Test func `only the list is let in, and only with the server's key`() throws {
        let denied = Mutex<[CurvePublicKey?]>([])
        let allowed = CurveAllowList(names: [client.publicKey: "arm1"])
        let authority = try CurveAuthority(context: context, allowing: allowed) { event in
            if case .denied("127.0.0.1", let key) = event { denied.withLock { $0.append(key) } }
        }
        let router = try socket(.router, .server(server))
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let stranger = try CurveKeyPair()
        let clients = ZeroMQSocket.Security.client(.init(keys: client, server: server.publicKey))
        let misled = ZeroMQSocket.Security.client(.init(keys: client, server: stranger.publicKey))
        #expect(try arrives(clients, at: endpoint, of: router))
        #expect(try staysOut(.none, whileIn: clients, at: endpoint, of: router))
        #expect(try staysOut(misled, whileIn: clients, at: endpoint, of: router))
        #expect(denied.withLock { $0 }.isEmpty, "neither comes so far as to show a key")
        let strangers = ZeroMQSocket.Security.client(.init(keys: stranger, server: server.publicKey))
        #expect(try staysOut(strangers, whileIn: clients, at: endpoint, of: router))
        eventually {
            denied.withLock { $0 }
        } is: {
            $0 == [stranger.publicKey]
        }

        authority.allow(CurveAllowList(names: [stranger.publicKey: "arm2"]))
        #expect(try arrives(strangers, at: endpoint, of: router))
        #expect(try staysOut(clients, whileIn: strangers, at: endpoint, of: router))
    }

    @Test func `without an authority nobody is let in`() throws {
        let router = try socket(.router, .server(server))
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let keys = CurveClientKeys(keys: client, server: server.publicKey)
        // Nobody comes in after it whose message could end the wait.
        #expect(try !arrives(.client(keys), at: endpoint, of: router, patience: .milliseconds(300)))
    }

    @Test func contextHasOneAuthority() throws {
        let list = CurveAllowList(names: [:])
        let first = try CurveAuthority(context: context, allowing: list) { _ in }
        let error = #expect(throws: ZeroMQError.self) {
            try CurveAuthority(context: context, allowing: list) { _ in }
        }
        #expect(error?.description == "bind inproc://zeromq.zap.01: Address already in use")
        first.stop()
    }
}

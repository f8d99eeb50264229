import Foundation
import Logging
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon

/// A daemon with keys, over TCP.
@Suite(.timeLimit(.minutes(10))) struct CurveTests {
    let keys: KeyFolder
    let toy: ToyDaemon

    init() throws {
        let keys = try KeyFolder(clients: ["arm1"])
        self.keys = keys
        toy = try ToyDaemon {
            DaemonTests.tcp(&$0)
            $0.security = keys.security
        }
    }

    /// A client in a context of its own, as another process is.
    private func client(_ name: String, keys: CurveClientKeys?) throws -> RobotClient {
        try RobotClient(
            robot: id(name),
            endpoints: toy.endpoints,
            context: ZeroMQContext(),
            security: keys
        )
    }

    /// Checks that a client gets no answer, no chunk, and nothing through to a history: neither within its own time nor until
    /// a client that comes after it, if anyone is let in, has its answer.
    private func expectNothing(
        for client: RobotClient,
        isAnyoneLetIn: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = toy.daemon.statistics
        #expect(throws: RobotClientError.self, sourceLocation: sourceLocation) {
            try client.ping(timeout: .milliseconds(300))
        }
        #expect(throws: RobotClientError.self, sourceLocation: sourceLocation) {
            try client.chunk(
                for: observation(0, first: 1, robot: client.robot.text),
                timeout: .milliseconds(300)
            )
        }
        var requests = before.requests
        if isAnyoneLetIn {
            _ = try self.client("arm1", keys: keys.client("arm1")).ping()
            requests["ping", default: 0] += 1
        }
        let after = toy.daemon.statistics
        #expect(after.observations == before.observations, sourceLocation: sourceLocation)
        #expect(after.requests == requests, sourceLocation: sourceLocation)
    }

    private var unauthorized: UInt64 { toy.daemon.statistics.rejectedMessages["unauthorized"] ?? 0 }

    @Test func allowedClientGetsAChunkAndIsFoundThroughItsRequestEndpoint() throws {
        let client = try RobotClient.connecting(
            robot: id("arm1"),
            requests: toy.endpoints.requests,
            context: ZeroMQContext(),
            security: keys.client("arm1")
        )
        #expect(try client.chunk(for: observation(0, first: 1)).actions.first == 2)
        #expect(try client.predict(observation(1, first: 2)).actions.first == 3)
        #expect(unauthorized == 0)
        #expect(toy.log.lines.first == "info: \(keys.clientFolder) lets in 1: arm1")
    }

    @Test func aFilesNameForgesNoLineOfTheLog() throws {
        try keys.allow("arm2", as: "b\u{1b}[2J\ninfo: forged")
        #expect(toy.daemon.reloadClients())
        #expect(toy.log.lines.last == "info: \(keys.clientFolder) lets in 2: arm1, b?[2J?info: forged")
        // The same key again, under the names of which one is in the error.
        try keys.allow("arm2", as: "c\u{1b}[2J")
        #expect(!toy.daemon.reloadClients())
        let line = try #require(toy.log.lines.last)
        #expect(line.contains("/c?[2J.key: holds the same key as b?[2J?info: forged.key"), "\(line)")
        #expect(line.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }

    @Test func `an unknown client gets nothing and is counted`() throws {
        try expectNothing(for: client("arm2", keys: keys.client("arm2")))
        // One for each socket.
        eventually {
            unauthorized
        } is: {
            $0 >= 3
        }
        #expect(unauthorized == 3)
        let lines = toy.log.lines.filter { $0.contains("unauthorized") }
        #expect(lines.count == 1, "one line a second, \(lines)")
        let key = try keys.client("arm2").keys.publicKey
        #expect(
            lines.first
                == "warning: refused a connection, unauthorized: 127.0.0.1 has the key \(key), which is not among the clients"
        )
        // It holds up nobody.
        let allowed = try client("arm1", keys: keys.client("arm1"))
        #expect(try allowed.chunk(for: observation(0, first: 1)).actions.first == 2)
    }

    @Test func `a client without keys gets nothing`() throws {
        try expectNothing(for: client("arm1", keys: nil))
        let allowed = try client("arm1", keys: keys.client("arm1"))
        #expect(try allowed.chunk(for: observation(0, first: 1)).actions.first == 2)
    }

    @Test func `a client that expects another daemon tells it nothing`() throws {
        let wrong = CurveClientKeys(keys: try keys.client("arm1").keys, server: try CurveKeyPair().publicKey)
        try expectNothing(for: client("arm1", keys: wrong))
    }

    @Test func `a client that is added gets in, and one that is removed is refused at its next connection`()
        throws
    {
        try expectNothing(for: client("arm2", keys: keys.client("arm2")))
        try keys.allow("arm2")
        #expect(toy.daemon.reloadClients())
        let second = try client("arm2", keys: keys.client("arm2"))
        #expect(try second.chunk(for: observation(0, first: 1, robot: "arm2")).actions.first == 2)

        try keys.remove("arm2")
        #expect(toy.daemon.reloadClients())
        let before = unauthorized
        try expectNothing(for: client("arm2", keys: keys.client("arm2")))
        eventually {
            unauthorized
        } is: {
            $0 >= before + 3
        }
        #expect(try second.ping().monotonicNs > 0, "a connection that is there stays")
    }

    @Test func `a bad file leaves the list in force`() throws {
        try keys.allow("arm2")
        let bad = "\(keys.clientFolder)/bad.key"
        try Data("curve\n".utf8).write(to: URL(filePath: bad))
        #expect(!toy.daemon.reloadClients())
        #expect(
            toy.log.lines.contains(
                "error: the clients stay as they were: \(bad): public-key is missing, expected it in the section curve"
            )
        )
        try expectNothing(for: client("arm2", keys: keys.client("arm2")))
        let allowed = try client("arm1", keys: keys.client("arm1"))
        #expect(try allowed.chunk(for: observation(0, first: 1)).actions.first == 2)
    }

    @Test func `an empty folder is worth a warning`() throws {
        try keys.remove("arm1")
        #expect(toy.daemon.reloadClients())
        #expect(toy.log.lines.last == "warning: \(keys.clientFolder) has no client keys: nobody is let in")
        try expectNothing(for: client("arm1", keys: keys.client("arm1")), isAnyoneLetIn: false)
    }

    /// The daemon is the CURVE server also where it calls.
    @Test(arguments: [true, false])
    func daemonThatConnectsTalksToItsClientsAlone(isAllowed: Bool) throws {
        let context = try ZeroMQContext()
        var options = ZeroMQSocket.Options()
        options.security = .client(try keys.client(isAllowed ? "arm1" : "arm2"))
        options.lingerMilliseconds = 0
        let observations = try ZeroMQSocket(.publish, context: context, options: options)
        let chunks = try ZeroMQSocket(.subscribe, context: context, options: options)
        try chunks.subscribe(to: id("arm1").chunkTopic)
        let (observationsEndpoint, chunksEndpoint) = try (
            observations.bind("tcp://127.0.0.1:*"), chunks.bind("tcp://127.0.0.1:*")
        )
        let toy = try ToyDaemon {
            DaemonTests.tcp(&$0)
            $0.observations = .connect(observationsEndpoint)
            $0.chunks = .connect(chunksEndpoint)
            $0.security = keys.security
        }
        var received: [[UInt8]]?
        let message = try observation(0, first: 1)
        for _ in 0..<(isAllowed ? 200 : 6) where received == nil {
            try observations.send([message.robot.observationTopic, message.encoded()])
            _ = try ZeroMQSocket.wait(for: [chunks], timeout: .milliseconds(50))
            received = try chunks.receive(maximumFrames: 2)
        }
        #expect((received != nil) == isAllowed)
        #expect((toy.daemon.statistics.observations == 1) == isAllowed)
        #expect((toy.daemon.statistics.rejectedMessages["unauthorized"] != nil) != isAllowed)
    }

    @Test func contextThatHasAnAuthorityIsRefused() throws {
        let context = try ZeroMQContext()
        let authority = try CurveAuthority(context: context, allowing: CurveAllowList(names: [:])) { _ in }
        var configuration = DaemonConfiguration.embedded()
        configuration.security = keys.security
        let error = #expect(throws: ZeroMQError.self) {
            try Daemon(configuration: configuration, context: context) { _ in ToyPlanner() }
        }
        #expect(error?.endpoint == "inproc://zeromq.zap.01")
        authority.stop()
    }

    @Test func daemonWithoutKeysHasNothingToReload() throws {
        #expect(try !ToyDaemon().daemon.reloadClients())
    }

    @Test func `a warning is repeated`() throws {
        let log = LogLines()
        let warning = RecurringWarning("open", logger: log.logger, interval: .milliseconds(1))
        eventually {
            log.lines
        } is: {
            $0.count >= 3
        }
        #expect(Set(log.lines) == ["warning: open"])
        withExtendedLifetime(warning) {}
    }
}

/// A daemon's keys, clients' keys and the folder of those who are let in.
final class KeyFolder: Sendable {
    private let root: String
    var clientFolder: String { "\(root)/clients" }
    let security: DaemonSecurity

    /// - Parameter clients: who is let in; there are keys for `arm1` and `arm2`.
    init(clients: [String]) throws {
        let root = FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-\(UInt64.random(in: 0 ... .max))").path(percentEncoded: false)
        self.root = root
        try FileManager.default.createDirectory(atPath: "\(root)/clients", withIntermediateDirectories: true)
        for name in ["server", "arm1", "arm2"] {
            _ = try CurveCertificate.write(CurveKeyPair(), to: "\(root)/\(name)")
        }
        for name in clients {
            try FileManager.default.copyItem(
                atPath: "\(root)/\(name).key",
                toPath: "\(root)/clients/\(name).key"
            )
        }
        security = try DaemonSecurity(
            secretFile: "\(root)/server.key_secret",
            clientFolder: "\(root)/clients"
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func client(_ name: String) throws -> CurveClientKeys {
        try CurveClientKeys(secretFile: "\(root)/\(name).key_secret", serverFile: "\(root)/server.key")
    }

    /// Lets in a client, whose file gets another name where that is given.
    func allow(_ name: String, as file: String? = nil) throws {
        try FileManager.default.copyItem(
            atPath: "\(root)/\(name).key",
            toPath: "\(clientFolder)/\(file ?? name).key"
        )
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(clientFolder)/\(name).key")
    }
}

import Clocks
import ForeignText
import HTTP
import Logging
import NIOHTTP1
import OpenPI
import Robotics
import Synchronization
import WebSockets
import Wire

/// The server for clients of an openpi policy server. It unpacks what they observe on its own thread, and hands it to the socket
/// thread, where ``OpenPIDesk`` takes it.
final class OpenPIEndpoint: Sendable {
    /// An observation and who sent it.
    struct Demand: Sendable {
        /// Who asks.
        var client: UInt64
        /// Whom the client speaks for if it does not say so.
        var robot: RobotID
        var observation: OpenPIObservation
        /// The monotonic clock when the message was there.
        var received: MonotonicTime
    }

    /// What the socket thread has to know, in the order in which it happened.
    enum Event: Sendable {
        case demand(Demand)
        /// A client has gone that had sent something.
        case ended(UInt64)
    }

    private let server: WebSocketServer
    private let front: OpenPIFront

    /// Where it listens, with a wildcard port resolved.
    var url: String { "ws://\(server.address.authority)" }

    /// Listens where the daemon's configuration says; nil if it says nothing.
    ///
    /// - Parameters:
    ///   - daemon: the configuration, with or without room for frames.
    ///   - health: asked on the server's thread; must not wait.
    ///   - wakeUp: wakes the socket thread.
    /// - Throws: ``OpenPIListenError`` if the address cannot be had.
    init?(
        configuration daemon: DaemonConfiguration,
        policy: PolicyDescription,
        telemetry: Telemetry,
        health: @escaping @Sendable () -> DaemonHealth,
        wakeUp: @escaping @Sendable () -> Void
    ) throws(OpenPIListenError) {
        guard let configuration = daemon.withRoomForFrames(of: [policy]).openPI else { return nil }
        front = OpenPIFront(
            configuration: configuration,
            policy: policy,
            telemetry: telemetry,
            logger: daemon.logger,
            health: health,
            wakeUp: wakeUp
        )
        do throws(HTTPServerError) {
            server = try WebSocketServer(
                at: configuration.address,
                limits: .init(messageBytes: configuration.limits.messageBytes),
                thread: "openpi",
                service: front
            )
        } catch {
            throw OpenPIListenError(description: "openpi: \(error)")
        }
    }

    /// What has happened since it was asked last.
    func takeEvents() -> [Event] { front.takeEvents() }

    /// Packs the answer to a client's observation.
    func encode(
        _ chunk: inout RobotChunk,
        for client: UInt64,
        finish: (inout RobotChunk.Timing) -> Void
    ) -> [UInt8] {
        var actions = OpenPIActions(
            chunk: chunk,
            arrays: front.mapping.names.actions,
            previousTotalNs: front.previousTotalNs(of: client)
        )
        defer { chunk = actions.chunk }
        return actions.encode(finish: finish)
    }

    /// Sends a client its answer; one that is gone gets nothing.
    func answer(_ client: UInt64, _ message: [UInt8]) { front.client(client)?.answer(message) }

    /// Tells a client an error, which ends its connection, as openpi does it.
    func fail(_ client: UInt64, _ error: ErrorMessage) {
        front.client(client)?.fail(error.description)
    }

    /// Tells the clients that the daemon ends, and ends; once.
    func stop() { server.stop() }
}

/// What the server's thread does: lets clients in, unpacks what they send, and tells them what is wrong with it.
private final class OpenPIFront: WebSocketService {
    private struct Client {
        let connection: WebSocketClient
        /// Its number among the clients that are there, from 1; the lowest that is free.
        let place: Int
        var robot: RobotID
        var hasAsked = false
        var previousTotalNs: UInt64?
    }

    private struct State {
        var clients: [UInt64: Client] = [:]
        var events: [OpenPIEndpoint.Event] = []
        var log = LogLimiter<MessageError.Code>()
        var notices = LogLimiter<String>()
    }

    let mapping: OpenPIMapping
    private let policy: PolicyDescription
    private let key: String?
    private let limits: MessagePackLimits
    private let greeting: [UInt8]
    private let telemetry: Telemetry
    private let logger: Logger
    private let health: @Sendable () -> DaemonHealth
    private let wakeUp: @Sendable () -> Void
    private let state = Mutex(State())

    init(
        configuration: OpenPIConfiguration,
        policy: PolicyDescription,
        telemetry: Telemetry,
        logger: Logger,
        health: @escaping @Sendable () -> DaemonHealth,
        wakeUp: @escaping @Sendable () -> Void
    ) {
        mapping = configuration.mapping ?? OpenPIMapping(standardFor: policy)
        self.policy = policy
        key = configuration.key
        limits = configuration.limits
        greeting = OpenPIMetadata(policy: policy, names: mapping.names, daemonVersion: daemonVersion)
            .encoded()
        (self.telemetry, self.logger) = (telemetry, logger)
        (self.health, self.wakeUp) = (health, wakeUp)
    }

    // MARK: For the socket thread

    func takeEvents() -> [OpenPIEndpoint.Event] {
        state.withLock { state in
            defer { state.events = [] }
            return state.events
        }
    }

    func client(_ id: UInt64) -> WebSocketClient? { state.withLock { $0.clients[id]?.connection } }

    func previousTotalNs(of id: UInt64) -> UInt64? { state.withLock { $0.clients[id]?.previousTotalNs } }

    // MARK: For the server's thread

    func refusal(of request: HTTPRequestHead, from peer: String) -> HTTPRefusal? {
        guard let key else { return nil }
        let given = request.headers["Authorization"]
        if given.count == 1, equalsInConstantTime(given[0], "Api-Key \(key)") { return nil }
        reject(
            MessageError(.unauthorized, "\(given.isEmpty ? "no key" : "another key than the file's")"),
            "refused a connection of \(peer)"
        )
        var answer = HTTPRefusal.unauthorized("expected Authorization: Api-Key and the key of the server")
            .answer
        answer.authenticationScheme = "Api-Key"
        return HTTPRefusal(answer: answer)
    }

    func answer(_ request: HTTPRequest) -> HTTPAnswer {
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPRefusal.methodNotAllowed(request.method).answer
        }
        switch request.path {
        case "/healthz":
            let failures = health().failures
            guard !failures.isEmpty else { return HTTPAnswer(.ok, "OK\n") }
            return HTTPAnswer(.serviceUnavailable, failures.map { "\($0)\n" }.joined())
        case "/":
            return HTTPAnswer(.upgradeRequired, "expected a WebSocket, as an openpi client opens it\n")
        default:
            return HTTPAnswer(.notFound, "expected / for a WebSocket, or /healthz\n")
        }
    }

    func begin(_ client: WebSocketClient) -> [UInt8] {
        let name = state.withLock { state in
            let taken = Set(state.clients.values.map(\.place))
            // One place more than there are clients has a free one among them.
            let place = (1...taken.count + 1).first { !taken.contains($0) } ?? taken.count + 1
            let robot = mapping.robot ?? Self.robot(place)
            state.clients[client.id] = Client(connection: client, place: place, robot: robot)
            return robot
        }
        telemetry.count { $0.requests["openpi.connect", default: 0] += 1 }
        tell("connected", "\(client.address) has connected, \(name) unless it names another robot")
        return greeting
    }

    private static func robot(_ place: Int) -> RobotID {
        guard let robot = RobotID("openpi.\(place)") else { preconditionFailure("a name that is none") }
        return robot
    }

    func take(_ message: [UInt8], isText: Bool, from client: WebSocketClient, previousTotalNs: UInt64?) {
        let received = MonotonicTime.now()
        do throws(MessageError) {
            guard !isText else {
                throw MessageError(
                    .wrongType,
                    "a text of \(message.count) bytes, expected MessagePack in a binary message"
                )
            }
            let request = try OpenPIRequest(message, limits: limits)
            let observation = try OpenPIObservation(request, mapping: mapping, policy: policy)
            put(observation, from: client, received: received, previousTotalNs: previousTotalNs)
        } catch {
            reject(error, "rejected a message")
            client.fail(ErrorMessage(error).description, code: isText ? 1003 : 1011)
        }
    }

    private func put(
        _ observation: OpenPIObservation,
        from client: WebSocketClient,
        received: MonotonicTime,
        previousTotalNs: UInt64?
    ) {
        let first = state.withLock { state -> RobotID? in
            guard var known = state.clients[client.id] else { return nil }
            let isFirst = !known.hasAsked
            known.hasAsked = true
            known.previousTotalNs = previousTotalNs
            state.clients[client.id] = known
            state.events.append(
                .demand(
                    .init(
                        client: client.id,
                        robot: known.robot,
                        observation: observation,
                        received: received
                    )
                )
            )
            return isFirst ? observation.robot ?? known.robot : nil
        }
        wakeUp()
        guard let first, !observation.ignoredKeys.isEmpty else { return }
        let keys = observation.ignoredKeys.prefix(16).map { printable($0, limit: 64) }
        let more = observation.ignoredKeys.count > 16 ? ", ..." : ""
        tell(
            "ignored",
            "\(first): what comes as \(keys.joined(separator: ", "))\(more) is ignored, no policy's name is mapped to it"
        )
    }

    func refuse(_ fault: WebSocketFault, of client: WebSocketClient) -> String {
        let error =
            switch fault {
            case .forbidden(let what): MessageError(.badFrames, "\(what), which WebSocket forbids (RFC 6455)")
            case .tooLong:
                MessageError(.tooLarge, "the message is longer than \(limits.messageBytes) bytes")
            case .tooSlow: MessageError(.badFrames, "the message was not whole in time")
            case .silent: MessageError(.badFrames, "the client is silent, and answers no ping")
            case .unread: MessageError(.badFrames, "the client does not read its answers")
            }
        reject(error, "ended the connection of \(client.address)")
        return ErrorMessage(error).description
    }

    func end(_ client: WebSocketClient) {
        let hadAsked = state.withLock { state in
            let hadAsked = state.clients.removeValue(forKey: client.id)?.hasAsked ?? false
            if hadAsked { state.events.append(.ended(client.id)) }
            return hadAsked
        }
        if hadAsked { wakeUp() }
        tell("gone", "\(client.address) has gone")
    }

    // MARK: Log

    /// Counts and logs what is not done; one line a second for each reason.
    private func reject(_ error: MessageError, _ event: String) {
        telemetry.countRejection(error.code)
        guard let suppressed = state.withLock({ $0.log.admit(error.code, now: .now()) }) else { return }
        logger.warning("openpi: \(event), \(error.code.rawValue): \(error)\(Self.more(suppressed))")
    }

    /// Logs what happens; one line a second for each kind.
    private func tell(_ kind: String, _ text: String) {
        guard let suppressed = state.withLock({ $0.notices.admit(kind, now: .now()) }) else { return }
        logger.info("openpi: \(text)\(Self.more(suppressed))")
    }

    private static func more(_ suppressed: Int) -> String {
        suppressed > 0 ? " (and \(suppressed) more since the last such line)" : ""
    }
}

import HTTP
import NIOCore
import NIOHTTP1
import Robotics
import Synchronization

/// The live page as a server serves it: what its connections share.
final class LiveServer: Sendable {
    private struct Counts {
        var streams = 0
        /// When a refusal was told last, in nanoseconds of the monotonic clock, and how many were not told since.
        var toldNs: UInt64 = 0
        var untold = 0
    }

    /// Between two refusals that are told, in nanoseconds.
    private static let tellingPeriodNs: UInt64 = 1_000_000_000

    let page: LivePage
    let thumbnails = Thumbnails()
    private let mostStreams: Int
    private let counts = Mutex(Counts())

    /// - Parameter mostStreams: event streams at a time.
    init(_ page: LivePage, mostStreams: Int) { (self.page, self.mostStreams) = (page, mostStreams) }

    /// Begins an event stream, which ``endStream()`` ends. Returns whether there may be another one.
    func beginStream() -> Bool {
        counts.withLock { counts in
            guard counts.streams < mostStreams else { return false }
            counts.streams += 1
            return true
        }
    }

    func endStream() { counts.withLock { $0.streams -= 1 } }

    /// Tells of a request that was refused, unless one was told of within the last second.
    func tell(_ refusal: HTTPRefusal, of request: HTTPRequest, from peer: SocketAddress?, nowNs: UInt64) {
        let untold = counts.withLock { counts -> Int? in
            guard nowNs >= counts.toldNs + Self.tellingPeriodNs || counts.toldNs == 0 else {
                counts.untold += 1
                return nil
            }
            defer { (counts.toldNs, counts.untold) = (nowNs, 0) }
            return counts.untold
        }
        guard let untold else { return }
        let others = untold == 0 ? "" : "; \(untold) more were refused since the last line"
        let reason = refusal.answer.body.split(separator: "\n").first ?? ""
        page.warn("\(Self.origin(peer)): \(request.method) \(request.path) was refused: \(reason)\(others)")
    }

    /// Whom an order comes from, in words.
    static func origin(_ peer: SocketAddress?) -> String {
        guard let peer, let address = peer.ipAddress, let port = peer.port else { return "the live page" }
        return "the live page, \(address.contains(":") ? "[\(address)]" : address):\(port)"
    }
}

// MARK: What is asked for

extension LiveServer {
    /// What a request is answered with.
    enum Work: Sendable {
        /// An answer that is there.
        case answer(HTTPAnswer)
        /// Events of a robot, or with nil of none in particular, for as long as the client listens.
        case stream(RobotID?)
        /// What becomes of an order.
        case order(RobotOrder, RobotID?)
    }

    /// What a request is answered with; nil if the live page has no such target.
    ///
    /// - Parameter peer: who sent it; nil if that is not known.
    func work(for request: HTTPRequest, from peer: SocketAddress?, nowNs: UInt64) -> Work? {
        do throws(HTTPRefusal) {
            if let file = LiveFiles.answer(to: request.path) {
                try request.expect(["GET", "HEAD"])
                return .answer(file)
            }
            if request.path == "/events" { return try stream(request, peer) }
            let prefix = "/orders/"
            guard request.path.hasPrefix(prefix) else { return nil }
            let word = request.path.dropFirst(prefix.count)
            guard ["stop", "hold", "resume"].contains(word) else { return nil }
            return try order(String(word), request, peer)
        } catch {
            if error.answer.status == .forbidden || error.answer.status == .unauthorized {
                tell(error, of: request, from: peer, nowNs: nowNs)
            }
            return .answer(error.answer)
        }
    }

    private func stream(_ request: HTTPRequest, _ peer: SocketAddress?) throws(HTTPRefusal) -> Work {
        try request.expect(["GET", "HEAD"])
        try page.access.checkReader(request, from: peer)
        let robot: RobotID? = request.query.isEmpty ? nil : try Self.robot(request)
        guard request.method == "GET" else {
            return .answer(HTTPAnswer(.ok, "", contentType: EventStream.contentType))
        }
        return .stream(robot)
    }

    private func order(
        _ word: String,
        _ request: HTTPRequest,
        _ peer: SocketAddress?
    ) throws(HTTPRefusal) -> Work {
        try request.expect(["POST"])
        try page.access.checkOrder(request, from: peer)
        let robot: RobotID? = request.query == "robots=all" ? nil : try Self.robot(request)
        switch word {
        case "stop": return .order(.stop, robot)
        case "hold":
            guard robot != nil else { throw .badQuery(expected: "robot=ID: robots are held one by one") }
            return .order(.hold, robot)
        default:
            guard let text = request.headers["denoised-stop"], let seen = UInt64(text) else {
                throw .badQuery(
                    expected:
                        "the header Denoised-Stop, the number of the newest stop that you have seen, as events tell it"
                )
            }
            return .order(.resume(seen: seen), robot)
        }
    }

    private static func robot(_ request: HTTPRequest) throws(HTTPRefusal) -> RobotID {
        guard let text = request.parameter("robot"), let robot = RobotID(text) else {
            throw .badQuery(expected: "the query robot=ID, of an id of \(RobotID.rule), percent-encoded")
        }
        return robot
    }
}

extension HTTPRequest {
    /// Checks the method.
    /// - Throws: ``HTTPRefusal`` if it is another one.
    fileprivate func expect(_ methods: [String]) throws(HTTPRefusal) {
        guard methods.contains(method) else {
            throw .methodNotAllowed(method, expected: methods.joined(separator: " or "))
        }
    }
}

extension HTTPAnswer {
    /// What the client is told of its order.
    init(_ result: Result<OrderOutcome, MessageError>) {
        switch result {
        case .success(let outcome):
            self.init(.ok, LiveEvents.outcome(outcome) + "\n", contentType: "application/json")
        case .failure(let error):
            let status: HTTPResponseStatus =
                switch error.code {
                case .newerStop: .conflict
                case .busy, .stopping: .serviceUnavailable
                default: .forbidden
                }
            self.init(status, LiveEvents.refusal(error) + "\n", contentType: "application/json")
        }
    }
}

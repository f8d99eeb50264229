import Clocks
import Robotics
import Wire

/// Why a robot got no answer.
public enum RobotClientError: Error, Sendable, CustomStringConvertible {
    /// A socket failed.
    case socket(ZeroMQError)
    /// What came back cannot be read.
    case message(MessageError)
    /// The daemon answered with an error.
    case refused(ErrorMessage)
    /// The daemon answered something else than was asked.
    case unexpected(asked: String, answered: String)
    /// Nothing came in time.
    case timeout(waitingFor: String, endpoint: String, after: Duration)

    /// What went wrong.
    public var description: String {
        switch self {
        case .socket(let error): "\(error)"
        case .message(let error): "the daemon's message cannot be read: \(error)"
        case .refused(let error): "the daemon refused: \(error)"
        case .unexpected(let asked, let answered): "the daemon answered \(asked) with \(answered)"
        case .timeout(let what, let endpoint, let after): "no \(what) from \(endpoint) within \(after)"
        }
    }
}

/// The robot's side of the protocol, for the thread that made it.
public final class RobotClient {
    /// The robot that the client speaks for.
    public let robot: RobotID
    /// Where the daemon is.
    public let endpoints: InfoMessage.Endpoints
    private let observations: ZeroMQSocket
    private let chunks: ZeroMQSocket
    private let requests: ZeroMQSocket
    private let limits: MessagePackLimits
    private var requestNumber: UInt64 = 0
    /// Whether a chunk has come: both publishing sockets have joined then.
    private var hasJoined = false

    /// Connects to the three endpoints of a daemon; whether one is there shows with the first answer.
    ///
    /// An embedded daemon is reached through its `inproc` endpoints with its own context. `security` holds the keys for a
    /// daemon that asks for them; one that does not let the client in answers nothing.
    ///
    /// - Parameter longestObservation: the most bytes that an observation will have, as `info` tells: while the daemon does not
    ///   read, fewer long observations than short ones wait. What is published beyond is dropped.
    public init(
        robot: RobotID,
        endpoints: InfoMessage.Endpoints,
        context: ZeroMQContext,
        security: CurveClientKeys? = nil,
        limits: MessagePackLimits = .standard,
        longestObservation: Int = MessagePackLimits.standard.messageBytes
    ) throws(ZeroMQError) {
        self.robot = robot
        self.endpoints = endpoints
        self.limits = limits
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = limits.messageBytes
        options.security = security.map { .client($0) } ?? .none
        var publishing = options
        publishing.sendHighWaterMark = Self.waitingObservations(longest: longestObservation)
        observations = try ZeroMQSocket(.publish, context: context, options: publishing)
        chunks = try ZeroMQSocket(.subscribe, context: context, options: options)
        requests = try ZeroMQSocket(.dealer, context: context, options: options)
        try chunks.subscribe(to: robot.chunkTopic)
        _ = try chunks.connect(endpoints.chunks)
        _ = try observations.connect(endpoints.observations)
        _ = try requests.connect(endpoints.requests)
    }

    /// Asks the daemon at a request endpoint for its other endpoints, and connects to those.
    public static func connecting(
        robot: RobotID,
        requests endpoint: String,
        context: ZeroMQContext,
        security: CurveClientKeys? = nil,
        timeout: Duration = .seconds(5)
    ) throws(RobotClientError) -> RobotClient {
        let info = try info(from: endpoint, context: context, security: security, timeout: timeout)
        return try onSocket { () throws(ZeroMQError) in
            try RobotClient(
                robot: robot,
                endpoints: info.endpoints,
                context: context,
                security: security,
                longestObservation: info.limits?.messageBytes ?? MessagePackLimits.standard.messageBytes
            )
        }
    }

    /// How many observations may wait for a daemon that does not read, if none has more bytes than the longest: 1,000 of a robot
    /// without cameras, whose observations are far shorter than the protocol allows; else as many as 128 MiB hold, but at least 8.
    static func waitingObservations(longest: Int) -> Int {
        guard longest > MessagePackLimits.standard.messageBytes else { return 1000 }
        return max(8, (128 << 20) / longest)
    }

    /// What the daemon at a request endpoint answers to somebody who is no robot.
    public static func answer(
        to request: Request,
        from endpoint: String,
        context: ZeroMQContext,
        security: CurveClientKeys? = nil,
        timeout: Duration = .seconds(5)
    ) throws(RobotClientError) -> Reply {
        let socket = try onSocket { () throws(ZeroMQError) in
            var options = ZeroMQSocket.Options()
            options.security = security.map { .client($0) } ?? .none
            let socket = try ZeroMQSocket(.dealer, context: context, options: options)
            _ = try socket.connect(endpoint)
            return socket
        }
        return try ask(
            request,
            number: 0,
            on: socket,
            endpoint: endpoint,
            limits: .standard,
            timeout: timeout
        )
    }

    /// What the daemon at a request endpoint runs and has done, with its endpoints as they are reached from there, for
    /// somebody who is no robot.
    public static func info(
        from endpoint: String,
        context: ZeroMQContext,
        security: CurveClientKeys? = nil,
        timeout: Duration = .seconds(5)
    ) throws(RobotClientError) -> InfoMessage {
        let reply = try answer(
            to: .info,
            from: endpoint,
            context: context,
            security: security,
            timeout: timeout
        )
        guard case .info(var info) = reply else { throw .unexpected(asked: "info", answered: reply.type) }
        info.endpoints = InfoMessage.Endpoints(
            observations: EndpointScope.endpoint(info.endpoints.observations, ofHostAt: endpoint),
            chunks: EndpointScope.endpoint(info.endpoints.chunks, ofHostAt: endpoint),
            requests: endpoint
        )
        return info
    }

    /// Publishes an observation that wants no chunk, or whose chunk is not waited for.
    public func publish(_ observation: RobotObservation) throws(RobotClientError) {
        _ = try Self.onSocket { () throws(ZeroMQError) in
            try observations.send([robot.observationTopic, observation.encoded()])
        }
    }

    /// Publishes an observation and waits for the chunk that answers it.
    ///
    /// Neither side of a publishing socket knows when the other has joined, and what is published before is lost. The
    /// observation is therefore published again until its chunk is there, first after 10 ms, then after twice as long each
    /// time, up to `longestInterval`; the daemon counts it once, and gives it the same chunk each time. Once a chunk has come,
    /// nothing is lost any more but by a daemon that restarts, and the first repeat waits for `longestInterval`: each is
    /// planned again.
    /// - Throws: ``RobotClientError``; `timeout` also if the daemon rejected the observation, which its log tells.
    public func chunk(
        for observation: RobotObservation,
        timeout: Duration = .seconds(10),
        longestInterval: Duration = .milliseconds(250)
    ) throws(RobotClientError) -> RobotChunk {
        let frames = [robot.observationTopic, observation.encoded()]
        let deadline = MonotonicTime.now() + timeout
        var interval = hasJoined ? longestInterval : min(Duration.milliseconds(10), longestInterval)
        while MonotonicTime.now() < deadline {
            _ = try Self.onSocket { () throws(ZeroMQError) in try observations.send(frames) }
            let nextRepeat = min(MonotonicTime.now() + interval, deadline)
            interval = min(interval * 2, longestInterval)
            while let chunk = try nextChunk(until: nextRepeat) {
                hasJoined = true
                if chunk.episode == observation.episode, chunk.sequence == observation.sequence {
                    return chunk
                }
            }
        }
        throw .timeout(
            waitingFor: "chunk for observation \(observation.sequence) of episode \(observation.episode)",
            endpoint: endpoints.chunks,
            after: timeout
        )
    }

    /// The next chunk published for the robot, whichever observation it answers, or nil if none has come by the
    /// deadline.
    public func nextChunk(until deadline: MonotonicTime) throws(RobotClientError) -> RobotChunk? {
        while let message = try Self.receive(on: chunks, until: deadline) {
            guard message.count == 2, message[0] == robot.chunkTopic else { continue }
            do throws(MessageError) {
                return try RobotChunk(decoding: message[1], limits: limits)
            } catch {
                throw .message(error)
            }
        }
        return nil
    }

    /// What the daemon runs and has done.
    public func info(timeout: Duration = .seconds(5)) throws(RobotClientError) -> InfoMessage {
        let reply = try ask(.info, timeout: timeout)
        guard case .info(let info) = reply else { throw .unexpected(asked: "info", answered: reply.type) }
        return info
    }

    /// Whether the daemon is there: its monotonic and its wall clock, in nanoseconds.
    public func ping(
        timeout: Duration = .seconds(5)
    ) throws(RobotClientError) -> (monotonicNs: UInt64, wallNs: UInt64) {
        let reply = try ask(.ping(timeNs: MonotonicTime.now().unsignedNs), timeout: timeout)
        guard case .pong(_, let monotonicNs, let wallNs) = reply else {
            throw .unexpected(asked: "ping", answered: reply.type)
        }
        return (monotonicNs, wallNs)
    }

    /// Makes the daemon forget the robot's history. Returns whether there was one.
    ///
    /// - Parameters:
    ///   - episode: nil: whichever it is in.
    ///   - policy: the name of the policy that is to drive the robot from now on. If the daemon runs several, none does until one is
    ///     named.
    ///   - session: that of the robot's observations; nil: the reset holds whoever speaks for the robot.
    public func reset(
        episode: EpisodeID? = nil,
        policy: String? = nil,
        session: UInt64? = nil,
        timeout: Duration = .seconds(5)
    ) throws(RobotClientError) -> Bool {
        let reply = try ask(
            .reset(robot: robot, episode: episode, policy: policy, session: session),
            timeout: timeout
        )
        guard case .reset(_, let forgotten) = reply else {
            throw .unexpected(asked: "reset", answered: reply.type)
        }
        return forgotten
    }

    /// Stops a robot, or with nil every one, until it is resumed.
    @discardableResult
    public func stop(_ robot: RobotID?, timeout: Duration = .seconds(5)) throws(RobotClientError) -> StopReply
    {
        let reply = try ask(.stop(robot: robot), timeout: timeout)
        guard case .stop(let stop) = reply else {
            throw .unexpected(asked: "stop", answered: reply.type)
        }
        return stop
    }

    /// Lets a robot, or with nil every one, move again. Returns how many had been stopped.
    ///
    /// - Parameters:
    ///   - robot: the robot; nil: every one.
    ///   - seen: the number of the newest stop that whoever resumes has seen; nil: the newest one there is now. A robot
    ///     that was stopped later stays stopped.
    ///   - timeout: how long to wait for the reply.
    /// - Throws: ``RobotClientError`` `refused` with code `newer_stop` if there is a later one.
    public func resume(
        _ robot: RobotID?,
        seen: UInt64? = nil,
        timeout: Duration = .seconds(5)
    ) throws(RobotClientError) -> Int {
        let newest = if let seen { seen } else { try info(timeout: timeout).stop }
        let reply = try ask(.resume(robot: robot, seen: newest), timeout: timeout)
        guard case .resume(let robots, _) = reply else {
            throw .unexpected(asked: "resume", answered: reply.type)
        }
        return robots
    }

    /// Sends an observation as a request, and waits for its chunk.
    public func predict(
        _ observation: RobotObservation,
        timeout: Duration = .seconds(10)
    ) throws(RobotClientError) -> RobotChunk {
        let reply = try ask(.predict(observation), timeout: timeout)
        guard case .chunk(let chunk) = reply else {
            throw .unexpected(asked: "predict", answered: reply.type)
        }
        return chunk
    }

    private func ask(_ request: Request, timeout: Duration) throws(RobotClientError) -> Reply {
        requestNumber += 1
        return try Self.ask(
            request,
            number: requestNumber,
            on: requests,
            endpoint: endpoints.requests,
            limits: limits,
            timeout: timeout
        )
    }

    /// Sends one request and waits for the reply with its number; replies to requests given up before are passed over.
    private static func ask(
        _ request: Request,
        number: UInt64,
        on socket: ZeroMQSocket,
        endpoint: String,
        limits: MessagePackLimits,
        timeout: Duration
    ) throws(RobotClientError) -> Reply {
        let deadline = MonotonicTime.now() + timeout
        _ = try onSocket { () throws(ZeroMQError) in try socket.send([request.encoded(number: number)]) }
        while let frames = try receive(on: socket, until: deadline) {
            guard let payload = frames.last else { continue }
            let answer: (number: UInt64?, reply: Reply)
            do throws(MessageError) {
                answer = try Reply.decode(payload, limits: limits)
            } catch {
                throw .message(error)
            }
            guard answer.number == number else { continue }
            if case .error(let error) = answer.reply { throw .refused(error) }
            return answer.reply
        }
        throw .timeout(waitingFor: "answer to \(request.type)", endpoint: endpoint, after: timeout)
    }

    /// The next message, or nil if none has come by the deadline.
    private static func receive(
        on socket: ZeroMQSocket,
        until deadline: MonotonicTime
    ) throws(RobotClientError) -> [[UInt8]]? {
        try onSocket { () throws(ZeroMQError) in
            while true {
                if let frames = try socket.receive(maximumFrames: 2) { return frames }
                let left = deadline - MonotonicTime.now()
                guard left > .zero else { return nil }
                _ = try ZeroMQSocket.wait(for: [socket], timeout: left)
            }
        }
    }

    private static func onSocket<Result>(
        _ body: () throws(ZeroMQError) -> Result
    ) throws(RobotClientError) -> Result {
        do throws(ZeroMQError) {
            return try body()
        } catch {
            throw .socket(error)
        }
    }
}

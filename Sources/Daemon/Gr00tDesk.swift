import Clocks
import Gr00t
import Planning
import Robotics
import Transport
import Wire

/// Answers clients of a GR00T policy server: what they ask is a `predict`, a `reset`, or answered at once.
struct Gr00tDesk {
    private var endpoint: Gr00tEndpoint
    private let robots: Robots
    private let intake: ObservationIntake
    private let requests: RequestDesk
    private let replies: Replies
    private let telemetry: Telemetry
    private let rejections: Rejections

    init(
        endpoint: Gr00tEndpoint,
        intake: ObservationIntake,
        requests: RequestDesk,
        context: LoopContext
    ) {
        self.endpoint = endpoint
        self.intake = intake
        self.requests = requests
        robots = context.robots
        replies = context.replies
        telemetry = context.telemetry
        rejections = context.rejections
    }

    /// Answers the requests that are there, for as long as a socket may be read.
    mutating func answer() throws(ZeroMQError) {
        let began = MonotonicTime.now()
        for _ in 0..<Gr00tEndpoint.messagesAtATime {
            guard MonotonicTime.now().elapsedNs(since: began) <= ReadingTurn.nanoseconds,
                let message = try endpoint.receive()
            else { return }
            if let name = message.endpoint {
                telemetry.count { $0.requests["gr00t.\(name)", default: 0] += 1 }
            }
            try answer(message)
        }
    }

    private func answer(_ message: Gr00tEndpoint.Message) throws(ZeroMQError) {
        switch message.demand {
        case .success(.reply(let reply)):
            try endpoint.send(reply, to: message.route)
        case .success(.reset(let robot, let episode)):
            if let episode { try requests.forget(robot, episode: episode, now: message.received) }
            try endpoint.send(.done, to: message.route)
        case .success(.plan(var observation, let preceding, let destination)):
            let received = message.received
            observation.timeNs = robots.pilots[observation.robot, now: received]
                .timeStamp(received: received)
            do throws(MessageError) {
                try intake.accept(
                    observation,
                    preceding: preceding,
                    for: destination,
                    received: received
                )
            } catch {
                rejections.reject(error, from: "gr00t")
                try replies.send(.error(ErrorMessage(error)), to: destination)
            }
        case .failure(let error):
            rejections.reject(error, from: "gr00t")
            try endpoint.send(.error(ErrorMessage(error)), to: message.route)
        }
    }
}

import Robotics
import Transport
import Wire

/// Clients of a GR00T policy server.
extension SocketLoop {
    func answerGr00t() throws(ZeroMQError) {
        let beganNs = Clock.monotonicNs()
        for _ in 0..<Gr00tEndpoint.messagesAtATime {
            guard Clock.monotonicNs() - beganNs <= Self.readingNs, let message = try gr00t?.receive() else {
                return
            }
            if let endpoint = message.endpoint {
                telemetry.count { $0.requests["gr00t.\(endpoint)", default: 0] += 1 }
            }
            switch message.demand {
            case .success(.reply(let reply)):
                try gr00t?.send(reply, to: message.route)
            case .success(.reset(let robot, let episode)):
                if let episode { _ = try forget(robot, episode: episode, nowNs: message.receivedNs) }
                try gr00t?.send(.done, to: message.route)
            case .success(.plan(var observation, let preceding, let destination)):
                observation.timeNs = pilots[observation.robot, nowNs: message.receivedNs]
                    .timeStamp(receivedNs: message.receivedNs)
                do throws(MessageError) {
                    try accept(
                        observation,
                        preceding: preceding,
                        for: destination,
                        receivedNs: message.receivedNs
                    )
                } catch {
                    reject(error, from: "gr00t")
                    try reply(.error(ErrorMessage(error)), to: destination)
                }
            case .failure(let error):
                reject(error, from: "gr00t")
                try gr00t?.send(.error(ErrorMessage(error)), to: message.route)
            }
        }
    }
}

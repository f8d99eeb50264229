import Planning
import Robotics
import Transport
import Wire

/// Sends replies back to the clients that asked. A client that is gone, or reads nothing, gets nothing, and holds nobody up.
struct Replies {
    /// The socket of native clients.
    let requests: ZeroMQSocket
    /// The socket of GR00T clients; nil if there is none.
    let gr00t: Gr00tEndpoint?
    /// The server of openpi clients; nil if there is none.
    let openPI: OpenPIEndpoint?

    /// Replies to a client; who waits for a robot's topic gets no reply.
    func send(_ reply: Reply, to destination: PlanningJob.Destination) throws(ZeroMQError) {
        switch destination {
        case .topic: return
        case .client(let route, let number): try requests.send(route + [reply.encoded(number: number)])
        case .gr00t(let route, _):
            // Errors alone reach such a client this way.
            guard case .error(let error) = reply else { return }
            try gr00t?.send(.error(error), to: route)
        case .openPI(let client):
            guard case .error(let error) = reply else { return }
            openPI?.fail(client, error)
        }
    }
}

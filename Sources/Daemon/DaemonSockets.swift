import Robotics
import Transport
import Wire

/// The sockets of a daemon, bound or connected.
struct DaemonSockets {
    /// Where observations come in.
    let observations: ZeroMQSocket
    /// Where chunks, commands and heartbeats go out.
    let chunks: ZeroMQSocket
    /// Where requests are answered.
    let requests: ZeroMQSocket
    /// Where clients of a GR00T policy server are answered; nil if the configuration asks for none.
    let gr00t: Gr00tEndpoint?
    /// The addresses, with wildcard ports resolved.
    let endpoints: InfoMessage.Endpoints

    /// - Parameter openPI: where clients of an openpi policy server are answered; nil: nowhere.
    /// - Throws: `ZeroMQError` if an address cannot be bound or connected.
    init(
        configuration: DaemonConfiguration,
        policy: PolicyDescription,
        openPI: String?,
        context: ZeroMQContext
    ) throws(ZeroMQError) {
        observations = try ZeroMQSocket(
            .subscribe,
            context: context,
            options: SocketBounds.observations(configuration)
        )
        chunks = try ZeroMQSocket(.publish, context: context, options: SocketBounds.chunks(configuration))
        requests = try ZeroMQSocket(.router, context: context, options: SocketBounds.requests(configuration))
        // Also to what has another topic or none: a publisher drops what nobody subscribes to, and nobody would hear of it.
        try observations.subscribe(to: [])
        gr00t = try Gr00tEndpoint(configuration: configuration, policy: policy, context: context)
        endpoints = try InfoMessage.Endpoints(
            observations: observations.attach(configuration.observations),
            chunks: chunks.attach(configuration.chunks),
            requests: requests.bind(configuration.requests),
            gr00t: gr00t?.address,
            openpi: openPI
        )
    }
}

extension ZeroMQSocket {
    fileprivate func attach(_ address: SocketAddress) throws(ZeroMQError) -> String {
        switch address {
        case .bind(let endpoint): try bind(endpoint)
        case .connect(let endpoint): try connect(endpoint)
        }
    }
}

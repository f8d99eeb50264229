import ArgumentParser
import CameraServers
import Daemon
import ForeignText
import Policy
import Wire

/// The options of `serve` for policies with cameras.
struct CameraServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Take the frames of a camera from a camera server of LeRobot, as observation.images.front=tcp://127.0.0.1:5558; robots \
            then need not send them. If the server calls the camera something else than the last part of that name: \
            observation.images.front=head_camera@tcp://127.0.0.1:5558. May be given more than once.
            """,
            valueName: "camera=endpoint"
        ),
        transform: { try CameraSourceOption($0).source }
    )
    var camera: [CameraSource] = []

    @Option(
        help: ArgumentHelp(
            """
            How long a camera's newest frame stands in for those that observations leave out, because the camera is slower \
            than the others, 0...60000; after that such an observation is refused as stale. Default: 500.
            """,
            valueName: "ms"
        )
    )
    var frameAge: Double?

    @Flag(
        help: """
            Encode frames only when a chunk needs them. Else those of observations that ask for no chunk are encoded as they come, \
            while nothing is planned, so that a later chunk need not wait for it.
            """
    )
    var encodeOnDemand = false

    func validate() throws {
        if let frameAge, !(0...60_000).contains(frameAge) {
            throw ValidationError("--frame-age is \(frameAge), expected 0...60000")
        }
        for (index, source) in camera.enumerated()
        where camera[..<index].contains(where: { $0.camera == source.camera }) {
            throw ValidationError("--camera \(printable(source.camera, limit: 128)) is given twice")
        }
    }

    /// Checks that no camera server is the daemon itself.
    ///
    /// - Parameter endpoints: the daemon's own.
    /// - Throws: `Failure` that names the camera.
    func check(against endpoints: [String]) throws {
        for source in camera where endpoints.contains(where: { EndpointScope.reaches(source.endpoint, $0) }) {
            throw Failure.input(
                "--camera: \(printable(source.camera, limit: 128)): found \(printable(source.endpoint, limit: 256)), where the daemon "
                    + "itself listens; expected the endpoint of a camera server"
            )
        }
    }

    /// Takes the options into a daemon's configuration.
    func apply(to configuration: inout DaemonConfiguration) {
        if let frameAge { configuration.frameAge = .milliseconds(frameAge) }
        configuration.encodesAhead = !encodeOnDemand
        configuration.cameraSources = camera
    }

    /// The endpoints of camera servers on other machines.
    ///
    /// Camera servers speak no CURVE: with keys too, whoever is on the way may show the robot what they like.
    ///
    /// - Throws: `Failure` if there are some and they are not accepted.
    func unprotected(isInsecure: Bool) throws -> [String] {
        let exposed = camera.map(\.endpoint).filter { !EndpointScope.isLocal($0) }
        guard let first = exposed.first, !isInsecure else { return exposed }
        throw Failure.input(
            """
            --camera: \(printable(first, limit: 256)) is on another machine, and camera servers have no keys: whoever is on the \
            way decides what the robot sees. Bring its port here by `ssh -L` or a VPN (docs/OPERATIONS.md#camera-servers) and \
            name an endpoint of 127.0.0.1, or accept it with --insecure
            """
        )
    }

    /// What is to be logged for as long as such servers are read, or nil if there are none.
    static func warning(about endpoints: [String]) -> String? {
        guard !endpoints.isEmpty else { return nil }
        let list = endpoints.map { printable($0, limit: 256) }.joined(separator: ", ")
        return "--insecure: whoever is on the way to \(list) decides what robots see"
    }

    /// Checks that each camera is one of a policy's, and of one size in all that have it.
    ///
    /// - Throws: `Failure` that names the option, and the cameras that there are.
    func check(for policies: [NamedPolicy]) throws {
        for source in camera {
            let option = "--camera \(printable(source.camera, limit: 128))"
            let having = policies.compactMap { policy in
                policy.bundle.cameras.first { $0.name == source.camera }.map { (policy.name, $0.size) }
            }
            guard let first = having.first else {
                let found = policies.map { policy in
                    let names = policy.bundle.cameras.map(\.name)
                    return
                        "the policy \(policy.name) has \(names.isEmpty ? "no cameras" : names.joined(separator: ", "))"
                }
                throw Failure.input("\(option): \(found.joined(separator: "; "))")
            }
            if let other = having.first(where: { $0.1 != first.1 }) {
                throw Failure.input(
                    "\(option): \(first.1) to \(first.0) and \(other.1) to \(other.0), expected one size for the server's frames"
                )
            }
        }
    }
}

import ArgumentParser
import Clocks
import Daemon
import Monitoring
import Robotics

/// Where a daemon tells Prometheus, and whoever looks after it, how it is.
struct HTTPOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve /metrics (Prometheus) and /healthz over HTTP here; a port alone is one of 127.0.0.1.",
            valueName: "[host:]port"
        ),
        transform: Self.address
    )
    var http: HTTPAddress?

    private static func address(_ text: String) throws -> HTTPAddress {
        guard let address = HTTPAddress(text) else {
            throw ValidationError("expected PORT or HOST:PORT, with a numeric address as 127.0.0.1 or [::1]")
        }
        return address
    }

    /// - Parameter isInsecure: whether other machines may reach it; HTTP is not encrypted, and asks for no key.
    /// - Throws: ``Failure`` if they could and may not.
    func check(isInsecure: Bool) throws {
        guard let http, !http.isLoopback, !isInsecure else { return }
        throw Failure.input(
            """
            --http: \(http) is open to other machines, and whoever reaches it can read along; expected an address of this \
            machine alone, such as 127.0.0.1, in front of which a proxy may stand, or --insecure
            """
        )
    }

    /// Starts the server, if one is wanted; the daemon need not have started.
    /// - Throws: ``Failure`` if the address cannot be had.
    func start(for daemon: Daemon) throws -> MonitoringServer? {
        guard let http else { return nil }
        return try Failure.asRun {
            try MonitoringServer(at: http) {
                DaemonSnapshot(
                    version: daemonVersion,
                    policy: daemon.planner?.policy,
                    sampler: daemon.planner?.sampler,
                    status: daemon.status,
                    failures: daemon.health.failures,
                    nowNs: MonotonicTime.now().unsignedNs
                )
            }
        }
    }
}

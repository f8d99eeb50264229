import ArgumentParser
import Clocks
import Daemon
import HTTP
import Logging
import Monitoring
import RobotDescription
import Robotics

/// Where a daemon shows people, Prometheus and supervisors how it is, and takes orders.
struct HTTPOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Serve a live page of the robots at /, /metrics (Prometheus) and /healthz over HTTP here; a port alone is one of \
            127.0.0.1. The page has buttons that stop, hold and resume robots.
            """,
            valueName: "[host:]port"
        ),
        transform: Self.address
    )
    var http: HTTPAddress?

    @Flag(
        help: """
            Show robots on the live page, and take orders there, only with a token, which is printed at the start. Without it \
            whoever is on this machine may; with CURVE keys, or at an address that other machines reach, a token is always asked for.
            """
    )
    var httpToken = false

    @Flag(help: "Take no orders on the live page.")
    var httpReadOnly = false

    private static func address(_ text: String) throws -> HTTPAddress {
        guard let address = HTTPAddress(text) else {
            throw ValidationError("expected PORT or HOST:PORT, with a numeric address as 127.0.0.1 or [::1]")
        }
        return address
    }

    func validate() throws {
        guard http == nil, httpToken || httpReadOnly else { return }
        throw ValidationError(
            "\(httpToken ? "--http-token" : "--http-read-only") is for the live page, expected --http with it"
        )
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

    /// What the server shares with a daemon that is not made yet; nil if no server is wanted.
    func liveBoard() -> LiveBoard? { http.map { _ in LiveBoard() } }

    /// The token that the live page asks for; nil if it asks for none.
    ///
    /// - Parameter hasKeys: whether the daemon's sockets ask for CURVE keys.
    func newToken(hasKeys: Bool) -> String? {
        guard let http, httpToken || hasKeys || !http.isLoopback else { return nil }
        return LiveAccess.newToken()
    }

    /// Starts the server, if one is wanted; the daemon need not have started.
    ///
    /// - Parameters:
    ///   - board: the daemon's tap fills it.
    ///   - token: what the live page asks for.
    ///   - robots: the robot files.
    /// - Throws: ``Failure`` if the address cannot be had.
    func start(
        for daemon: Daemon,
        board: LiveBoard?,
        token: String?,
        robots: [RobotFile],
        logger: Logger
    ) throws -> MonitoringServer? {
        guard let http, let board else { return nil }
        let files = Dictionary(
            robots.map { ($0.robot, LivePage.Robot($0)) },
            uniquingKeysWith: { first, _ in first }
        )
        let page = LivePage(
            board: board,
            access: LiveAccess(token.map { .token($0) } ?? .local, takesOrders: !httpReadOnly),
            robot: { robot in files[robot.text] ?? files[nil] },
            carryOut: { order, robot, origin, answer in
                daemon.carryOut(order, of: robot, origin: origin, answer: answer)
            },
            warn: { logger.warning("\($0)") }
        )
        return try Failure.asRun {
            try MonitoringServer(at: http, live: page) {
                DaemonSnapshot(
                    version: daemonVersion,
                    policies: daemon.policies,
                    status: daemon.status,
                    failures: daemon.health.failures,
                    nowNs: MonotonicTime.now().unsignedNs
                )
            }
        }
    }
}

extension LivePage.Robot {
    /// What a robot file says.
    fileprivate init(_ file: RobotFile) {
        let dimensions = file.limits.dimensions.enumerated().map { index, dimension in
            let speed = dimension.velocity.map { -$0...$0 }
            return LivePage.Dimension(
                name: dimension.name,
                range: dimension.kind == .position ? dimension.position : speed,
                element: file.feedback?.indices[index]
            )
        }
        self.init(dimensions: dimensions, feedback: file.feedback?.feature)
    }
}

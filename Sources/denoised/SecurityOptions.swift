import ArgumentParser
import Daemon
import ForeignText
import Transport
import Wire

/// The keys of a daemon and of its clients, or the will to do without.
struct SecurityOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The daemon's secret certificate, as keygen writes it: every socket is encrypted by CURVE.",
            valueName: "file"
        )
    )
    var curveKey: String?

    @Option(
        help: ArgumentHelp(
            "The folder with the public certificates (NAME.key) of those who are let in. SIGHUP reads it again.",
            valueName: "dir"
        )
    )
    var curveClients: String?

    @Flag(
        help: """
            Let everybody who reaches the daemon from other machines drive the robot, and read along. Without it and \
            without keys, only local endpoints are used: 127.0.0.0/8, [::1], localhost and ipc.
            """
    )
    var insecure = false

    func validate() throws {
        if (curveKey == nil) != (curveClients == nil) {
            throw ValidationError("--curve-key and --curve-clients go together")
        }
        if insecure && curveKey != nil {
            throw ValidationError("--insecure and --curve-key exclude each other")
        }
    }

    /// The daemon's security, from the files.
    func load() throws -> DaemonSecurity? {
        guard let curveKey, let curveClients else { return nil }
        return try Failure.asInput {
            try DaemonSecurity(secretFile: curveKey, clientFolder: curveClients)
        }
    }

    /// The endpoints among `endpoints` that other machines reach and nothing protects.
    ///
    /// - Throws: ``Failure`` if there are some and `--insecure` does not accept them.
    func unprotected(_ endpoints: [String]) throws -> [String] {
        guard curveKey == nil else { return [] }
        let exposed = endpoints.filter { !EndpointScope.isLocal($0) }
        guard let first = exposed.first, !insecure else { return exposed }
        throw Failure.input(
            """
            \(first) is open to other machines, and without keys whoever reaches it drives the robot. Make keys with \
            `denoised keygen` and give --curve-key and --curve-clients (docs/SECURITY.md), or use an endpoint of \
            127.0.0.1, or accept it with --insecure
            """
        )
    }

    /// What is to be logged for as long as `endpoints` are open, or nil if there are none.
    static func warning(about endpoints: [String]) -> String? {
        guard !endpoints.isEmpty else { return nil }
        let list = endpoints.map { printable($0, limit: 256) }.joined(separator: ", ")
        return "--insecure: whoever reaches \(list) can read along and drive the robot"
    }
}

/// The keys that a client needs for a daemon that asks for them.
struct ClientKeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "With --connect, this client's secret certificate, as keygen writes it.",
            valueName: "file"
        )
    )
    var curveKey: String?

    @Option(
        help: ArgumentHelp("With --connect, the daemon's public certificate.", valueName: "file")
    )
    var curveServer: String?

    func validate() throws {
        if (curveKey == nil) != (curveServer == nil) {
            throw ValidationError("--curve-key and --curve-server go together")
        }
    }

    /// Whether keys are given.
    var areGiven: Bool { curveKey != nil }

    /// The keys, from the files.
    func load() throws -> CurveClientKeys? {
        guard let curveKey, let curveServer else { return nil }
        return try Failure.asInput { try CurveClientKeys(secretFile: curveKey, serverFile: curveServer) }
    }
}

import ArgumentParser
import Daemon
import HTTP

/// The options of `serve` for robots that were written against an openpi policy server.
struct OpenPIServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Answer clients of an openpi policy server over WebSocket here (docs/OPENPI.md); a port alone is one of 127.0.0.1.
            """,
            valueName: "[host:]port"
        ),
        transform: Self.address
    )
    var openpi: HTTPAddress?

    @Option(
        help: ArgumentHelp(
            "Ask those clients for the API key in this file, which only its owner may read.",
            valueName: "file"
        )
    )
    var openpiKeyFile: String?

    private static func address(_ text: String) throws -> HTTPAddress {
        guard let address = HTTPAddress(text) else {
            throw ValidationError("expected PORT or HOST:PORT, with a numeric address as 127.0.0.1 or [::1]")
        }
        return address
    }

    func validate() throws {
        if openpiKeyFile != nil && openpi == nil {
            throw ValidationError("--openpi-key-file goes with --openpi")
        }
    }

    /// Whether other machines reach it and nothing is asked of them.
    private var isUnprotected: Bool { openpi.map { !$0.isLoopback } ?? false && openpiKeyFile == nil }

    /// The endpoint, in a list, if it is unprotected.
    var unprotected: [String] { isUnprotected ? openpi.map { ["ws://\($0.authority)"] } ?? [] : [] }

    /// - Parameter isInsecure: whether other machines may reach it without a key.
    /// - Throws: ``Failure`` if they could and may not.
    func check(isInsecure: Bool) throws {
        guard let openpi, isUnprotected, !isInsecure else { return }
        throw Failure.input(
            """
            --openpi: ws://\(openpi.authority) is open to other machines, and without a key whoever reaches it drives the robot; \
            give --openpi-key-file, or an address of this machine alone, such as 127.0.0.1, or accept it with --insecure
            """
        )
    }

    /// What is to be logged because the address is open to other machines and WebSocket is not encrypted; nil if it is not, or has no
    /// key, of which `--insecure` warns.
    var warning: String? {
        guard let openpi, !openpi.isLoopback, !isUnprotected else { return nil }
        return
            "openpi: ws://\(openpi.authority) is open to other machines and not encrypted: who can listen has the key"
    }

    /// What the options ask for; nil if they ask for nothing.
    /// - Throws: ``Failure`` for a key file that cannot be used.
    func configuration() throws -> OpenPIConfiguration? {
        guard let openpi else { return nil }
        var configuration = OpenPIConfiguration(address: openpi)
        if let openpiKeyFile { configuration.key = try SecretFile.line(of: openpiKeyFile, called: "key") }
        return configuration
    }
}

import ArgumentParser
import Daemon

/// The options of `serve` for robots that were written against a GR00T policy server.
struct Gr00tServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Answer clients of a GR00T policy server here (docs/GR00T.md).",
            valueName: "endpoint"
        ),
        transform: Endpoint.toListen
    )
    var gr00t: String?

    @Option(
        help: ArgumentHelp(
            "Ask those clients for the token in this file, which only its owner may read.",
            valueName: "file"
        )
    )
    var gr00tTokenFile: String?

    func validate() throws {
        if gr00tTokenFile != nil && gr00t == nil {
            throw ValidationError("--gr00t-token-file goes with --gr00t")
        }
    }

    /// What the options ask for; nil if they ask for nothing.
    /// - Throws: ``Failure`` for a token file that cannot be used.
    func configuration() throws -> Gr00tConfiguration? {
        guard let gr00t else { return nil }
        var configuration = Gr00tConfiguration(endpoint: gr00t)
        if let gr00tTokenFile {
            configuration.token = try SecretFile.line(of: gr00tTokenFile, called: "token")
        }
        return configuration
    }
}

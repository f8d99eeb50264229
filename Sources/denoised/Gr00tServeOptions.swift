import ArgumentParser
import Daemon
import Files

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
        if let gr00tTokenFile { configuration.token = try Self.token(in: gr00tTokenFile) }
        return configuration
    }

    private static let longestToken = 1024

    /// The one line of the file.
    private static func token(in path: String) throws -> String {
        let (mode, bytes) = try Failure.asInput(path: path) {
            let file = try RegularFile(path)
            return (file.mode, try file.read(upTo: longestToken + 2))
        }
        guard mode & 0o077 == 0 else {
            throw Failure.input(
                "\(path): mode \(String(mode & 0o777, radix: 8)), expected 600: others may read or change the token"
            )
        }
        let line = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes
        guard (1...longestToken).contains(line.count), line.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Failure.input(
                "\(path): no token, expected one line of 1 to \(longestToken) ASCII characters without blanks"
            )
        }
        return String(decoding: line, as: UTF8.self)
    }
}

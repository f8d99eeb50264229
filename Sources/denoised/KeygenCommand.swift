import ArgumentParser
import ForeignText
import Transport

struct KeygenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make a CURVE key pair for a daemon or a client.",
        discussion: """
            Writes NAME.key, the public certificate, and NAME.key_secret, which only its owner may read. pyzmq \
            (zmq.auth.load_certificate) and czmq read both. The daemon takes its secret file as --curve-key and a folder \
            with the .key files of its clients as --curve-clients; a client needs its own secret file and the daemon's \
            .key. docs/SECURITY.md has the steps.
            """
    )

    @Argument(help: "The files' name without .key, or their path.")
    var name: String

    @Flag(help: "Replace files that are there. Their keys are lost.")
    var force = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard let last = name.split(separator: "/", omittingEmptySubsequences: false).last, !last.isEmpty,
            last != ".", last != ".."
        else {
            throw ValidationError("NAME is \"\(name)\", expected the name or path of a file without .key")
        }
    }

    private struct Report: Encodable {
        let publicKey: String
        let publicFile: String
        let secretFile: String
    }

    func run() throws {
        let keys = try Failure.asRun { try CurveKeyPair() }
        let files: (publicFile: String, secretFile: String)
        do throws(CurveCertificateError) {
            files = try CurveCertificate.write(keys, to: name, replacing: force)
        } catch {
            guard error.reason == .exists else { throw Failure.run("\(error)") }
            throw Failure.input("\(error); --force replaces it, and its key is lost")
        }
        if json {
            try Console.json(
                Report(
                    publicKey: keys.publicKey.z85,
                    publicFile: files.publicFile,
                    secretFile: files.secretFile
                )
            )
        } else {
            Console.result("public  \(printable(files.publicFile, limit: 4096))")
            Console.result("secret  \(printable(files.secretFile, limit: 4096))")
        }
    }
}

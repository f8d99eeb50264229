import Foundation
import Glibc
import Testing
import Transport
import Wire

extension EndToEnd {
    /// Keys, who is let in, and what is refused without keys.
    @Suite struct SecurityTests {
        static let policy = SourceTree.tinyPolicy("processors")
        let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        /// Makes keys for a daemon and two clients, and a folder that lets in the first.
        private func makeKeys() async throws {
            for name in ["server", "arm1", "arm2"] { _ = try await succeed(["keygen", folder.path(name)]) }
            try FileManager.default.createDirectory(
                at: folder.file("clients"),
                withIntermediateDirectories: false
            )
            try letIn("arm1")
        }

        private func letIn(_ name: String) throws {
            try FileManager.default.copyItem(
                at: folder.file("\(name).key"),
                to: folder.file("clients/\(name).key")
            )
        }

        private var serverOptions: [String] {
            ["--curve-key", folder.path("server.key_secret"), "--curve-clients", folder.path("clients")]
        }

        private func clientOptions(_ name: String) -> [String] {
            ["--curve-key", folder.path("\(name).key_secret"), "--curve-server", folder.path("server.key")]
        }

        private func keys(_ name: String) throws -> CurveClientKeys {
            try CurveClientKeys(
                secretFile: folder.path("\(name).key_secret"),
                serverFile: folder.path("server.key")
            )
        }

        private func refusal(_ arguments: [String]) async throws -> String {
            let ended = try await RunningProgram(arguments).end(seconds: 60)
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.output == "")
            return ended.error
        }

        @Test func keygenWritesAPairOnceAndReplacesItWhereForced() async throws {
            let stem = folder.path("arm1")
            let report = try await succeed(["keygen", stem, "--json"]).json()
            #expect(report["public_file"] as? String == "\(stem).key")
            #expect(report["secret_file"] as? String == "\(stem).key_secret")
            var status = stat()
            #expect(stat("\(stem).key_secret", &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o600)
            let pair = try CurveCertificate.readSecret("\(stem).key_secret")
            #expect(report["public_key"] as? String == pair.publicKey.z85)
            #expect(try CurveCertificate.readPublic("\(stem).key") == pair.publicKey)

            let error = try await refusal(["keygen", stem])
            #expect(error.contains("\(stem).key_secret: exists already"))
            #expect(error.contains("--force"))
            #expect(try CurveCertificate.readSecret("\(stem).key_secret").publicKey == pair.publicKey)

            let text = try await succeed(["keygen", stem, "--force"]).output
            #expect(text == "public  \(stem).key\nsecret  \(stem).key_secret\n")
            #expect(try CurveCertificate.readPublic("\(stem).key") != pair.publicKey)
        }

        @Test func keygenNamesWhatIsWrong() async throws {
            for name in ["", "keys/", ".."] {
                #expect(try await refusal(["keygen", name]).contains("NAME is \"\(name)\""))
            }
            let ended = try await RunningProgram(["keygen", folder.path("none/arm1")]).end()
            #expect(ended.exitCode == 1)
            #expect(
                ended.error.contains("none/arm1.key_secret: cannot be written (No such file or directory)")
            )
        }

        @Test(
            arguments: [
                ["--requests", "tcp://*:0"], ["--observations", "tcp://0.0.0.0:0"],
                ["--chunks", "tcp://10.1.2.3:5556"], ["--observations-from", "tcp://robot.lan:5555"],
                ["--chunks-to", "tcp://192.168.1.9:5556"], ["--requests", "tcp://[::]:5557"],
            ]
        )
        func openEndpointWithoutKeysIsRefused(options: [String]) async throws {
            let error = try await refusal(["serve", "--policy", Self.policy] + options)
            for part in [
                options[1], "denoised keygen", "--curve-key", "--curve-clients", "127.0.0.1", "--insecure",
            ] {
                #expect(error.contains(part), "no \"\(part)\" in \(error)")
            }
        }

        @Test func insecureIsLoggedAndWorks() async throws {
            let daemon = try await RunningDaemon(
                policy: Self.policy,
                options: ["--requests", "tcp://0.0.0.0:*", "--insecure"]
            )
            #expect(try daemon.client().chunk(for: observation(0)).actionSteps == 4)
            let error = try await daemon.stop().error
            let warnings = error.split(separator: "\n").filter { $0.contains(" warning ") }
            #expect(warnings.count == 1, "\(error)")
            #expect(warnings.first?.contains("--insecure: whoever reaches tcp://0.0.0.0:*") == true)
        }

        @Test func insecureIsNoWarningWhereAllIsLocal() async throws {
            let daemon = try await RunningDaemon(policy: Self.policy, "--insecure")
            #expect(try await !daemon.stop().error.contains("warning"))
        }

        @Test func badKeysAreRefused() async throws {
            try await makeKeys()
            let serve = ["serve", "--policy", Self.policy]
            #expect(try await refusal(serve + ["--curve-key", "a"]).contains("--curve-clients go together"))
            #expect(try await refusal(serve + serverOptions + ["--insecure"]).contains("exclude each other"))
            chmod(folder.path("server.key_secret"), 0o644)
            let open = try await refusal(serve + serverOptions)
            #expect(open.contains("server.key_secret: has mode 0644, expected 0600"), "\(open)")
            chmod(folder.path("server.key_secret"), 0o600)
            try Data("curve\n".utf8).write(to: folder.file("clients/bad.key"))
            let bad = try await refusal(serve + serverOptions)
            #expect(bad.contains("clients/bad.key: public-key is missing"), "\(bad)")

            let sim = ["sim", "--connect", "tcp://127.0.0.1:1"]
            #expect(try await refusal(sim + ["--curve-key", "a"]).contains("--curve-server go together"))
            let swapped = ["--curve-key", folder.path("arm1.key_secret"), "--curve-server"]
            let secret = try await refusal(sim + swapped + [folder.path("server.key_secret")])
            #expect(secret.contains("server.key_secret: holds a secret key"), "\(secret)")
            let policy = ["sim", "--policy", Self.policy] + clientOptions("arm1")
            #expect(try await refusal(policy).contains("are for --connect"))
        }

        @Test func hangUpReadsTheClientsAgain() async throws {
            try await makeKeys()
            // Open to other machines, which is accepted with keys.
            let daemon = try await RunningDaemon(
                policy: Self.policy,
                options: serverOptions + ["--requests", "tcp://0.0.0.0:*", "--json"]
            )
            func reload(_ line: String) async throws {
                let before = daemon.program.error.count
                daemon.program.send(SIGHUP)
                try await daemon.program.wait(for: line) {
                    daemon.program.error.dropFirst(before).contains(line)
                }
            }
            #expect(try daemon.client("arm1", keys: keys("arm1")).chunk(for: observation(0)).actionSteps == 4)
            func isLetIn(_ name: String) throws -> Bool {
                let options: ZeroMQSocket.Options = try {
                    var options = ZeroMQSocket.Options()
                    options.security = .client(try keys(name))
                    options.lingerMilliseconds = 0
                    return options
                }()
                let socket = try ZeroMQSocket(.dealer, context: daemon.context, options: options)
                _ = try socket.connect(daemon.endpoints.requests)
                try socket.send([Request.info.encoded(number: 1)])
                return try ZeroMQSocket.wait(for: [socket], timeout: .milliseconds(500))[0]
            }
            #expect(try !isLetIn("arm2"))
            try letIn("arm2")
            try await reload("lets in 2: arm1, arm2")
            _ = try daemon.client("arm2", keys: keys("arm2")).info()

            try Data("curve\n".utf8).write(to: folder.file("clients/bad.key"))
            try await reload("the clients stay as they were")
            _ = try daemon.client("arm2", keys: keys("arm2")).info()

            for name in ["bad", "arm2"] {
                try FileManager.default.removeItem(at: folder.file("clients/\(name).key"))
            }
            try await reload("lets in 1: arm1")
            #expect(try !isLetIn("arm2"))
            _ = try daemon.client("arm1", keys: keys("arm1")).info()

            let statistics = try await daemon.stop().json()
            #expect(statistics["rejected_messages"] as? [String: Int] == ["unauthorized": 2])
        }

        @Test func simulatorConnectsWithKeys() async throws {
            try await makeKeys()
            let policy = try pushTPolicy()
            let daemon = try await RunningDaemon(policy: policy.path, options: serverOptions + ["--json"])
            let sim = ["sim", "--connect", daemon.endpoints.requests, "--json"]
            let report = try await succeed(sim + clientOptions("arm1")).json()
            #expect(report["episodes"] as? Int == 1)
            let refused = try [
                (RunningProgram(sim + clientOptions("arm2")), "does it let this key in?"),
                (RunningProgram(sim), "does it ask for keys?"),
            ]
            for (program, hint) in refused {
                let ended = try await program.end(seconds: 60)
                #expect(ended.exitCode == 1, "\(ended)")
                #expect(ended.error.contains(hint), "\(ended)")
            }
            let statistics = try await daemon.stop().json()
            #expect(statistics["rejected_messages"] as? [String: Int] == ["unauthorized": 1])
        }

        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func pyzmqReadsTheCertificatesAndIsLetIn() async throws {
            try await makeKeys()
            // The other way round: a certificate that pyzmq wrote is on the list.
            let make = """
                import sys, zmq.auth
                zmq.auth.create_certificates(sys.argv[1], "python")
                """
            let made = try await python(make, folder.path(""))
            #expect(made.exitCode == 0, "\(made)")
            try letIn("python")
            let daemon = try await RunningDaemon(policy: Self.policy, options: serverOptions + ["--json"])
            let ask = """
                import sys, msgpack, zmq, zmq.auth
                folder, name, endpoint = sys.argv[1:]
                context = zmq.Context()
                context.linger = 0
                daemon = context.socket(zmq.REQ)
                daemon.curve_publickey, daemon.curve_secretkey = zmq.auth.load_certificate(f"{folder}/{name}.key_secret")
                daemon.curve_serverkey, nothing = zmq.auth.load_certificate(f"{folder}/server.key")
                assert nothing is None
                daemon.connect(endpoint)
                daemon.send(msgpack.packb({"v": 1, "type": "ping"}))
                print(msgpack.unpackb(daemon.recv())["type"] if daemon.poll(1000) else "nothing")
                """
            for (name, answer) in [("arm1", "pong\n"), ("python", "pong\n"), ("arm2", "nothing\n")] {
                let ended = try await python(ask, folder.path(""), name, daemon.endpoints.requests)
                #expect(ended.exitCode == 0 && ended.output == answer, "\(name): \(ended)")
            }
            let statistics = try await daemon.stop().json()
            #expect(statistics["requests"] as? [String: Int] == ["ping": 2])
            #expect(statistics["rejected_messages"] as? [String: Int] == ["unauthorized": 1])
        }

        private func python(_ arguments: String...) async throws -> RunningProgram.Ended {
            let executable = URL(filePath: try #require(ExampleRobot.pythonPath))
            return try await RunningProgram(["-c"] + arguments, executable: executable).end()
        }
    }
}

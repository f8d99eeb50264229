import Daemon
import Foundation
import Glibc
import Testing

@Suite struct ServiceManagerTests {
    @Test(arguments: [false, true])
    func statesArriveAsDatagrams(isAbstract: Bool) throws {
        let socket = try NotifySocket(isAbstract: isAbstract)
        let manager = try #require(try ServiceManager(environment: ["NOTIFY_SOCKET": socket.name]))
        #expect(manager.watchdogNs == nil)
        #expect(manager.tell(.ready, .status("two\nlines\r\nof text")))
        #expect(manager.tell(.alive))
        #expect(manager.tell(.stopping))
        #expect(socket.receive() == ["READY=1", "STATUS=two lines of text"])
        #expect(socket.receive() == ["WATCHDOG=1"])
        #expect(socket.receive() == ["STOPPING=1"])
        #expect(socket.receive() == nil)
    }

    @Test func nobodyListensIsNoFailure() throws {
        let folder = try TemporaryFolder()
        let manager = try #require(try ServiceManager(environment: ["NOTIFY_SOCKET": folder.path("none")]))
        #expect(!manager.tell(.ready))
    }

    /// A socket whose owner reads nothing fills up; telling must neither wait nor fail.
    @Test func aFullSocketHoldsNobodyUp() throws {
        let socket = try NotifySocket(isAbstract: true)
        let manager = try #require(try ServiceManager(environment: ["NOTIFY_SOCKET": socket.name]))
        var sent = 0
        while sent < 1_000_000, manager.tell(.alive) { sent += 1 }
        #expect((1..<1_000_000).contains(sent))
        #expect(socket.receive() == ["WATCHDOG=1"])
        #expect(manager.tell(.stopping))
    }

    @Test(
        arguments: [
            ([:], nil),
            (["NOTIFY_SOCKET": ""], nil),
            (["NOTIFY_SOCKET": "/run/notify"], .some(UInt64?.none)),
            (["NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "2000000"], 2_000_000_000),
            (["NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "42"], 5000),
            (["NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "43"], .some(nil)),
            (["NOTIFY_SOCKET": "/run/notify", "WATCHDOG_PID": "42"], .some(nil)),
        ] as [([String: String], UInt64??)]
    )
    func environmentSaysWhoWatches(environment: [String: String], expected: UInt64??) throws {
        let manager = try ServiceManager(environment: environment, process: 42)
        #expect(manager.map(\.watchdogNs) == expected)
    }

    @Test(arguments: [
        ("NOTIFY_SOCKET", "notify"), ("NOTIFY_SOCKET", "vsock:2:1234"), ("NOTIFY_SOCKET", "@"),
        ("NOTIFY_SOCKET", "/" + String(repeating: "n", count: 107)),
        ("WATCHDOG_USEC", "soon"), ("WATCHDOG_USEC", "0"), ("WATCHDOG_USEC", "-1"),
        ("WATCHDOG_USEC", "18446744073709551615"),
    ])
    func whatIsNotUnderstoodIsNamed(variable: String, value: String) {
        let error = #expect(throws: ServiceManager.EnvironmentError.self) {
            try ServiceManager(
                environment: ["NOTIFY_SOCKET": "/run/notify"].merging([variable: value]) { $1 }
            )
        }
        #expect(error?.variable == variable)
    }
}

extension EndToEnd {
    @Suite struct ServeUnderAServiceManagerTests {
        @Test(arguments: [false, true])
        func tellsWhenItIsReadyThatItWorksAndThatItEnds(isAbstract: Bool) async throws {
            let socket = try NotifySocket(isAbstract: isAbstract)
            let folder = try TemporaryFolder()
            let names = ["observations", "chunks", "requests"]
            let daemon = try RunningProgram(
                ["serve", "--policy", SourceTree.tinyPolicy("processors")]
                    + names.flatMap { ["--\($0)", "ipc://\(folder.path($0))"] },
                environment: ["NOTIFY_SOCKET": socket.name, "WATCHDOG_USEC": "100000"]
            )
            var lines: [String] = []
            try await daemon.wait(for: "READY=1") {
                try #require(daemon.isRunning, "\(daemon.error)")
                let news = socket.receiveAll()
                if lines.isEmpty, !news.isEmpty {
                    for name in names {
                        #expect(
                            FileManager.default.fileExists(atPath: folder.path(name)),
                            "\(name) not bound"
                        )
                    }
                }
                lines += news
                return lines.contains("READY=1")
            }
            let status = try #require(lines.first { $0.hasPrefix("STATUS=") })
            #expect(status.contains("processors"))

            // Nobody sends the daemon anything: the beats come from its loop's own time.
            try await daemon.wait(for: "beats") {
                lines += socket.receiveAll()
                return lines.count { $0 == "WATCHDOG=1" } >= 5
            }
            #expect(!lines.contains("STOPPING=1"))

            daemon.send(SIGTERM)
            let ended = try await daemon.end()
            #expect(ended.exitCode == 0, "\(ended)")
            lines += socket.receiveAll()
            #expect(lines.count { $0 == "READY=1" } == 1)
            #expect(lines.count { $0 == "STOPPING=1" } == 1)
        }

        @Test func isNotReadyWhereItCannotBind() async throws {
            let socket = try NotifySocket(isAbstract: true)
            let folder = try TemporaryFolder()
            let ended = try await RunningProgram(
                [
                    "serve", "--policy", SourceTree.tinyPolicy("processors"), "--requests",
                    "ipc://\(folder.path("none/requests"))", "--observations", "tcp://127.0.0.1:*",
                    "--chunks",
                    "tcp://127.0.0.1:*",
                ],
                environment: ["NOTIFY_SOCKET": socket.name, "WATCHDOG_USEC": "100000"]
            ).end()
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(!socket.receiveAll().contains("READY=1"))
        }

        @Test func servesWithoutAServiceManagerThatItCannotReach() async throws {
            let folder = try TemporaryFolder()
            let daemon = try RunningProgram(
                ["serve", "--policy", SourceTree.tinyPolicy("processors")]
                    + ["observations", "chunks", "requests"].flatMap {
                        ["--\($0)", "ipc://\(folder.path($0))"]
                    },
                environment: ["NOTIFY_SOCKET": "vsock:2:1"]
            )
            try await daemon.wait(for: "the sockets") {
                try #require(daemon.isRunning, "\(daemon.error)")
                return daemon.output.contains("requests")
            }
            #expect(daemon.error.contains("NOTIFY_SOCKET: found \"vsock:2:1\""))
            daemon.send(SIGTERM)
            let ended = try await daemon.end()
            #expect(ended.exitCode == 0, "\(ended)")
        }
    }
}

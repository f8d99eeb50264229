import Foundation
import Glibc
import Planning
import Robotics
import Testing
import Transport
import Wire

/// A robot of examples/ as a program.
enum ExampleRobot: String, CaseIterable {
    case python
    case cpp

    /// Those that this machine can run: Python where DENOISED_TEST_PYTHON names an interpreter that has pyzmq, msgpack and NumPy,
    /// as `make test` sees to.
    static var here: [ExampleRobot] { pythonPath == nil ? [.cpp] : allCases }

    static let pythonPath = ProcessInfo.processInfo.environment["DENOISED_TEST_PYTHON"]

    private static let folder: URL = {
        atexit { try? FileManager.default.removeItem(at: ExampleRobot.folder) }
        return FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-examples-\(ProcessInfo.processInfo.processIdentifier)")
    }()

    /// The C++ robot, compiled once; a warning is an error.
    private static let compiled = Task {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let robot = folder.appending(path: "robot")
        let make = try await RunningProgram(
            [
                "-C", SourceTree.path("examples"), "OUT=\(robot.path(percentEncoded: false))",
                "CXXFLAGS=-O1 -Wall -Wextra -Werror",
            ],
            executable: URL(filePath: "/usr/bin/make")
        ).end()
        try #require(make.exitCode == 0, "\(make)")
        return robot
    }

    func run(_ arguments: [String]) async throws -> RunningProgram {
        switch self {
        case .python:
            try RunningProgram(
                [SourceTree.path("examples/robot.py")] + arguments,
                environment: ["PYTHONPATH": SourceTree.path("clients/python/src")],
                executable: URL(filePath: try #require(Self.pythonPath))
            )
        case .cpp:
            try RunningProgram(arguments, executable: try await Self.compiled.value)
        }
    }
}

/// A robot of examples/ at a daemon.
private struct Example {
    let id: String
    let program: RunningProgram

    /// Each of the examples, once with chunks and once with commands.
    static func all(at daemon: RunningDaemon, _ options: String...) async throws -> [Example] {
        var examples: [Example] = []
        for robot in ExampleRobot.here {
            for mode in ["chunks", "commands"] {
                let id = "\(robot)-\(mode)"
                let program = try await robot.run(
                    ["--requests", daemon.endpoints.requests, "--robot", id]
                        + (mode == "commands" ? ["--commands"] : []) + options
                )
                examples.append(Example(id: id, program: program))
            }
        }
        return examples
    }

    /// The number that its last lines tell before a word.
    func count(_ word: String) throws -> Int {
        let words = program.output.split { " ,\n".contains($0) }
        let index = try #require(words.lastIndex(of: Substring(word)), "\(id): \(program.output)")
        return try #require(Int(words[index - 1]), "\(id): \(program.output)")
    }

    /// Waits until it says these parts, one after the other; what stands between them does not matter.
    func wait(for parts: String...) async throws {
        try await program.wait(for: "\(id) to say \(parts)") {
            try #require(program.isRunning, "\(id): \(program.output)\(program.error)")
            return says(parts)
        }
    }

    private func says(_ parts: [String]) -> Bool {
        var rest = program.output[...]
        for part in parts {
            guard let range = rest.range(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return true
    }
}

extension EndToEnd {
    /// The robots of examples/, each with its own chunk buffer and with the daemon's commands, all at one daemon.
    @Suite(.timeLimit(.minutes(10))) struct ExampleTests {
        private static let policy = SourceTree.tinyPolicy("processors")
        private static let robotFile = SourceTree.path("examples/robots/pusht.yaml")
        /// More than a test takes.
        private static let forever = "1000000"

        @Test func carryOutAnEpisode() async throws {
            let daemon = try await RunningDaemon(policy: Self.policy, "--robot", Self.robotFile, "--json")
            let steps = 30
            for example in try await Example.all(at: daemon, "--steps", "\(steps)") {
                let ended = try await example.program.end()
                #expect(ended.exitCode == 0, "\(ended)")
                let (planned, held) = (try example.count("with"), try example.count("held"))
                #expect(planned > steps / 2, "\(ended)")
                // Steps are left out only where the machine had no time for the robot.
                #expect(planned + held <= steps, "\(ended)")
                #expect(try example.count("malformed") == 0, "\(ended)")
            }
            let statistics = try await daemon.stop().json()
            #expect(statistics["rejected_messages"] as? [String: Int] == [:])
            #expect(try #require(statistics["commands"] as? Int) > 0)
        }

        /// Of several policies each robot names one, to a new daemon again, and is told which there are if it names none or another.
        @Test(arguments: ExampleRobot.here)
        func aRobotNamesOneOfSeveralPolicies(robot: ExampleRobot) async throws {
            let (pick, place) = ("pick=\(Self.policy)", "place=\(SourceTree.tinyPolicy("buffers"))")
            let daemon = try await RunningDaemon(policy: pick, "--policy", place)
            let arguments = ["--requests", daemon.endpoints.requests, "--steps", Self.forever]
            for wrong in [[], ["--policy", "put"]] {
                let ended = try await robot.run(arguments + wrong).end()
                #expect(ended.exitCode == 1 && ended.error.contains("pick, place"), "\(ended)")
            }
            let program = try await robot.run(arguments + ["--policy", "place"])
            let example = Example(id: "\(robot)", program: program)
            try await example.wait(for: "policy place: ", ": moving")
            daemon.program.send(SIGKILL)
            try await example.wait(for: ": moving", ": holding")
            let next = try await RunningDaemon(policy: pick, at: daemon.endpoints, "--policy", place)
            try await example.wait(for: ": holding", "another process", ": moving")
            program.send(SIGINT)
            let ended = try await program.end()
            #expect(ended.exitCode == 130, "\(ended)")
            _ = try await next.stop()
        }

        @Test func goOnWithANewDaemonAndStopOnAnInterrupt() async throws {
            let daemon = try await RunningDaemon(policy: Self.policy, "--robot", Self.robotFile)
            let examples = try await Example.all(at: daemon, "--steps", Self.forever)
            for example in examples { try await example.wait(for: ": moving") }
            daemon.program.send(SIGKILL)
            for example in examples {
                try await example.wait(for: "the daemon is gone")
                try await example.wait(for: ": moving", ": holding")
            }

            let next = try await RunningDaemon(
                policy: Self.policy,
                at: daemon.endpoints,
                "--robot",
                Self.robotFile
            )
            for example in examples {
                try await example.wait(for: "the daemon is back", "another process")
                // A command may come before the first heartbeat.
                try await example.wait(for: ": moving", ": holding", ": moving")
                example.program.send(SIGINT)
                let ended = try await example.program.end()
                #expect(ended.exitCode == 130, "\(ended)")
            }
            for (id, state) in try states(at: next) { #expect(state == .stopped, "\(id)") }
            _ = try await next.stop()
        }

        @Test func aStopHoldsAcrossARestartUntilItIsReleased() async throws {
            let daemon = try await RunningDaemon(policy: Self.policy, "--robot", Self.robotFile)
            let examples = try await Example.all(at: daemon, "--steps", Self.forever)
            for example in examples { try await example.wait(for: ": moving") }
            #expect(try daemon.client().stop(nil).robots == examples.count)
            for example in examples {
                // Either may come first: a command on its own, or the answer to the robot's next request.
                try await example.wait(for: ": stopped: every robot is stopped")
                try await example.wait(for: ": moving", ": holding")
            }

            daemon.program.send(SIGKILL)
            let next = try await RunningDaemon(
                policy: Self.policy,
                at: daemon.endpoints,
                "--robot",
                Self.robotFile
            )
            try await next.program.wait(for: "the robots to be stopped again") {
                let states = try states(at: next)
                return examples.allSatisfy { states[$0.id] == .stopped }
            }
            for example in examples {
                let output = example.program.output
                let stopped = try #require(output.range(of: ": stopped: "))
                #expect(
                    !output[stopped.upperBound...].contains(": moving"),
                    "\(example.id) moved though it was stopped: \(output)"
                )
            }
            #expect(try next.client().resume(nil) == examples.count)
            for example in examples {
                try await example.wait(for: "another process", "released")
                try await example.wait(for: ": moving", ": holding", ": moving")
            }
            _ = try await next.stop()
        }

        @Test(arguments: ExampleRobot.here)
        func sayThatThereIsNoDaemon(robot: ExampleRobot) async throws {
            let ended = try await robot.run(["--requests", "tcp://127.0.0.1:1", "--timeout", "0.2"]).end()
            #expect(ended.exitCode == 1)
            #expect(ended.error.contains("is the daemon running?"), "\(ended)")
        }

        @Test(arguments: ExampleRobot.here)
        func passOverWhatIsMalformed(robot: ExampleRobot) async throws {
            let daemon = try LyingDaemon()
            let program = try await robot.run(["--requests", daemon.endpoint, "--steps", "15"])
            try await program.wait(for: "the end") {
                try daemon.work()
                return !program.isRunning
            }
            let ended = try await program.end()
            #expect(ended.exitCode == 0, "\(ended)")
            let example = Example(id: robot.rawValue, program: program)
            #expect(try example.count("with") > 0)
            let malformed = try example.count("malformed")
            #expect(
                malformed > 0 && malformed % LyingDaemon.lieCount == 0,
                "each of them is told from a chunk"
            )
        }

        /// The state of each robot, from the next heartbeat.
        private func states(at daemon: RunningDaemon) throws -> [String: RobotState] {
            let socket = try ZeroMQSocket(.subscribe, context: daemon.context)
            try socket.subscribe(to: Array(Topic.status.utf8))
            _ = try socket.connect(daemon.endpoints.chunks)
            _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(30))
            let frames = try #require(try socket.receive(maximumFrames: 2), "no heartbeat")
            return try StatusMessage(decoding: try #require(frames.last)).robots.mapValues(\.state)
        }
    }
}

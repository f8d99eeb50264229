import Foundation
import Glibc
import Robotics
import Testing
import Transport
import Wire

/// `denoised serve` at endpoints in a folder of its own: no stream of it has to be read to find them.
final class LocalDaemon {
    let program: RunningProgram
    let endpoints: InfoMessage.Endpoints
    let folder: TemporaryFolder
    private let context: ZeroMQContext

    /// - Parameters:
    ///   - options: besides policy and endpoints.
    ///   - wrapper: a program and its arguments that runs the daemon.
    ///   - output, error: the standard streams; nil: files.
    init(
        policy: String = SourceTree.tinyPolicy("processors"),
        _ options: [String] = [],
        wrapper: [String] = [],
        environment: [String: String] = [:],
        output: FileHandle? = nil,
        error: FileHandle? = nil
    ) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        context = try ZeroMQContext()
        func endpoint(_ name: String) -> String { "ipc://\(folder.path(name))" }
        endpoints = InfoMessage.Endpoints(
            observations: endpoint("o"),
            chunks: endpoint("c"),
            requests: endpoint("r")
        )
        let command = [
            "serve", "--policy", policy, "--observations", endpoints.observations, "--chunks",
            endpoints.chunks, "--requests", endpoints.requests,
        ]
        let arguments = Array(wrapper.dropFirst()) + command + options
        program = try RunningProgram(
            arguments,
            environment: environment,
            executable: wrapper.first.map { URL(filePath: $0) } ?? denoisedProgram,
            output: output,
            error: error
        )
    }

    /// The system's names of the daemon's threads.
    var threads: [String] {
        let tasks = "/proc/\(program.processIdentifier)/task"
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return numbers.compactMap { try? String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8) }
            .map { $0.trimmingCharacters(in: .newlines) }
    }

    /// A robot's client, once the daemon serves.
    func client() async throws -> RobotClient {
        let requests = folder.path("r")
        try await program.wait(for: "the endpoint") {
            try #require(program.isRunning, "\(program.output)\(program.error)")
            return FileManager.default.fileExists(atPath: requests)
        }
        return try clientAtOnce()
    }

    /// A robot's client that asks before the daemon serves. It waits in its socket: the tests beside it cannot delay what follows,
    /// as they can after an `await`.
    func clientAtOnce() throws -> RobotClient {
        try RobotClient.connecting(
            robot: try #require(RobotID("arm1")),
            requests: endpoints.requests,
            context: context,
            timeout: .seconds(60)
        )
    }

    func send(_ request: Request) throws -> Reply {
        try RobotClient.answer(to: request, from: endpoints.requests, context: context)
    }

    /// Makes the daemon log a line: a request that is none.
    func provokeALine() throws {
        let socket = try ZeroMQSocket(.dealer, context: context)
        _ = try socket.connect(endpoints.requests)
        try socket.send([[0xc1]])
        _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(10))
        _ = try #require(try socket.receive(maximumFrames: 2), "no answer to garbage")
    }
}

private let denoisedProgram = program

import Foundation
import Robotics
import Testing
import Transport
import Wire

/// `denoised serve` on free ports.
final class RunningDaemon {
    let program: RunningProgram
    let endpoints: InfoMessage.Endpoints
    let context: ZeroMQContext

    convenience init(
        policy: String,
        at endpoints: InfoMessage.Endpoints? = nil,
        _ options: String...
    ) async throws {
        try await self.init(policy: policy, at: endpoints, options: options)
    }

    /// - Parameters:
    ///   - endpoints: those of a daemon that has ended; nil: free ones.
    ///   - environment: variables to set besides this process's own.
    init(
        policy: String,
        at endpoints: InfoMessage.Endpoints? = nil,
        options: [String],
        environment: [String: String] = [:]
    ) async throws {
        let free = "tcp://127.0.0.1:*"
        let program = try RunningProgram(
            [
                "serve", "--policy", policy, "--observations", endpoints?.observations ?? free, "--chunks",
                endpoints?.chunks ?? free, "--requests", endpoints?.requests ?? free,
            ] + options,
            environment: environment
        )
        self.program = program
        context = try ZeroMQContext()
        var found: [String: String] = [:]
        try await program.wait(for: "the endpoints") {
            try #require(program.isRunning, "\(program.error)")
            found = Self.endpoints(in: program.error)
            return found.count >= 3
        }
        self.endpoints = InfoMessage.Endpoints(
            observations: found["observations"] ?? "",
            chunks: found["chunks"] ?? "",
            requests: found["requests"] ?? "",
            gr00t: found["gr00t"],
            openpi: found["openpi"]
        )
    }

    /// The endpoints of the log's line `observations tcp://..., chunks tcp://..., requests tcp://...`, and `gr00t tcp://...`
    /// and `openpi ws://...` where they were asked for.
    private static func endpoints(in log: String) -> [String: String] {
        let line = log.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .first { $0.contains("observations tcp://") }
        guard let line else { return [:] }
        let words = line.split { $0 == " " || $0 == "," }.map(String.init)
        return zip(words, words.dropFirst()).reduce(into: [:]) { endpoints, pair in
            if pair.1.hasPrefix("tcp://") || pair.1.hasPrefix("ws://") { endpoints[pair.0] = pair.1 }
        }
    }

    func client(_ name: String = "arm1", keys: CurveClientKeys? = nil) throws -> RobotClient {
        let robot = try #require(RobotID(name))
        return try RobotClient.connecting(
            robot: robot,
            requests: endpoints.requests,
            context: context,
            security: keys
        )
    }

    /// Ends the daemon with a signal, as it must end: with exit code 0.
    func stop(_ signal: Int32 = SIGTERM) async throws -> RunningProgram.Ended {
        program.send(signal)
        let ended = try await program.end(seconds: 60)
        #expect(ended.exitCode == 0, "\(ended)")
        return ended
    }
}

/// An observation for the policies of Tests/PolicyTests/Fixtures.
func observation(_ sequence: UInt64, episode: UInt64 = 1, noiseSeed: UInt64? = nil) throws
    -> RobotObservation
{
    RobotObservation(
        robot: try #require(RobotID("arm1")),
        episode: .number(episode),
        sequence: sequence,
        timeNs: 1000 + sequence,
        values: [
            "observation.state": [100 + Float(sequence), -2.75],
            "observation.environment_state": [0.25, 7.5, 0.0004],
        ],
        noiseSeed: noiseSeed
    )
}

import Foundation
import Testing
import Wire

@testable import Controller

/// The Python example against a running daemon. Runs where DENOISED_TEST_PYTHON names an interpreter that has pyzmq and
/// msgpack, as `make test` sees to.
@Suite(.timeLimit(.minutes(2))) struct ExampleTests {
    static let python = ProcessInfo.processInfo.environment["DENOISED_TEST_PYTHON"]

    @Test(.enabled(if: python != nil, "DENOISED_TEST_PYTHON is not set"))
    func pythonRobotRunsAnEpisode() throws {
        let toy = try ToyDaemon(DaemonTests.tcp)
        let example = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("examples/robot.py")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments = [
            example.path, "--requests", toy.endpoints.requests, "--robot", "toy", "--steps", "10", "--hz",
            "0",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
        #expect(text.hasSuffix("episode done: 10 steps\n"), "\(text)")

        let statistics = toy.daemon.statistics
        #expect(statistics.rejectedMessages.isEmpty, "\(toy.log.lines)")
        // Chunks have three actions: steps 0, 3, 6 and 9 ask for one. What is published last may still be on its way.
        #expect(statistics.chunks >= 4)
        #expect(statistics.observations == 10)
    }
}

import Foundation
import Glibc
import Testing

/// The program under test: DENOISED_BINARY where set, else the one built next to these tests.
let program: URL = {
    if let path = ProcessInfo.processInfo.environment["DENOISED_BINARY"] { return URL(filePath: path) }
    return URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "denoised")
}()

/// The tests that run the program as a process. One at a time, and waiting without a thread, so that they do not hold up
/// the tests beside them.
@Suite(.serialized) struct EndToEnd {}

/// Tests of what people look at: pages, pictures, terminals, worlds that go by the clock. They wait for most of their time, so they
/// run beside the others.
@Suite(.serialized) struct EndToEndToSee {}

/// Tests of what commands print and refuse, in a suite that runs beside the others for the same reason.
@Suite(.serialized) struct EndToEndOfCommands {}

/// A running program whose output goes to files, so that no full pipe can hold it up.
final class RunningProgram {
    /// What a program that has ended left behind.
    struct Ended: CustomStringConvertible {
        let exitCode: Int32
        let output: String
        let error: String

        var description: String { "exit code \(exitCode)\noutput: \(output)\nerror: \(error)" }

        /// The one JSON object that must be all of the output.
        func json() throws -> [String: Any] {
            let object = try? JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(object as? [String: Any], "standard output is no JSON object; \(self)")
        }
    }

    struct TimedOut: Error, CustomStringConvertible {
        let description: String
    }

    /// Calibrations are kept for all the programs that these tests run, so that each is measured once.
    private static let caches: URL = {
        atexit { try? FileManager.default.removeItem(at: RunningProgram.caches) }
        return FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-caches-\(ProcessInfo.processInfo.processIdentifier)")
    }()

    private let process = Process()
    private let folder: TemporaryFolder
    private let outputFile: URL
    private let errorFile: URL
    private let commandLine: String

    /// - Parameters:
    ///   - environment: variables to set besides this process's own.
    ///   - input: standard input; nil: nothing.
    ///   - output, error: the standard streams; nil: files, whose contents are ``output`` and ``error``.
    init(
        _ arguments: [String],
        environment: [String: String] = [:],
        executable: URL = program,
        input: FileHandle? = nil,
        output: FileHandle? = nil,
        error: FileHandle? = nil
    ) throws {
        folder = try TemporaryFolder()
        outputFile = folder.file("output")
        errorFile = folder.file("error")
        commandLine = ([executable.lastPathComponent] + arguments).joined(separator: " ")
        process.executableURL = executable
        process.arguments = arguments
        // What a test measures of a policy is not to end up among the user's calibrations.
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["XDG_CACHE_HOME": Self.caches.path(percentEncoded: false)]
        ) { $1 }.merging(environment) { $1 }
        process.standardInput = input ?? FileHandle.nullDevice
        process.standardOutput = try output ?? Self.newFile(outputFile)
        process.standardError = try error ?? Self.newFile(errorFile)
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    var output: String { Self.text(outputFile) }
    var error: String { Self.text(errorFile) }
    var isRunning: Bool { process.isRunning }
    var processIdentifier: Int32 { process.processIdentifier }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits until `isDone`, which is asked again and again.
    func wait(
        for what: String,
        seconds: Double = 60,
        until isDone: () throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !isDone() {
            guard ContinuousClock.now < deadline else {
                throw TimedOut(
                    description:
                        "\(commandLine): \(what) not within \(seconds) s\noutput: \(output)\nerror: \(error)"
                )
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits for the program's end.
    func end(seconds: Double = 120) async throws -> Ended {
        try await wait(for: "the end", seconds: seconds) { !process.isRunning }
        // A program that a signal killed has no exit code; 128 and the signal is what a shell makes of it.
        let killed: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
        return Ended(exitCode: killed + process.terminationStatus, output: output, error: error)
    }

    private static func newFile(_ url: URL) throws -> FileHandle {
        try Data().write(to: url)
        return try FileHandle(forWritingTo: url)
    }

    private static func text(_ url: URL) -> String {
        ((try? Data(contentsOf: url)).map { String(decoding: $0, as: UTF8.self) }) ?? ""
    }
}

/// Runs `denoised` to its end, which must be a success.
func succeed(_ arguments: [String]) async throws -> RunningProgram.Ended {
    let ended = try await RunningProgram(arguments).end()
    try #require(ended.exitCode == 0, "\(arguments): \(ended)")
    return ended
}

import Foundation
import Glibc
import Testing

/// A terminal that a program under test writes to.
private final class TestTerminal {
    /// What the program writes to.
    let writing: FileHandle
    private let controller: Int32
    private var bytes: [UInt8] = []

    init() throws {
        controller = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        try #require(controller >= 0)
        // What the C library's unlockpt and ptsname do (`man 2 ioctl_tty`): TIOCSPTLCK, TIOCGPTN.
        var isLocked: CInt = 0
        var number: CInt = -1
        try #require(ioctl(controller, 0x4004_5431, &isLocked) == 0)
        try #require(ioctl(controller, 0x8004_5430, &number) == 0)
        let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        try #require(terminal >= 0)
        writing = FileHandle(fileDescriptor: terminal, closeOnDealloc: true)
    }

    deinit { close(controller) }

    /// All that was written so far.
    func text() -> String {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(controller, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension EndToEndToSee {
    /// Terminals that can move their cursor, and those that cannot.
    @Suite struct TerminalTests {
        @Test(arguments: ["xterm", "dumb", ""])
        func monitorMovesTheCursorOnlyWhereItCan(term: String) async throws {
            let daemon = try LocalDaemon()
            _ = try await daemon.client()
            let terminal = try TestTerminal()
            let monitor = try RunningProgram(
                ["monitor", "--connect", daemon.endpoints.requests],
                environment: ["TERM": term],
                output: terminal.writing
            )
            try await monitor.wait(for: "two pages") {
                terminal.text().components(separatedBy: "denoised 0.2.0 serves").count > 2
            }
            monitor.send(SIGTERM)
            #expect(try await monitor.end(seconds: 20).exitCode == 0)
            #expect(terminal.text().contains("\u{1b}") == (term == "xterm"), "\(terminal.text())")
        }

        @Test(arguments: ["xterm", "dumb", ""])
        func simMovesTheCursorOnlyWhereItCan(term: String) async throws {
            let policy = try pushTPolicy()
            let terminal = try TestTerminal()
            let sim = try RunningProgram(
                ["sim", "--policy", policy.path, "--watch"],
                environment: ["TERM": term],
                output: terminal.writing
            )
            // A terminal's buffer is small, so it is read meanwhile.
            try await sim.wait(for: "the end") {
                _ = terminal.text()
                return !sim.isRunning
            }
            #expect(try await sim.end().exitCode == 0)
            let text = terminal.text()
            #expect(text.contains("\u{1b}") == (term == "xterm"))
            #expect(text.contains("1 episode"), "\(text.suffix(2000))")
        }

        /// Work that takes longer than two seconds draws a bar on the terminal, and takes it away at its end.
        @Test func longWorkShowsHowFarItHasCome() async throws {
            let terminal = try TestTerminal()
            let bench = try RunningProgram(
                [
                    "bench", "network", "--architecture", "paper", "--batch", "1", "--warm-up", "0", "--runs",
                    "250", "--threads", "1",
                ],
                environment: ["TERM": "xterm", "NO_COLOR": "1"],
                error: terminal.writing
            )
            try await bench.wait(for: "the end") {
                _ = terminal.text()
                return !bench.isRunning
            }
            #expect(try await bench.end().exitCode == 0)
            let text = terminal.text()
            #expect(text.contains("measuring  ") && text.contains(" left"), "\(text)")
            #expect(text.hasSuffix("\r\u{1b}[K"), "\(text.suffix(200))")
            #expect(!text.contains("\u{1b}[32m"))
        }
    }
}

import Foundation
import Glibc
import Logging
import Testing

@testable import Logs

/// A pipe whose reader is the test.
private final class TestPipe {
    let readEnd: Int32
    let writeEnd: Int32
    private var isOpen = true

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        (readEnd, writeEnd) = (ends[0], ends[1])
        // A program that another test starts must not hold this pipe open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        signal(SIGPIPE, SIG_IGN)
    }

    func closeReader() {
        if isOpen { close(readEnd) }
        isOpen = false
    }

    /// Everything that comes until the line `end`, which is left out.
    func lines(until end: String) -> [String] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let last = Array("\(end)\n".utf8)
        while bytes.suffix(last.count) != last[...] {
            let count = read(readEnd, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropLast().map(String.init)
    }
}

@Suite(.timeLimit(.minutes(10))) struct LineWriterTests {
    @Test func linesComeInTheirOrder() throws {
        let pipe = try TestPipe()
        let writer = LineWriter(to: pipe.writeEnd, threadName: "test")
        for number in 0..<1000 { writer.write("line \(number)") }
        writer.write("end")
        #expect(pipe.lines(until: "end") == (0..<1000).map { "line \($0)" })
        #expect(writer.flush(within: .seconds(10)))
        #expect(writer.lostLines == 0)
        #expect(writer.failure == nil)
    }

    /// Every line is either read or counted, and the notice stands where the lines are missing.
    @Test func aReaderThatDoesNotReadKeepsNobodyWaiting() throws {
        let pipe = try TestPipe()
        let writer = LineWriter(to: pipe.writeEnd, threadName: "test", mostLines: 100) { "\($0) lost" }
        let text = String(repeating: "x", count: 1000)
        let clock = ContinuousClock()
        let time = clock.measure { for number in 0..<5000 { writer.write("\(number) \(text)") } }
        #expect(time < .seconds(5), "nobody reads")
        let lost = writer.lostLines
        // What is in the pipe (64 KiB), and what waits.
        #expect((5000 - 250..<5000).contains(lost), "\(lost)")
        #expect(!writer.flush(within: .milliseconds(50)), "the pipe is full")

        let reader = Thread {
            // Room for the last line.
            while writer.lostLines == lost, !writer.flush(within: .milliseconds(100)) {}
            writer.write("end")
        }
        reader.start()
        let lines = pipe.lines(until: "end")
        var next = 0
        for line in lines {
            // A notice begins with the time.
            if let notice = line.wholeMatch(of: /\S+ (\d+) lost/) {
                next += try #require(Int(notice.output.1))
            } else {
                #expect(line == "\(next) \(text)")
                next += 1
            }
        }
        #expect(next == 5000)
    }

    @Test func theQueueIsBoundedInBytes() throws {
        let pipe = try TestPipe()
        let writer = LineWriter(to: pipe.writeEnd, threadName: "test", mostBytes: 100_000)
        writer.write(String(repeating: "x", count: 100_001))
        #expect(writer.lostLines == 1)
        let line = String(repeating: "y", count: 90_000)
        writer.write(line)
        writer.write(line)
        #expect(writer.lostLines == 2, "the first waits for the reader")
    }

    @Test func aReaderThatIsGoneIsCounted() throws {
        let pipe = try TestPipe()
        let writer = LineWriter(to: pipe.writeEnd, threadName: "test") { "\($0) lost" }
        writer.write("read")
        #expect(pipe.lines(until: "read") == [])
        pipe.closeReader()
        for _ in 0..<10 { writer.write("line") }
        #expect(writer.flush(within: .seconds(10)))
        #expect(writer.lostLines == 10)
        #expect(writer.failure == "Broken pipe")
    }

    @Test func aFullDeviceIsCounted() throws {
        let full = open("/dev/full", O_WRONLY)
        let writer = LineWriter(to: full, threadName: "test")
        writer.write("line")
        #expect(writer.flush(within: .seconds(10)))
        #expect(writer.lostLines == 1)
        #expect(writer.failure == "No space left on device")
    }
}

@Suite(.timeLimit(.minutes(10))) struct LineLogHandlerTests {
    private func line(_ log: (Logger) -> Void) throws -> String {
        let pipe = try TestPipe()
        let writer = LineWriter(to: pipe.writeEnd, threadName: "test")
        log(Logger(label: "denoised") { LineLogHandler(label: $0, level: .info, writer: writer) })
        writer.write("end")
        return pipe.lines(until: "end").joined(separator: "\n")
    }

    @Test func aLineHasTheTimeTheLevelAndTheModule() throws {
        let line = try line { $0.warning("too hot") }
        let match = line.wholeMatch(
            of: /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}) warning denoised: \[LogsTests\] too hot/
        )
        let stamp = try #require(match, "\(line)").output.1
        let format = Date.ISO8601FormatStyle(timeZone: .current)
        let time = try format.parse(stamp.prefix(22) + ":" + stamp.suffix(2))
        #expect(abs(time.timeIntervalSinceNow) < 60)
    }

    @Test func metadataComesBeforeTheModule() throws {
        let line = try line { $0.info("x", metadata: ["b": "2", "a": "1"]) }
        #expect(line.hasSuffix(" info denoised: a=1 b=2 [LogsTests] x"), "\(line)")
    }

    @Test func belowTheLevelNothingIsLogged() throws {
        #expect(try line { $0.debug("x") } == "")
    }

    @Test func aMessageIsOneLineWithoutControlCharacters() throws {
        let line = try line { $0.info("a\nb\u{1b}[31mc\u{9b}é") }
        #expect(line.hasSuffix(#"a\u{a}b\u{1b}[31mc\u{9b}é"#), "\(line)")
    }
}

import Dispatch
import Foundation
import Logging
import Robotics
import Testing

@testable import Daemon
@testable import MCAP
@testable import Planning
@testable import Recording

/// A recording of a toy daemon, made and computed again.
@Suite(.timeLimit(.minutes(10))) struct RecorderTests {
    static let setup = RecordingSession.Setup(fingerprint: "0123", seed: 7, threads: 1, startsWarm: false)

    /// A file name that nobody has, removed with the value.
    final class RecordingPath: Sendable {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "denoised-recording-\(UInt64.random(in: 0 ... .max)).mcap").path
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func events() throws -> [RecordedEvent] {
            let reader = try MCAPReader(path)
            var events: [RecordedEvent] = []
            while let message = try reader.next() {
                if let event = try RecordedEvent(message) { events.append(event) }
            }
            return events
        }
    }

    private func replay(_ events: [RecordedEvent], seed: UInt64 = 7) throws -> ReplayReport {
        var replay = ChunkReplay(planners: [ToyPlanner()], seed: seed, startsWarm: false)
        for event in events { try replay.take(event) }
        return replay.report
    }

    /// Two robots, repeats, observations that ask for nothing, a new episode, a reset, predictions, noise seeds given,
    /// derived and as large as they come.
    private func drive(_ toy: ToyDaemon) throws {
        let client = try toy.client()
        let other = try toy.client("arm2")
        _ = try client.chunk(for: observation(0, first: 10, noiseSeed: .max))
        for sequence in 1...3 as ClosedRange<UInt64> {
            try client.publish(observation(sequence, first: 0.1 * Float(sequence), replan: false))
        }
        _ = try client.chunk(for: observation(4, first: 1e-7, noiseSeed: nil))
        _ = try client.predict(observation(4, first: 1e-7, noiseSeed: 1 << 63))
        _ = try other.chunk(
            for: observation(0, first: 3, robot: "arm2", episode: .name("a.b"), noiseSeed: nil)
        )
        _ = try client.chunk(for: observation(0, first: 5, episode: .number(.max), noiseSeed: nil))
        _ = try client.reset(episode: nil)
        _ = try client.chunk(for: observation(0, first: 6, episode: .number(.max), noiseSeed: nil))
    }

    @Test func aRecordingComputesToTheSameChunks() throws {
        let file = RecordingPath()
        let recorder = try Recorder(path: file.path, setup: Self.setup, logger: LogLines().logger)
        let toy = try ToyDaemon {
            $0.tap = recorder
            $0.seed = 7
        }
        try drive(toy)
        toy.daemon.stop()
        recorder.finish()
        #expect(recorder.statistics.lost == 0 && recorder.statistics.writeErrors == 0)
        #expect(toy.daemon.statistics.unrecordedMessages == 0)

        let events = try file.events()
        guard case .session(let session)? = events.first else {
            Issue.record("the first message is no session")
            return
        }
        #expect(session.setup == Self.setup)
        #expect(session.policy == ToyPlanner().policy)
        #expect(session.sampler == ToyPlanner().sampler)
        #expect(session.daemonVersion == daemonVersion)
        let seeds = events.compactMap { if case .chunk(let chunk) = $0 { chunk.noiseSeed } else { nil } }
        #expect(seeds.contains(.max) && seeds.contains(1 << 63), "seeds keep all their bits")
        #expect(events.contains { if case .reset = $0 { true } else { false } })

        let report = try replay(events)
        #expect(report.chunks >= 6)
        #expect(report.compared == report.chunks && report.identical == report.chunks, "\(report)")
        #expect(report.notComparable.isEmpty)
    }

    @Test func anotherSeedAndAnotherPlannerAreNoticed() throws {
        let events = try syntheticEvents()
        #expect(try replay(events).different == 0)
        let otherSeed = try replay(events, seed: 8)
        #expect(otherSeed.different == 2 && otherSeed.compared == 3, "one chunk's seed came from the robot")
        #expect(otherSeed.largestDifference > 0)
        #expect(otherSeed.differences.count == 2)

        var changed = events
        guard case .chunk(var chunk) = changed[2] else { return }
        chunk.actions[3] = chunk.actions[3].nextUp
        changed[2] = .chunk(chunk)
        let report = try replay(changed)
        #expect(report.different == 1, "one bit is a difference")
        #expect(report.differences.first?.sequence == chunk.sequence)
        chunk.actions.removeLast()
        changed[2] = .chunk(chunk)
        #expect(try replay(changed).differences.first?.largest == .some(nil))
    }

    @Test func missingMessagesMakeHistoriesIncomparable() throws {
        var events = try syntheticEvents()
        // Session, then observation and chunk in turn: the second observation is lost.
        events.remove(at: 3)
        events.insert(.gap(lost: 1), at: 3)
        var report = try replay(events)
        #expect(report.notComparable == ["no_observation": 1, "gap": 1])
        #expect(report.compared == 1 && report.identical == 1 && report.lost == 1)
        // Two observations later the history has forgotten what is missing.
        events += try planned(3, noiseSeed: 1, history: [2, 3])
        report = try replay(events)
        #expect(report.compared == 2 && report.identical == 2)
    }

    @Test func coarseChunksAreNotCompared() throws {
        var events = try syntheticEvents()
        guard case .chunk(var chunk) = events[4] else { return }
        chunk.quality = .coarse
        events[4] = .chunk(chunk)
        let report = try replay(events)
        #expect(report.notComparable == ["coarse": 1] && report.identical == 2)

        var warm = ChunkReplay(planners: [ToyPlanner()], seed: 7, startsWarm: true)
        for event in events { try warm.take(event) }
        #expect(warm.report.notComparable == ["coarse": 1, "warm_start": 1] && warm.report.identical == 1)

        // If the quality of each chunk tells whether it started from the last one, one that did not is comparable.
        func telling(_ last: ChunkQuality) throws -> ReplayReport {
            guard case .chunk(var chunk) = events[6] else { return ReplayReport() }
            chunk.quality = last
            var replay = ChunkReplay(
                planners: [ToyPlanner()],
                seed: 7,
                startsWarm: true,
                tellsWarmChunks: true
            )
            for event in events.prefix(6) + [.chunk(chunk)] { try replay.take(event) }
            return replay.report
        }
        #expect(try telling(.warm).notComparable == ["coarse": 1, "warm_start": 1])
        let afterCoarse = try telling(.exact)
        #expect(afterCoarse.notComparable == ["coarse": 1] && afterCoarse.identical == 2)
    }

    @Test func chunksPlannedTogetherMayDifferInTheLastBits() throws {
        var events = try syntheticEvents()
        guard case .chunk(var chunk) = events[4] else { return }
        chunk.isGrouped = true
        events[4] = .chunk(chunk)
        var report = try replay(events)
        #expect(report.grouped == 1 && report.identical == 3 && report.close == 0)

        let sampled = chunk.actions[2]
        chunk.actions[2] = sampled.nextUp
        events[4] = .chunk(chunk)
        report = try replay(events)
        #expect(report.compared == 3 && report.grouped == 1 && report.identical == 2, "\(report)")
        #expect(report.close == 1 && report.different == 0 && report.largestDifference > 0)

        chunk.actions[2] = sampled + 2 * ReplayReport.groupTolerance
        events[4] = .chunk(chunk)
        report = try replay(events)
        #expect(report.close == 0 && report.different == 1, "\(report)")
        #expect(report.differences.first?.sequence == chunk.sequence)

        chunk.actions.removeLast()
        events[4] = .chunk(chunk)
        #expect(try replay(events).different == 1, "of another size")

        // What starts from such a chunk need not be the same.
        var warm = ChunkReplay(planners: [ToyPlanner()], seed: 7, startsWarm: true)
        for event in events { try warm.take(event) }
        #expect(warm.report.notComparable == ["warm_start": 1] && warm.report.grouped == 1)
    }

    @Test func chunksMayComeLate() throws {
        // Observations go on while a chunk is planned.
        var events = try syntheticEvents()
        let late = events.remove(at: 2)
        events.append(late)
        #expect(try replay(events).identical == 3)
    }

    /// A session, and three observations 0, 1, 2 of which each got a chunk; the second brought its noise seed.
    private func syntheticEvents() throws -> [RecordedEvent] {
        let session = RecordingSession(
            daemonVersion: daemonVersion,
            policy: ToyPlanner().policy,
            sampler: ToyPlanner().sampler,
            setup: Self.setup
        )
        return try [.session(session)] + planned(0, noiseSeed: nil, history: [0, 0])
            + planned(1, noiseSeed: 99, history: [0, 1]) + planned(2, noiseSeed: nil, history: [1, 2])
    }

    private func planned(_ sequence: UInt64, noiseSeed: UInt64?, history: [Float]) throws -> [RecordedEvent] {
        let message = try observation(sequence, first: Float(sequence), noiseSeed: noiseSeed)
        let seed =
            noiseSeed
            ?? NoiseSeed.derived(from: 7, robot: message.robot, episode: message.episode, sequence: sequence)
        let sum = history.reduce(0, +)
        return [
            .observation(message, receivedNs: 1000 * (sequence + 1)),
            .chunk(
                RecordedEvent.RecordedChunk(
                    robot: message.robot,
                    episode: message.episode,
                    sequence: sequence,
                    noiseSeed: seed,
                    actions: (0..<5).flatMap { [sum + Float($0), Float(seed & 0xffff)] },
                    quality: .exact
                )
            ),
        ]
    }
}

/// A recorder that cannot keep up, and one whose disk is full.
@Suite(.timeLimit(.minutes(10))) struct RecorderPressureTests {
    @Test func theEndDoesNotWaitForEverForADiskThatDoesNotAnswer() throws {
        let file = RecorderTests.RecordingPath()
        let disk = Gate()
        let log = LogLines()
        let recorder = try Recorder(
            path: file.path,
            setup: RecorderTests.setup,
            logger: log.logger,
            bounds: .init(messages: 4)
        ) {
            () throws(RecordingError) in
            try MCAPWriter(storage: GatedFile(path: file.path, gate: disk), library: "test")
        }
        recorder.take(TappedMessage(.reset(try id("first"))))
        disk.waitForEntry()
        let began = ContinuousClock.now
        recorder.finish()
        recorder.finish()
        #expect(ContinuousClock.now - began < .seconds(9), "once 5 s")
        #expect(log.lines == ["error: \(file.path) has no summary: the disk does not answer"])
        disk.pass(100)
    }

    @Test func aFullQueueLosesMessagesAndSaysSo() throws {
        let file = RecorderTests.RecordingPath()
        let disk = Gate()
        let recorder = try Recorder(
            path: file.path,
            setup: RecorderTests.setup,
            logger: LogLines().logger,
            bounds: .init(messages: 4)
        ) {
            () throws(RecordingError) in
            try MCAPWriter(storage: GatedFile(path: file.path, gate: disk), library: "test")
        }
        // The first flush waits at the gate; what is taken meanwhile finds room for four.
        recorder.take(TappedMessage(.reset(try id("first"))))
        disk.waitForEntry()
        for number in 0..<10 { recorder.take(TappedMessage(.reset(try id("r\(number)")))) }
        #expect(recorder.lostMessages == 6)
        disk.pass(100)
        // Taken until one is kept, once there is room again.
        while true {
            let before = recorder.lostMessages
            recorder.take(TappedMessage(.reset(try id("last"))))
            if recorder.lostMessages == before { break }
        }
        recorder.finish()
        let lost = recorder.lostMessages
        recorder.take(TappedMessage(.reset(try id("after"))))
        #expect(recorder.lostMessages == lost + 1, "nothing is kept after the end")

        let names = try file.events().map { event in
            switch event {
            case .reset(let robot, _): robot.text
            case .gap(let count): "lost \(count)"
            default: "?"
            }
        }
        #expect(names.prefix(5) == ["first", "r0", "r1", "r2", "r3"])
        #expect(names.last == "last")
        #expect(names[5].hasPrefix("lost "))
    }

    @Test func aFullDiskPausesTheRecording() throws {
        let storage = LimitedStorage(capacity: 6000)
        let logged = LogLines()
        let clock = TestClock()
        var log = RecordingLog(
            writer: try MCAPWriter(storage: storage, library: "test"),
            setup: RecorderTests.setup,
            logger: logged.logger,
            now: { at(clock.nowNs) }
        )
        func add(_ count: Int) throws {
            for _ in 0..<count {
                log.record(
                    TappedMessage(
                        .observation(
                            try observation(0, first: 1),
                            preceding: [],
                            isRepeat: false,
                            receivedNs: 1
                        )
                    )
                )
            }
        }
        try add(20)
        clock.nowNs += 1_000_000_000
        log.flushIfDue()
        #expect(log.statistics.writeErrors == 1 && logged.lines.count == 1, "\(logged.lines)")
        #expect(storage.bytes.count == Int(log.statistics.bytes))
        try add(5)
        #expect(log.statistics.lost == 5)
        for _ in 0..<3 {
            clock.nowNs += 1_000_000_000
            log.flushIfDue()
        }
        #expect(log.statistics.writeErrors == 4 && logged.lines.count == 1, "one line a pause")
        storage.capacity = .max
        clock.nowNs += 1_000_000_000
        log.flushIfDue()
        #expect(log.statistics.recorded == 20 && logged.lines.count == 2)
        try add(1)
        log.finish()
        #expect(log.statistics.recorded == 23, "the gap and its line in the log are messages too")

        let reader = try MCAPReader(storage: storage)
        var topics: [String] = []
        var lines: [String] = []
        while let message = try reader.next() {
            topics.append(message.topic)
            if message.topic == "/log" { lines.append(String(decoding: message.data, as: UTF8.self)) }
        }
        #expect(
            topics == Array(repeating: "/arm1/observation", count: 20) + [
                "/gap", "/log", "/arm1/observation",
            ]
        )
        #expect(lines.first?.contains("5 messages were not recorded") == true, "\(lines)")
        #expect(reader.end == .complete)
    }
}

private final class TestClock {
    var nowNs: UInt64 = 1
}

/// A file in memory with room for so many bytes.
private final class LimitedStorage: RecordingStorage {
    let name = "test.mcap"
    var bytes: [UInt8] = []
    var capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    func length() -> UInt64 { UInt64(bytes.count) }
    func read(_ count: Int, at offset: UInt64) -> [UInt8] {
        Array(bytes.dropFirst(Int(offset)).prefix(count))
    }
    func write(_ new: [UInt8], at offset: UInt64) throws(RecordingError) {
        bytes.removeLast(max(0, bytes.count - Int(offset)))
        bytes += new.prefix(max(0, capacity - Int(offset)))
        if bytes.count > capacity || Int(offset) + new.count > capacity {
            throw RecordingError(.inputOutput, file: name, "No space left on device")
        }
    }
    func truncate(to length: UInt64) { bytes.removeLast(max(0, bytes.count - Int(length))) }
    func synchronize() {}
}

/// A file whose every write after the header waits at a gate.
final class GatedFile: RecordingStorage {
    let name: String
    private let gate: Gate
    private let handle: FileHandle

    init(path: String, gate: Gate) throws(RecordingError) {
        name = path
        self.gate = gate
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        guard let handle = FileHandle(forUpdatingAtPath: path) else {
            throw RecordingError(.inputOutput, file: path, "cannot be opened")
        }
        self.handle = handle
    }

    func length() -> UInt64 { (try? handle.seekToEnd()) ?? 0 }
    func read(_ count: Int, at offset: UInt64) -> [UInt8] {
        try? handle.seek(toOffset: offset)
        return (try? handle.read(upToCount: count)).flatMap { $0.map(Array.init) } ?? []
    }
    func write(_ bytes: [UInt8], at offset: UInt64) {
        if offset > 0 { gate.enter(history: []) }
        try? handle.seek(toOffset: offset)
        try? handle.write(contentsOf: Data(bytes))
    }
    func truncate(to length: UInt64) { try? handle.truncate(atOffset: length) }
    func synchronize() {}
}

import Clocks
import Foundation
import Robotics
import RobotDescription
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon
@testable import MCAP
@testable import Piloting

/// Stops that outlive the daemon. A daemon that is dropped ends as one should, which brings every robot to rest and must
/// release and stop nobody for the next one.
@Suite struct StateDaemonTests {
    static func daemon(_ file: StateFile, _ robots: RobotFile...) throws -> ToyDaemon {
        try ToyDaemon {
            $0.state = file
            $0.robots = robots
        }
    }

    /// Why a robot's prediction is refused; nil where it is not.
    static func refusal(_ toy: ToyDaemon, _ robot: String, _ sequence: UInt64 = 0) throws -> String? {
        do throws(RobotClientError) {
            let seen: RobotObservation
            do { seen = try RobotDaemonTests.seen(sequence, robot: robot) } catch { return "\(error)" }
            let client: RobotClient
            do { client = try toy.client(robot) } catch { return "\(error)" }
            _ = try client.predict(seen)
            return nil
        } catch .refused(let error) {
            return "\(error.code): \(error.message)"
        }
    }

    /// Asks as `denoised stop` does.
    static func answer(_ request: Request, _ toy: ToyDaemon) throws -> Reply {
        try RobotClient.answer(to: request, from: toy.endpoints.requests, context: toy.daemon.context)
    }

    /// What a stop's answer says of robots and disk.
    struct Stopped: Equatable {
        let robots: Int
        let keeping: Reply.Keeping

        init(_ robots: Int, _ keeping: Reply.Keeping) { (self.robots, self.keeping) = (robots, keeping) }
    }

    /// Stops as `denoised stop` does.
    static func stop(robot: RobotID?, _ toy: ToyDaemon) throws -> Stopped? {
        guard case .stop(let stop) = try answer(.stop(robot: robot), toy) else { return nil }
        return Stopped(stop.robots, stop.keeping)
    }

    /// Resumes as `denoised resume` does.
    static func resume(robot: RobotID?, _ toy: ToyDaemon) throws -> Reply {
        guard case .info(let info) = try answer(.info, toy) else { throw StateFileError("info", "no answer") }
        return try answer(.resume(robot: robot, seen: info.stop), toy)
    }

    @Test func stopsAndResumesOutliveTheDaemon() throws {
        let folder = try StateFileTests.Folder()
        let (arm1, arm2) = try (id("arm1"), id("arm2"))
        do {
            let toy = try Self.daemon(StateFile(folder.file))
            #expect(try Self.stop(robot: arm1, toy) == Stopped(1, .kept))
            #expect(try Self.stop(robot: arm1, toy) == Stopped(0, .kept))
            #expect(try Self.stop(robot: arm2, toy) == Stopped(1, .kept))
            #expect(try Self.resume(robot: arm2, toy) == .resume(robots: 1, keeping: .kept))
        }
        for _ in 0..<2 {
            let toy = try Self.daemon(StateFile(folder.file))
            let refusal = try #require(try Self.refusal(toy, "arm1"))
            #expect(
                refusal.hasPrefix("stopped: robot arm1 is stopped: a stop was requested (at "),
                "\(refusal)"
            )
            #expect(
                refusal.hasSuffix("Z, before the daemon's start)"),
                "the reason does not grow: \(refusal)"
            )
            #expect(try Self.refusal(toy, "arm2") == nil)
            #expect(try Self.refusal(toy, "arm3") == nil)
        }
        do {
            let toy = try Self.daemon(StateFile(folder.file))
            #expect(try Self.resume(robot: arm1, toy) == .resume(robots: 1, keeping: .kept))
        }
        let toy = try Self.daemon(StateFile(folder.file))
        #expect(try Self.refusal(toy, "arm1") == nil)
    }

    @Test func aStopOfEveryRobotOutlivesTheDaemonAndSoDoWhoWasReleased() throws {
        let folder = try StateFileTests.Folder()
        do {
            let toy = try Self.daemon(StateFile(folder.file))
            #expect(try Self.refusal(toy, "arm1") == nil)
            #expect(try Self.stop(robot: nil, toy) == Stopped(1, .kept))
            #expect(try Self.resume(robot: id("arm1"), toy) == .resume(robots: 1, keeping: .kept))
            #expect(try Self.refusal(toy, "arm2") != nil)
        }
        for _ in 0..<2 {
            let toy = try Self.daemon(StateFile(folder.file))
            #expect(try Self.refusal(toy, "arm1") == nil)
            #expect(try Self.refusal(toy, "arm2")?.contains("every robot is stopped") == true)
            #expect(try Self.refusal(toy, "never-heard") != nil)
            #expect(toy.log.lines.contains { $0.hasPrefix("warning: every robot is stopped since ") })
        }
        do {
            let toy = try Self.daemon(StateFile(folder.file))
            guard case .resume(_, .kept) = try Self.resume(robot: nil, toy) else {
                Issue.record("not kept")
                return
            }
        }
        let toy = try Self.daemon(StateFile(folder.file))
        #expect(try Self.refusal(toy, "arm2") == nil)
    }

    @Test func aBrokenLimitAndAFaultOutliveTheDaemon() throws {
        let folder = try StateFileTests.Folder()
        let robots = try RobotDaemonTests.file("on_violation: stop")
        do {
            let toy = try Self.daemon(StateFile(folder.file), robots)
            // The toy's actions are the sum of what it sees.
            #expect(try Self.refusal(toy, "arm1")?.hasPrefix("stopped") != true)
            var far = try RobotDaemonTests.seen(1)
            far.values["observation.state"] = [5000, 0]
            #expect(throws: RobotClientError.self) { try toy.client().predict(far) }
            #expect(try Self.refusal(toy, "arm1", 2)?.hasPrefix("stopped") == true)
            #expect(throws: RobotClientError.self) {
                try toy.client("arm2").predict(RobotDaemonTests.seen(0, first: -1, robot: "arm2"))
            }
            #expect(try Self.refusal(toy, "arm2", 1)?.contains("arm2 is faulted") == true)
        }
        let toy = try Self.daemon(StateFile(folder.file), robots)
        #expect(try Self.refusal(toy, "arm1")?.contains("arm1 is stopped") == true)
        #expect(try Self.refusal(toy, "arm2")?.contains("arm2 is faulted") == true)
        #expect(try Self.refusal(toy, "arm3") == nil)
    }

    @Test func aDamagedFileStopsEveryRobotUntilSomebodyResumesThem() throws {
        let folder = try StateFileTests.Folder()
        try folder.put("{\"version\": 1")
        do {
            let toy = try Self.daemon(StateFile(folder.file))
            #expect(try Self.refusal(toy, "arm1")?.contains("damaged") == true)
            #expect(
                toy.log.lines.contains {
                    $0.hasPrefix("error: ") && $0.contains("is damaged, so every robot is stopped")
                }
            )
            _ = try Self.resume(robot: nil, toy)
            #expect(try Self.refusal(toy, "arm1", 1) == nil)
        }
        let toy = try Self.daemon(StateFile(folder.file))
        #expect(try Self.refusal(toy, "arm1") == nil)
    }

    @Test func aStopTakesEffectAtOnceAndItsAnswerSaysThatTheDiskIsFull() throws {
        let disk = StateFileTests.Disk()
        disk.fail(true)
        let toy = try Self.daemon(disk.file())
        let listener = try Listener(
            topics: [Array(Topic.status.utf8)],
            endpoint: toy.endpoints.chunks,
            context: toy.daemon.context
        )
        #expect(try Self.stop(robot: id("arm1"), toy) == Stopped(1, .failed("disk: no room")))
        #expect(try Self.refusal(toy, "arm1") != nil)
        func warnings(where isFound: ([String]) -> Bool) throws -> Bool {
            for _ in 0..<100 {
                guard case .status(let status)? = try listener.next(until: .now() + .seconds(5)) else {
                    continue
                }
                if isFound(status.warnings) { return true }
            }
            return false
        }
        #expect(try warnings { $0 == ["a restart would forget which robots are stopped: disk: no room"] })
        #expect(toy.daemon.health.isWorking, "a restart would be the wrong remedy")
        disk.fail(false)
        #expect(try warnings { $0.isEmpty })
        #expect(disk.written.last?.robots.keys.map(\.text) == ["arm1"])
    }

    @Test func nobodyWaitsForADiskThatDoesNotAnswer() throws {
        let disk = StateFileTests.Disk(isSlow: true)
        let toy = try Self.daemon(disk.file())
        let answer = try Self.stop(robot: id("arm1"), toy)
        #expect(answer == Stopped(1, .failed("the disk has not answered within 1 s")))
        #expect(try Self.refusal(toy, "arm1") != nil)
        #expect(try Self.refusal(toy, "arm2") == nil)
        disk.goOn()
    }

    @Test func `a disk that does not answer is a warning, and the daemon ends all the same`() throws {
        let disk = StateFileTests.Disk(isSlow: true)
        let file = disk.file()
        let toy = try Self.daemon(file)
        _ = try Self.answer(.stop(robot: id("arm1")), toy)
        let warnings = eventually(every: .milliseconds(10)) {
            toy.daemon.status?.warnings ?? []
        } is: {
            !$0.isEmpty
        }
        let warning = try #require(warnings.first)
        #expect(
            warning.hasPrefix(
                "a restart would forget which robots are stopped: the disk has not answered for "
            ),
            "\(warning)"
        )
        #expect(toy.daemon.health.isWorking)
        #expect(file.unkept == nil)
        let began = ContinuousClock.now
        toy.daemon.stop()
        #expect(ContinuousClock.now - began < .seconds(15), "not for ever")
        #expect(file.unkept?.hasPrefix("the disk has not answered for ") == true)
        #expect(
            toy.log.lines.contains { $0.hasPrefix("error: nowhere does not hold which robots are stopped") }
        )
        disk.goOn()
    }

    @Test func `a lock that is replaced is a warning`() throws {
        let folder = try StateFileTests.Folder()
        let toy = try Self.daemon(StateFile(folder.file))
        try FileManager.default.removeItem(atPath: folder.file + ".lock")
        let second = try StateFile(folder.file)
        let answer = try Self.answer(.stop(robot: id("arm1")), toy)
        guard case .stop(let stop) = answer, case .failed(let problem) = stop.keeping, stop.robots == 1 else {
            Issue.record("\(answer)")
            return
        }
        #expect(problem.hasPrefix("\(folder.file).lock: was replaced"))
        eventually(every: .milliseconds(10)) {
            toy.daemon.status?.warnings ?? []
        } is: {
            $0.first?.contains("another daemon may keep its state there") == true
        }
        second.release()
        #expect(try StateFile(folder.file).stops == Stops(), "the first has left it alone")
    }

    @Test func withoutAFileTheAnswerSaysThatAStopIsForgotten() throws {
        let toy = try ToyDaemon()
        #expect(try Self.stop(robot: nil, toy) == Stopped(0, .forgotten))
    }
}

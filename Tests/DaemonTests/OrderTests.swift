import Clocks
import Dispatch
import Foundation
import Robotics
import Synchronization
import Testing
import TestSupport
import Transport
import Wire

@testable import Daemon
@testable import Planning

/// Orders that reach the daemon by another way than its sockets.
@Suite(.timeLimit(.minutes(10))) struct OrderTests {
    private static let origin = "the live page, 127.0.0.1:40000"

    /// Gives an order and waits for what becomes of it.
    private static func give(
        _ order: RobotOrder,
        _ robot: String?,
        to toy: ToyDaemon
    ) throws -> Result<OrderOutcome, MessageError> {
        let answer = OneShot<Result<OrderOutcome, MessageError>>()
        toy.daemon.carryOut(order, of: try robot.map { try id($0) }, origin: origin) { answer.set($0) }
        return try #require(answer.wait(until: .now() + .seconds(20)), "no answer to \(order.word)")
    }

    private static func state(of robot: String, _ toy: ToyDaemon) -> RobotState? {
        toy.daemon.status?.robots[robot]?.state
    }

    private static func isRunning(_ publication: Listener.Publication) -> Bool {
        if case .command(let command) = publication { command.state == .running } else { false }
    }

    @Test func aStoppedRobotTellsItsStateAndWhy() throws {
        let toy = try ToyDaemon()
        _ = try toy.client().predict(observation(0, first: 1))
        let outcome = try Self.give(.stop, "arm1", to: toy).get()
        #expect(outcome.robots == 1 && outcome.state == .stopped && outcome.stop > 0)
        #expect(outcome.reason == "a stop was requested on \(Self.origin)")
        #expect(!outcome.isKept && outcome.problem == nil)
        #expect(toy.log.lines.contains("notice: \(Self.origin): stop arm1, now stopped"))
        let refused = #expect(throws: RobotClientError.self) {
            try toy.client().predict(observation(1, first: 1))
        }
        #expect("\(String(describing: refused))".contains("stopped"))
        // Again: nothing changes, and it is answered all the same.
        #expect(try Self.give(.stop, "arm1", to: toy).get().robots == 0)
        #expect(try toy.client().info().stop > outcome.stop, "a client that resumes has seen the newest stop")
    }

    @Test func aStopNeverWaitsForThePlanner() throws {
        let gate = Gate()
        let toy = try ToyDaemon(gate: gate)
        let client = try toy.client()
        try toy.publish(observation(0, first: 1), from: client)
        gate.waitForEntry()
        let began = MonotonicTime.now()
        #expect(try Self.give(.stop, "arm1", to: toy).get().state == .stopped)
        #expect(MonotonicTime.now().elapsedNs(since: began) < 2_000_000_000)
        gate.pass(10)
    }

    @Test func aResumeMustHaveSeenTheNewestStop() throws {
        let toy = try ToyDaemon()
        let first = try Self.give(.stop, "arm1", to: toy).get()
        let second = try Self.give(.stop, "arm1", to: toy).get()
        for seen in [0, first.stop] {
            guard case .failure(let error) = try Self.give(.resume(seen: seen), "arm1", to: toy) else {
                Issue.record("a resume that has not seen the stop was done")
                return
            }
            #expect(error.code == .newerStop)
        }
        #expect(toy.log.lines.contains { $0.contains("resume arm1 was refused") })
        let outcome = try Self.give(.resume(seen: second.stop), "arm1", to: toy).get()
        #expect(outcome.robots == 1 && outcome.state == .idle)
    }

    @Test func everyRobotIsStoppedAndResumed() throws {
        let toy = try ToyDaemon()
        for robot in ["a", "b/c"] {
            _ = try toy.client(robot).predict(observation(0, first: 1, robot: robot))
        }
        let stopped = try Self.give(.stop, nil, to: toy).get()
        #expect(stopped.robots == 2 && stopped.state == nil)
        // Also one that is heard of later.
        #expect(throws: RobotClientError.self) {
            try toy.client("d").predict(observation(0, first: 1, robot: "d"))
        }
        // That one was stopped when it was heard of.
        let seen = try toy.client().info().stop
        #expect(seen > stopped.stop)
        let resumed = try Self.give(.resume(seen: seen), nil, to: toy).get()
        #expect(resumed.robots == 3)
        _ = try toy.client("d").predict(observation(1, first: 1, robot: "d"))
    }

    @Test func aHeldRobotIsToldToStayUntilItIsResumed() throws {
        let toy = try RobotDaemonTests.daemon(RobotDaemonTests.file("watchdogs: {stop_after_ms: never}"))
        let (client, arm1) = try (toy.client(), id("arm1"))
        let listener = try RobotDaemonTests.listener(toy, arm1.commandTopic)
        var sequence: UInt64 = 0
        try #require(try RobotDaemonTests.drive(client, listener, from: &sequence, until: Self.isRunning))
        let held = try Self.give(.hold, "arm1", to: toy).get()
        #expect(held.robots == 1 && held.state == .holding)
        #expect(held.reason == "a hold was requested on \(Self.origin)")
        // Observations go on to come, and change nothing.
        while try listener.next(until: .now() + .milliseconds(1)) != nil {}
        var commands: [RobotCommand] = []
        let doesRun = try RobotDaemonTests.drive(client, listener, from: &sequence) { publication in
            if case .command(let command) = publication { commands.append(command) }
            return commands.count >= 80
        }
        try #require(doesRun, "commands go on")
        #expect(commands.suffix(70).allSatisfy { $0.state == .holding })
        #expect(Set(commands.suffix(20).map(\.action)).count == 1, "at rest")
        #expect(throws: RobotClientError.self) { try client.predict(RobotDaemonTests.seen(sequence)) }
        _ = try client.reset()
        #expect(
            try Self.give(.hold, "arm1", to: toy).get().state == .holding,
            "a new episode releases nobody"
        )
        #expect(try Self.give(.resume(seen: 0), "arm1", to: toy) == .failure(newerStop(held.stop)))
        let seen = try client.info().stop
        #expect(try Self.give(.resume(seen: seen), "arm1", to: toy).get().state == .idle)
        try #require(try RobotDaemonTests.drive(client, listener, from: &sequence, until: Self.isRunning))
    }

    private func newerStop(_ number: UInt64) -> MessageError {
        MessageError(
            .newerStop,
            field: "stop",
            "found 0, and stop \(number) came later; look, then resume with that number"
        )
    }

    @Test func aRobotThatIsHeldForTooLongIsStopped() throws {
        let toy = try RobotDaemonTests.daemon(RobotDaemonTests.file("watchdogs: {stop_after_ms: 100}"))
        let (client, arm1) = try (toy.client(), id("arm1"))
        let listener = try RobotDaemonTests.listener(toy, arm1.commandTopic)
        var sequence: UInt64 = 0
        try #require(try RobotDaemonTests.drive(client, listener, from: &sequence, until: Self.isRunning))
        #expect(try Self.give(.hold, "arm1", to: toy).get().state == .holding)
        eventually(every: .milliseconds(10)) {
            Self.state(of: "arm1", toy)
        } is: {
            $0 == .stopped
        }
        #expect(
            toy.daemon.status?.robots["arm1"]?.reason.hasPrefix("held for 100 ms: a hold was requested")
                == true
        )
    }

    @Test func aRobotAtRestIsStoppedInsteadOfHeld() throws {
        let toy = try RobotDaemonTests.daemon(RobotDaemonTests.file())
        let outcome = try Self.give(.hold, "arm1", to: toy).get()
        #expect(outcome.robots == 1 && outcome.state == .stopped)
        #expect(toy.daemon.statistics.commands == 0)
    }

    @Test func everyRobotCannotBeHeld() throws {
        let toy = try ToyDaemon()
        guard case .failure(let error) = try Self.give(.hold, nil, to: toy) else {
            Issue.record("a hold of every robot was done")
            return
        }
        #expect(error.code == .forbidden)
    }

    @Test func aHoldOutlivesTheDaemonAsAStop() throws {
        let folder = try StateFileTests.Folder()
        do {
            let toy = try ToyDaemon { $0.state = try? StateFile(folder.file) }
            _ = try toy.client().chunk(for: observation(0, first: 1))
            let held = try Self.give(.hold, "arm1", to: toy).get()
            #expect(held.isKept && held.problem == nil)
        }
        let toy = try ToyDaemon { $0.state = try? StateFile(folder.file) }
        eventually(every: .milliseconds(10)) {
            Self.state(of: "arm1", toy)
        } is: {
            $0 == .stopped
        }
        #expect(toy.daemon.status?.robots["arm1"]?.reason.contains("a hold was requested") == true)
    }

    @Test func ordersToADaemonThatHasEndedAreRefused() throws {
        let toy = try ToyDaemon()
        toy.daemon.stop()
        guard case .failure(let error) = try Self.give(.stop, "arm1", to: toy) else {
            Issue.record("an ended daemon has done something")
            return
        }
        #expect(error.code == .stopping)
    }

    @Test func ordersAreBoundedAndStopsComeFirst() throws {
        let box = OrderBox(wakeUp: {})
        let refused = Mutex<[MessageError.Code]>([])
        func put(_ order: RobotOrder) {
            let order = PersonalOrder(order: order, robot: nil, origin: "") { result in
                if case .failure(let error) = result { refused.withLock { $0.append(error.code) } }
            }
            box.put(order)
        }
        for _ in 0..<OrderBox.mostWaiting { put(.resume(seen: 1)) }
        put(.hold)
        #expect(refused.withLock { $0 } == [.busy])
        put(.stop)
        let orders = box.take()
        #expect(orders.count == OrderBox.mostWaiting + 1 && orders.first?.order == .stop)
        #expect(box.take().isEmpty)
        put(.resume(seen: 1))
        box.close()
        put(.stop)
        #expect(refused.withLock { $0 } == [.busy, .stopping, .stopping])
    }
}

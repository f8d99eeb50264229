import Clocks
import Foundation
import Robotics
import RobotDescription
import Synchronization
import Testing
import Transport
import Wire

@testable import Daemon
@testable import MCAP
@testable import Planning

/// Robots with a robot file, through the daemon's sockets.
@Suite(.timeLimit(.minutes(10))) struct RobotDaemonTests {
    static func file(_ lines: String...) throws -> RobotFile {
        try RobotFile(
            """
            control_hz: 50
            command_hz: 100
            actions: [{name: x, position: [-1000, 1000]}, {name: y, position: [0, 70000]}]
            \(lines.joined(separator: "\n"))
            """
        )
    }

    static func daemon(_ files: RobotFile..., messagesPerSecond: Int = 1000) throws -> ToyDaemon {
        try ToyDaemon {
            $0.robots = files
            $0.messagesPerSecond = messagesPerSecond
        }
    }

    static func listener(_ toy: ToyDaemon, _ topics: [UInt8]...) throws -> Listener {
        try Listener(topics: topics, endpoint: toy.endpoints.chunks, context: toy.daemon.context)
    }

    static func seen(
        _ sequence: UInt64,
        first: Float = 1,
        robot: String = "arm1",
        session: UInt64? = nil
    ) throws -> RobotObservation {
        RobotObservation(
            robot: try id(robot),
            episode: .number(1),
            sequence: sequence,
            timeNs: MonotonicTime.now().unsignedNs,
            values: ["observation.state": [first, 0], "observation.environment_state": [1, 2, 3]],
            replan: nil,
            session: session
        )
    }

    /// Publishes observations at 50 Hz until a publication is found; nil where it never comes.
    static func drive(
        _ client: RobotClient,
        _ listener: Listener,
        robot: String = "arm1",
        from sequence: inout UInt64,
        first: Float = 1,
        until isFound: (Listener.Publication) throws -> Bool
    ) throws -> Bool {
        for _ in 0..<1500 {
            try client.publish(seen(sequence, first: first, robot: robot))
            sequence += 1
            let nextAt = MonotonicTime.now() + .milliseconds(20)
            while let publication = try listener.next(until: nextAt) {
                if try isFound(publication) { return true }
            }
        }
        return false
    }

    @Test func commandsAndHeartbeatsFollowEachOther() throws {
        let toy = try Self.daemon(Self.file())
        let (client, arm1) = try (toy.client(), id("arm1"))
        let listener = try Self.listener(toy, arm1.commandTopic, Array(Topic.status.utf8))
        var sequence: UInt64 = 0
        var (commands, heartbeats): ([RobotCommand], [StatusMessage]) = ([], [])
        let isFound = try Self.drive(client, listener, from: &sequence) { publication in
            switch publication {
            case .command(let command): commands.append(command)
            case .status(let status): heartbeats.append(status)
            case .chunk: Issue.record("nobody asked for chunks")
            }
            return commands.count >= 60 && heartbeats.count >= 8
        }
        try #require(isFound)
        #expect(zip(commands, commands.dropFirst()).allSatisfy { $0.tick < $1.tick })
        #expect(commands.allSatisfy { $0.robot == arm1 })
        // Commands are 10 ms apart, or nine tenths of that, or some were left out.
        for (command, next) in zip(commands, commands.dropFirst()) {
            let elapsed = next.publishedNs - command.publishedNs
            #expect(elapsed >= 8_990_000)
            #expect(abs(Double(elapsed) / 1e7 - Double(next.tick - command.tick)) <= 0.51)
            #expect(Double(next.timeNs - command.timeNs) >= 0.89 * Double(elapsed))
        }
        #expect(zip(heartbeats, heartbeats.dropFirst()).allSatisfy { $1.monotonicNs > $0.monotonicNs })
        let span = heartbeats[heartbeats.count - 1].monotonicNs - heartbeats[0].monotonicNs
        #expect(span >= UInt64(heartbeats.count - 2) * 100_000_000, "at most ten a second")
        let robot = try #require(heartbeats.last?.robots["arm1"])
        #expect(robot.state == .running || robot.state == .holding)
        #expect(robot.commands > 0 && robot.chunks > 0)
        #expect(toy.daemon.statistics.commands >= 60)
    }

    @Test func stopSilencesAndResumeGoesOn() throws {
        let toy = try Self.daemon(Self.file())
        let (client, arm1) = try (toy.client(), id("arm1"))
        let listener = try Self.listener(toy, arm1.commandTopic)
        var sequence: UInt64 = 0
        func isRunning(_ publication: Listener.Publication) -> Bool {
            if case .command(let command) = publication { command.state == .running } else { false }
        }
        #expect(try client.stop(arm1).robots == 1, "also a robot that has not been heard")
        #expect(try client.stop(nil).robots == 0)
        #expect(try client.resume(nil) == 1)
        try #require(try Self.drive(client, listener, from: &sequence, until: isRunning))
        #expect(try client.stop(nil).robots == 1)
        // What was sent before the answer is still on its way; from then on nothing comes.
        while try listener.next(until: .now() + .milliseconds(100)) != nil {}
        let before = toy.daemon.statistics.commands
        for _ in 0..<20 {
            try client.publish(Self.seen(sequence))
            sequence += 1
            usleep(5000)
        }
        let refused = #expect(throws: RobotClientError.self) {
            try client.predict(Self.seen(sequence))
        }
        guard case .refused(let error) = refused else {
            Issue.record("expected a refusal, got \(String(describing: refused))")
            return
        }
        #expect(error.code == "stopped")
        #expect(error.message.contains("a stop was requested"))
        #expect(toy.daemon.statistics.commands == before)
        #expect(try client.resume(arm1) == 1)
        try #require(try Self.drive(client, listener, from: &sequence, until: isRunning))
    }

    /// A resume that stands behind its own client's requests, and a stop that another client sends later: whichever is read
    /// first, the stop holds.
    @Test(arguments: 0..<10)
    func aStopThatIsSentLaterHoldsWhicheverIsReadFirst(attempt: Int) throws {
        let toy = try ToyDaemon()
        let (slow, other, arm1) = try (toy.client(), toy.client("arm2"), id("arm1"))
        let seen = try slow.stop(arm1).number
        let socket = try ZeroMQSocket(.dealer, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.requests)
        for _ in 0..<900 { try socket.send([Request.info.encoded(number: 1)]) }
        try socket.send([Request.resume(robot: arm1, seen: seen).encoded(number: 2)])
        let stop = try other.stop(attempt.isMultiple(of: 2) ? arm1 : nil)
        #expect(stop.number > seen)
        // The answer to the resume, behind those to the others.
        var answer: Reply?
        while answer == nil {
            _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(5))
            let frames = try #require(try socket.receive(maximumFrames: 2))
            let (number, reply) = try Reply.decode(try #require(frames.last))
            if number == 2 { answer = reply }
        }
        let refused = #expect(throws: RobotClientError.self) { try slow.predict(Self.seen(0)) }
        guard case .refused(let error) = refused else {
            Issue.record("expected a refusal, got \(String(describing: refused))")
            return
        }
        #expect(error.code == "stopped")
        #expect(try slow.resume(nil) >= 1, "whoever has looked may resume")
    }

    @Test func aResumeThatNamesNoStopIsRefusedUnlessItsConnectionStopped() throws {
        let toy = try ToyDaemon()
        let (client, arm1) = try (toy.client(), id("arm1"))
        func answer(_ request: Request) throws -> Reply {
            try RobotClient.answer(to: request, from: toy.endpoints.requests, context: toy.daemon.context)
        }
        let number = try client.stop(arm1).number
        let refused = #expect(throws: RobotClientError.self) { try answer(.resume(robot: arm1)) }
        guard case .refused(let error) = refused else {
            Issue.record("expected a refusal, got \(String(describing: refused))")
            return
        }
        #expect(error.code == "missing_field" && error.field == "stop")
        #expect(try answer(.resume(robot: arm1, seen: number)) == .resume(robots: 1))
        #expect(try client.info().stop == number)
    }

    @Test func aStopOfAnUnknownNameSaysSoAndIsKept() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        _ = try client.predict(Self.seen(0))
        let stop = try client.stop(id("amr1"))
        #expect(stop.robots == 1 && stop.known == 0 && stop.knownNames == ["arm1"])
        #expect(try client.stop(id("arm1")).known == 1)
        #expect(try client.stop(nil).known == 1, "a name that only a stop has used is no robot")
        let refused = #expect(throws: RobotClientError.self) {
            try client.predict(Self.seen(0, robot: "amr1"))
        }
        #expect("\(String(describing: refused))".contains("stopped"))
    }

    @Test(arguments: [Float(-1), -2])
    func failedPolicyIsAFaultAndNoCommandFollows(first: Float) throws {
        let toy = try Self.daemon(Self.file())
        let (client, arm1) = try (toy.client(), id("arm1"))
        let listener = try Self.listener(toy, arm1.commandTopic, Array(Topic.status.utf8))
        var sequence: UInt64 = 0
        var (commands, heartbeats) = (0, 0)
        let isFaulted = try Self.drive(client, listener, from: &sequence, first: first) { publication in
            switch publication {
            case .status(let status): return status.robots["arm1"]?.state == .faulted
            case .command: commands += 1
            case .chunk: break
            }
            return false
        }
        try #require(isFaulted)
        #expect(commands == 0)
        #expect(toy.daemon.statistics.plannerErrors == 1, "nothing more is planned")
        _ = try Self.drive(client, listener, from: &sequence) { publication in
            if case .command = publication { commands += 1 }
            heartbeats += 1
            return heartbeats > 8
        }
        #expect(commands == 0 && toy.daemon.statistics.commands == 0)
        #expect(toy.log.lines.contains { $0.hasPrefix("warning: arm1 is faulted") })
    }

    /// A robot whose name is that of a ROS node: its topics are no other robot's, and a restart finds its stop again.
    @Test func namesMayHaveSlashes() throws {
        let folder = try StateFileTests.Folder()
        do {
            let file = try StateFile(folder.file)
            let toy = try ToyDaemon { $0.state = file }
            let (client, other) = try (toy.client("/ns/arm"), toy.client("/ns/arm/left"))
            _ = try other.chunk(for: Self.seen(0, first: 5, robot: "/ns/arm/left"))
            let chunk = try client.chunk(for: Self.seen(0, robot: "/ns/arm"))
            #expect(chunk.robot.text == "/ns/arm" && chunk.sequence == 0)
            #expect(try client.stop(id("/ns/arm")).known == 1)
        }
        let file = try StateFile(folder.file)
        let toy = try ToyDaemon { $0.state = file }
        #expect(throws: RobotClientError.self) {
            try toy.client("/ns/arm").predict(Self.seen(0, robot: "/ns/arm"))
        }
        _ = try toy.client("/ns/arm/left").predict(Self.seen(0, robot: "/ns/arm/left"))
    }

    /// What the policy names and its model does not read may come, in any size, or not.
    @Test func featuresThatAreNotReadMayBeSent() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        let plain = try client.predict(Self.seen(0))
        _ = try client.reset()
        var more = try Self.seen(0)
        more.values["observation.velocity"] = [1, 2, 3, 4, 5]
        #expect(try client.predict(more).actions == plain.actions)
        more.sequence = 1
        more.values["observation.effort"] = [1]
        let refused = #expect(throws: RobotClientError.self) { try client.predict(more) }
        #expect("\(String(describing: refused))".contains("observation.effort"))
    }

    @Test func secondProcessUnderOneIDIsRefused() throws {
        let toy = try Self.daemon(Self.file())
        let client = try toy.client()
        _ = try client.predict(Self.seen(0, session: 1))
        let error = #expect(throws: RobotClientError.self) {
            try client.predict(Self.seen(1, session: 2))
        }
        guard case .refused(let refusal) = error else {
            Issue.record("expected a refusal, got \(String(describing: error))")
            return
        }
        #expect(refusal.code == "robot_taken" && refusal.field == "session")
        #expect(toy.daemon.statistics.rejectedMessages == ["robot_taken": 1])
        #expect(try client.reset())
        _ = try client.predict(Self.seen(0, session: 2))
    }

    @Test func floodUnderOneTopicLeavesTheOthersAlone() throws {
        let toy = try Self.daemon(messagesPerSecond: 50)
        let (flooder, good) = try (toy.client("flood"), toy.client("good"))
        _ = try flooder.chunk(for: observation(0, first: 1, robot: "flood"))
        _ = try good.chunk(for: observation(0, first: 1, robot: "good"))
        for sequence in 1...20 {
            for _ in 0..<200 { try flooder.publish(Self.seen(1, robot: "flood")) }
            let chunk = try good.chunk(for: observation(UInt64(sequence), first: 5, robot: "good"))
            #expect(chunk.sequence == UInt64(sequence))
        }
        let statistics = toy.daemon.statistics
        #expect(statistics.rejectedMessages["rate_limited"] ?? 0 > 0)
        #expect(statistics.droppedObservations >= statistics.rejectedMessages["rate_limited"] ?? 0)
        #expect(statistics.observations == 23)
    }

    /// A simulated robot lives through many control steps a second where chunks take a millisecond.
    @Test func aRobotInsideTheProcessIsReadHoweverFastItLives() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        _ = try client.chunk(for: observation(0, first: 1))
        for sequence in 1...20 as ClosedRange<UInt64> {
            for step in 1...199 as ClosedRange<UInt64> {
                try client.publish(observation(200 * sequence + step, first: 1))
            }
            _ = try client.chunk(for: observation(200 * (sequence + 1), first: 1))
        }
        #expect(toy.daemon.statistics.rejectedMessages.isEmpty)
    }

    @Test func `a long topic is turned away`() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        _ = try client.chunk(for: observation(0, first: 1))
        let socket = try ZeroMQSocket(.publish, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.observations)
        try SilenceTests.send(
            [Array("observation.\(String(repeating: "a", count: 100_000))".utf8), []],
            on: socket,
            until: { !toy.daemon.statistics.rejectedMessages.isEmpty }
        )
        #expect(Array(toy.daemon.statistics.rejectedMessages.keys) == ["bad_frames"])
    }

    /// Stopped robots are never forgotten, so there is a bound to how many there are.
    @Test func stoppedRobotsAreKeptAndBounded() throws {
        let toy = try ToyDaemon { ($0.maximumRobots, $0.maximumWaitingPredictions) = (2, 1) }
        let client = try toy.client()
        for robot in 0..<4 { #expect(try client.stop(id("r\(robot)")).robots == 1) }
        func code(_ ask: () throws -> Void) -> String? {
            do {
                try ask()
                return nil
            } catch RobotClientError.refused(let error) {
                return error.code
            } catch {
                return "\(error)"
            }
        }
        #expect(code { _ = try client.stop(id("r4")) } == "busy")
        #expect(code { _ = try client.predict(Self.seen(0, robot: "r4")) } == "busy")
        #expect(code { _ = try client.predict(Self.seen(0, robot: "r3")) } == "stopped")
        #expect(try client.resume(nil) == 4)
        // There is room for two, and neither is pushed out while it is at work.
        let answers = try (4..<8).map { robot in
            let seen = try Self.seen(0, robot: "r\(robot)")
            return code { _ = try client.predict(seen) }
        }
        #expect(answers == [nil, nil, "busy", "busy"])
    }

    @Test func `thirty-two robots get their commands, each its own`() throws {
        let toy = try Self.daemon(Self.file())
        let names = (0..<32).map { "r\($0)" }
        let listener = try Self.listener(toy, Array(Topic.command.utf8))
        let socket = try ZeroMQSocket(.publish, context: toy.daemon.context)
        _ = try socket.connect(toy.endpoints.observations)
        var newest: [String: RobotCommand] = [:]
        var counts: [String: Int] = [:]
        // Ten commands at 50 Hz take ten rounds once a robot runs. The bound is 3000 rounds, a minute at least: a busy machine makes the
        // rounds longer, and not more of them. The robots that have too few are then named.
        var sequence: UInt64 = 0
        while !names.allSatisfy({ counts[$0] ?? 0 >= 10 }), sequence < 3000 {
            for name in names {
                let message = try Self.seen(sequence, first: 2, robot: name)
                try socket.send([message.robot.observationTopic, message.encoded()])
            }
            let nextAt = MonotonicTime.now() + .milliseconds(20)
            while let publication = try listener.next(until: nextAt) {
                guard case .command(let command) = publication else { continue }
                if let before = newest[command.robot.text] { #expect(before.tick < command.tick) }
                newest[command.robot.text] = command
                counts[command.robot.text, default: 0] += 1
            }
            sequence += 1
        }
        #expect(names.filter { counts[$0] ?? 0 < 10 } == [], "fewer than 10 commands in 3000 rounds")
        #expect(Set(counts.keys) == Set(names))
        #expect(newest.values.allSatisfy { (4...30).contains($0.action[0]) })
    }
}

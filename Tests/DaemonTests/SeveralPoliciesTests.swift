import Clocks
import Robotics
import RobotDescription
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon
@testable import Planning
@testable import Recording

/// A daemon of several policies: who is driven by which, and what is told of them.
@Suite(.timeLimit(.minutes(10))) struct SeveralPoliciesTests {
    /// Two policies whose chunks differ by 100.
    static func planners(gate: Gate? = nil, placeDim: Int = 2) -> [ToyPlanner] {
        var pick = ToyPlanner(gate: gate)
        pick.policy.name = "pick"
        var place = ToyPlanner(gate: gate)
        place.policy.name = "place"
        place.policy.actionDim = placeDim
        place.offset = 100
        return [pick, place]
    }

    static func daemon(
        gate: Gate? = nil,
        placeDim: Int = 2,
        _ change: (inout DaemonConfiguration) -> Void = { _ in }
    ) throws -> ToyDaemon {
        try ToyDaemon(planners: planners(gate: gate, placeDim: placeDim), change)
    }

    private func refusal(_ body: () throws -> Void) -> ErrorMessage? {
        do {
            try body()
        } catch RobotClientError.refused(let refusal) {
            return refusal
        } catch {
            Issue.record("expected a refusal, got \(error)")
        }
        return nil
    }

    @Test func noPolicyIsTheDefaultOfSeveral() throws {
        let toy = try Self.daemon()
        let client = try toy.client()
        let refused = refusal { _ = try client.predict(observation(0, first: 1)) }
        #expect(refused?.code == "no_policy" && refused?.field == "robot")
        #expect(refused?.message.contains("expected a reset with policy pick or place") == true)
        try eventually {
            try client.publish(observation(0, first: 1))
            return toy.daemon.statistics.rejectedMessages["no_policy", default: 0] > 1
        }
        #expect(toy.daemon.statistics.chunks == 0 && toy.daemon.statistics.observations == 0)
        #expect(toy.log.lines.contains { $0.contains("no_policy") })
    }

    /// A second process under the same name neither takes the robot away by naming a policy, nor has it driven by another one.
    @Test func onlyTheSessionThatSpeaksForARobotNamesItsPolicy() throws {
        let toy = try Self.daemon()
        let (client, other) = try (toy.client(), toy.client())
        func seen(_ sequence: UInt64, session: UInt64) throws -> RobotObservation {
            var seen = try observation(sequence, first: 1)
            seen.session = session
            return seen
        }
        #expect(try !client.reset(policy: "pick", session: 1))
        // Before the first observation and after it.
        #expect(refusal { _ = try other.reset(policy: "place", session: 2) }?.code == "robot_taken")
        #expect(refusal { _ = try other.predict(seen(0, session: 2)) }?.code == "robot_taken")
        #expect(try client.predict(seen(0, session: 1)).policy == "pick")
        let refused = refusal { _ = try other.reset(policy: "place", session: 2) }
        #expect(refused?.code == "robot_taken" && refused?.field == "session")
        #expect(try client.predict(seen(1, session: 1)).policy == "pick")

        // The session itself chooses anew, and a reset that names nothing frees the robot.
        #expect(try client.reset(policy: "place", session: 1))
        #expect(try client.predict(seen(2, session: 1)).policy == "place")
        #expect(try client.reset(session: 1))
        #expect(try !other.reset(policy: "pick", session: 2))
        #expect(try other.predict(seen(0, session: 2)).policy == "pick")
        // Who looks after all robots does not say who it is.
        #expect(try client.reset(policy: "place"))
        #expect(try client.predict(seen(0, session: 1)).policy == "place")
    }

    @Test func aRobotIsDrivenByThePolicyThatItsResetNames() throws {
        let toy = try Self.daemon()
        let (client, other) = try (toy.client(), toy.client("arm2"))
        #expect(try !client.reset(policy: "pick"))
        #expect(try !other.reset(policy: "place"))
        let chunk = try client.chunk(for: observation(0, first: 1))
        #expect(chunk.policy == "pick" && chunk.actions[0] == 2)
        let placed = try other.chunk(for: observation(0, first: 1, robot: "arm2"))
        #expect(placed.policy == "place" && placed.actions[0] == 102)
        // The history begins anew.
        #expect(try client.reset(policy: "place"))
        #expect(try client.predict(observation(1, first: 5)).actions[0] == 110)
        // It holds for the episodes that follow.
        #expect(try client.chunk(for: observation(0, first: 1, episode: .number(2))).policy == "place")
        _ = eventually { toy.daemon.status?.robots["arm1"]?.policy == "place" }
        #expect(toy.daemon.status?.robots["arm2"]?.policy == "place")
    }

    @Test(arguments: [
        ("", "found \"\", expected pick or place"), ("pick\n", "found \"pick?\", expected pick or place"),
    ])
    func aResetWithAPolicyThatThereIsNotChangesNothing(name: String, message: String) throws {
        let toy = try Self.daemon()
        let client = try toy.client()
        _ = try client.reset(policy: "pick")
        #expect(try client.predict(observation(0, first: 1)).actions[0] == 2)
        let refused = refusal { _ = try client.reset(policy: name) }
        #expect(refused?.code == "unknown_policy" && refused?.field == "policy")
        #expect(refused?.message == message)
        #expect(try client.predict(observation(1, first: 2)).actions[0] == 3, "the history is as before")
    }

    /// The end of an episode, as robots tell it.
    @Test func aResetWithoutAPolicyEndsItsDrive() throws {
        let toy = try Self.daemon()
        let client = try toy.client()
        _ = try client.reset(policy: "pick")
        #expect(try !client.reset(episode: .number(8)), "of another episode: changes nothing")
        _ = try client.predict(observation(0, first: 1))
        #expect(try client.reset(episode: .number(1)))
        #expect(refusal { _ = try client.predict(observation(1, first: 1)) }?.code == "no_policy")
        _ = try client.reset(policy: "pick")
        #expect(try !client.reset())
        #expect(refusal { _ = try client.predict(observation(1, first: 1)) }?.code == "no_policy")
    }

    @Test func anEpisodeThatIsNotTheRobotsKeepsItsPolicy() throws {
        let toy = try Self.daemon()
        let client = try toy.client()
        _ = try client.reset(policy: "pick")
        _ = try client.predict(observation(0, first: 1))
        let refused = refusal { _ = try client.reset(episode: .number(7), policy: "place") }
        #expect(refused?.code == "stale" && refused?.field == "episode")
        #expect(try client.predict(observation(1, first: 2)).policy == "pick")
        #expect(try !client.reset(episode: .number(7), policy: "pick"), "names what drives it")
        #expect(try client.reset(episode: .number(1), policy: "place"))
        #expect(try client.predict(observation(2, first: 2)).policy == "place")
    }

    @Test func theOnlyPolicyNeedsNoNameAndMayHaveIt() throws {
        let toy = try ToyDaemon()
        let client = try toy.client()
        #expect(try client.predict(observation(0, first: 1)).policy == nil)
        #expect(try client.reset(policy: "toy"))
        #expect(try client.predict(observation(1, first: 1)).policy == nil)
        // Another process need not name it.
        #expect(try client.reset(policy: "toy"))
        _ = try client.predict(RobotDaemonTests.seen(0, session: 1))
        #expect(eventually { (try? client.predict(RobotDaemonTests.seen(0, session: 2))) != nil })
        #expect(toy.daemon.statistics.rejectedMessages["no_policy"] == nil)
        #expect(refusal { _ = try client.reset(policy: "pick") }?.code == "unknown_policy")
        #expect(toy.daemon.status?.robots["arm1"]?.policy == nil)
    }

    /// A process that was started anew must name its policy: it may not know what the one before had named.
    @Test func anotherProcessNamesItsPolicyItself() throws {
        let toy = try Self.daemon()
        let client = try toy.client()
        _ = try client.reset(policy: "pick")
        _ = try client.predict(RobotDaemonTests.seen(0, session: 1))
        func code() -> String? {
            refusal { _ = try client.predict(RobotDaemonTests.seen(1, session: 2)) }?.code
        }
        #expect(code() == "robot_taken")
        #expect(eventually { code() == "no_policy" }, "once the other has been silent for a second")
        #expect(try client.predict(RobotDaemonTests.seen(1, session: 1)).policy == "pick")
        _ = try client.reset(policy: "place")
        #expect(try client.predict(RobotDaemonTests.seen(0, session: 2)).policy == "place")
    }

    @Test func theChunkOfThePolicyBeforeIsDropped() throws {
        let gate = Gate()
        let toy = try Self.daemon(gate: gate)
        let (client, asking) = try (toy.client(), toy.client())
        _ = try client.reset(policy: "pick")
        try toy.publish(observation(0, first: 1), from: client)
        gate.waitForEntry()
        #expect(try asking.reset(policy: "place"))
        try toy.publish(observation(0, first: 3, episode: .number(2)), from: client)
        gate.pass(2)
        let chunk = try #require(try client.nextChunk(until: .now() + .seconds(20)))
        #expect(chunk.policy == "place" && chunk.actions[0] == 106)
        #expect(toy.daemon.statistics.chunks == 1)
    }

    @Test func aPolicyOfOtherActionsCannotDriveARobot() throws {
        let file = try RobotDaemonTests.file()
        let toy = try Self.daemon(placeDim: 3) { $0.robots = [file] }
        let client = try toy.client()
        let refused = refusal { _ = try client.reset(policy: "place") }
        #expect(refused?.code == "unknown_policy")
        #expect(
            refused?.message == "place has actions of 3 numbers, expected the 2 of the robot file of arm1"
        )
        _ = try client.reset(policy: "pick")
        #expect(try client.predict(RobotDaemonTests.seen(0)).policy == "pick")
    }

    @Test func infoTellsOfEachPolicy() throws {
        let toy = try Self.daemon()
        let info = try toy.client().info()
        #expect(info.policies.map(\.policy.name) == ["pick", "place"])
        #expect(info.policies.map(\.weightBytes) == [4, 4])
        #expect(info.policies.allSatisfy { $0.calibrationPercent == 100 && $0.sampler == info.sampler })
        #expect(info.policy.name == "pick" && toy.daemon.policies == info.policies)
    }

    @Test func whatGoesWithOnePolicyIsRefused() throws {
        func failure(_ change: (inout DaemonConfiguration) -> Void) -> String? {
            do {
                _ = try Self.daemon(change)
                return nil
            } catch {
                return "\(error)"
            }
        }
        let gr00t = failure { $0.gr00t = Gr00tConfiguration(endpoint: "tcp://127.0.0.1:*") }
        #expect(gr00t == "GR00T's clients name no policy, expected one")
        #expect(throws: SeveralPoliciesError.self) {
            try ToyDaemon(planners: [ToyPlanner(), ToyPlanner()])
        }
    }

    @Test func onlyRobotsOfOnePolicyArePlannedTogether() throws {
        let history = emptyHistory(nObsSteps: 2)
        var agenda = Agenda(emptyHistories: [history, history], settings: Agenda.Settings())
        for (number, policy) in [0, 0, 1, 1, 1, 0].enumerated() {
            let seen = try observation(0, first: 1, robot: "r\(number)")
            let fitting = try agenda.check(seen, policy: policy)
            _ = try agenda.receive(fitting, for: .topic, received: at(1))
            agenda.ask(for: seen, destination: .topic, committed: nil, received: at(1), queued: at(2))
        }
        var groups: [[String]] = []
        var waited: [Int] = []
        while true {
            let jobs = agenda.next { policy, waiting in
                waited.append(policy * 10 + waiting)
                return waiting
            }
            guard !jobs.isEmpty else { break }
            groups.append(jobs.map { "\($0.robot) \($0.policy)" })
            for job in jobs { _ = agenda.finish(job) }
        }
        #expect(groups == [["r0 0", "r1 0"], ["r2 1", "r3 1", "r4 1"], ["r5 0"]])
        #expect(waited == [2, 13, 1])
    }

    @Test func aRecordingOfSeveralComputesToTheSameChunks() throws {
        let path = RecorderTests.RecordingPath()
        var setup = RecorderTests.setup
        setup.furtherFingerprints = ["4567"]
        (setup.warmSteps, setup.furtherWarmSteps) = (3, [7])
        let recorder = try Recorder(path: path.path, setup: setup, logger: LogLines().logger)
        let toy = try Self.daemon {
            $0.tap = recorder
            $0.seed = 7
        }
        let client = try toy.client()
        for (episode, policy) in ["pick", "place", "pick"].enumerated() {
            _ = try client.reset(policy: policy)
            for sequence in 0..<3 as Range<UInt64> {
                let seen = try observation(
                    sequence,
                    first: Float(sequence),
                    episode: .number(UInt64(episode)),
                    noiseSeed: nil
                )
                #expect(try client.chunk(for: seen).policy == policy)
            }
        }
        toy.daemon.stop()
        recorder.finish()

        let events = try path.events()
        guard case .session(let session)? = events.first else {
            Issue.record("the first message is no session")
            return
        }
        #expect(session.policies.map(\.policy.name) == ["pick", "place"])
        #expect(session.policies.map(\.fingerprint) == ["0123", "4567"])
        #expect(session.policies.map(\.warmSteps) == [3, 7])
        func replayed(_ planners: [ToyPlanner]) throws -> ReplayReport {
            var replay = ChunkReplay(planners: planners, seed: 7, startsWarm: false)
            for event in events { try replay.take(event) }
            return replay.report
        }
        let report = try replayed(Self.planners())
        #expect(report.chunks == 9 && report.identical == 9, "\(report)")
        var swapped = Self.planners()
        swapped[0].offset = 100
        #expect(try replayed(swapped).different == 6)

        // A gap that holds the second reset: what drives the robot is known again from the first chunk on.
        let resets = events.indices.filter { if case .reset = events[$0] { true } else { false } }
        var cut = events
        cut[resets[1]] = .gap(lost: 1)
        var replay = ChunkReplay(planners: Self.planners(), seed: 7, startsWarm: false)
        for event in cut { try replay.take(event) }
        #expect(replay.report.different == 0 && replay.report.chunks == 9)
        #expect(replay.report.notComparable == ["no_observation": 1, "gap": 1], "\(replay.report)")
    }
}

/// A robot that gets commands, and changes its policy while it moves.
@Suite(.timeLimit(.minutes(10))) struct PolicyChangeTests {
    @Test func aMotionGoesOverToTheNextPolicyWithinTheLimits() throws {
        let velocity: Float = 200
        let file = try RobotFile(
            """
            control_hz: 50
            command_hz: 100
            actions: [{name: x, position: [-1000, 1000], velocity: \(velocity)}, {name: y, position: [0, 70000]}]
            """
        )
        let toy = try SeveralPoliciesTests.daemon { $0.robots = [file] }
        let client = try toy.client()
        let listener = try RobotDaemonTests.listener(toy, id("arm1").commandTopic)
        var sequence: UInt64 = 0
        var commands: [RobotCommand] = []
        func drive(until isThere: (RobotCommand) -> Bool) throws {
            let found = try RobotDaemonTests.drive(client, listener, from: &sequence) { publication in
                guard case .command(let command) = publication else { return false }
                commands.append(command)
                return isThere(command)
            }
            try #require(found)
        }
        // Chunks of the first policy are around 2, those of the second around 102.
        _ = try client.reset(policy: "pick")
        try drive { $0.state == .running && $0.action[0] > 1 }
        #expect(try client.reset(policy: "place"))
        try drive { $0.state == .running && $0.action[0] > 101 }
        for (before, after) in zip(commands, commands.dropFirst()) {
            let seconds = Float(after.publishedNs - before.publishedNs) / 1e9
            let moved = abs(after.action[0] - before.action[0])
            #expect(moved <= 1.001 * velocity * seconds + 1e-3, "\(moved) in \(seconds) s")
        }
    }
}

import Robotics
import Testing
import Wire

@testable import Monitoring

@Suite struct EventStreamTests {
    /// A stream of one robot, asked for events at chosen times.
    private struct Watcher {
        let board = LiveBoard()
        var stream: EventStream
        let thumbnails = Thumbnails()
        let robot: RobotID

        init(_ name: String = "arm1", facts: LivePage.Robot? = nil) throws {
            robot = try id(name)
            stream = EventStream(robot: robot, facts: facts, takesOrders: true)
            board.watch(robot)
        }

        mutating func events(_ nowMs: UInt64, _ snapshot: DaemonSnapshot = snapshot()) throws
            -> [StreamedEvent]
        {
            try StreamedEvent.all(
                in: stream.due(board.newest(of: robot), nowNs: nowMs * 1_000_000, thumbnails: thumbnails) {
                    snapshot
                }
            )
        }
    }

    private func beat(_ number: UInt64, robots: [String: RobotStatus] = ["arm1": robot()]) -> DaemonSnapshot {
        snapshot(status(at: 900_000_000_000 + number, robots: robots))
    }

    @Test func theFirstEventsSayWhatRuns() throws {
        var watcher = try Watcher(
            facts: .init(
                dimensions: [.init(name: "x", range: -1...2, element: 3)],
                feedback: "observation.state"
            )
        )
        let events = try watcher.events(0)
        #expect(events.map(\.name) == ["hello", "status", "robot"])
        #expect(events[0].data["takesOrders"] as? Bool == true)
        let policies = try #require(events[0].data["policies"] as? [[String: Any]])
        #expect(policies.count == 1)
        let policy = policies[0]
        #expect(policy["name"] as? String == "pusht" && policy["horizon"] as? Int == 16)
        let sampler = try #require(policy["sampler"] as? [String: Any])
        #expect(sampler["method"] as? String == "quasi-newton" && sampler["budgetMs"] as? Double == 50)
        #expect(events[2].data["id"] as? String == "arm1" && events[2].data["hasFile"] as? Bool == true)
        let dimension = try #require((events[2].data["dimensions"] as? [[String: Any]])?.first)
        #expect(dimension["range"] as? [Double] == [-1, 2] && dimension["element"] as? Int == 3)
    }

    @Test func statesAndCountersAreTold() throws {
        var watcher = try Watcher()
        var all = status(robots: ["b": robot(.stopped, reason: "<i>"), "a": robot()])
        all.stop = 1_800_000_000_000_000_001
        all.warnings = ["a \"warning\""]
        let status = try #require(
            try watcher.events(0, snapshot(all, failures: ["it hangs"])).last { $0.name == "status" }
        ).data
        #expect(status["stop"] as? String == "1800000000000000001", "JavaScript has no such number")
        #expect(status["warnings"] as? [String] == ["a \"warning\""])
        #expect(status["failures"] as? [String] == ["it hangs"])
        #expect(status["age"] as? Int == 250_000)
        let robots = try #require(status["robots"] as? [[String: Any]])
        #expect(robots.map { $0["id"] as? String } == ["a", "b"])
        #expect(robots[1]["reason"] as? String == "<i>" && robots[1]["state"] as? String == "stopped")
        #expect(robots[0]["for"] as? Int == 12_300_000 && robots[0]["silent"] as? Int == 45_000)
        let statistics = try #require(status["statistics"] as? [String: Any])
        #expect((statistics["counters"] as? [String: Int])?["late_chunks"] == 14)
        #expect(statistics["rejected"] as? [String: Int] == ["bad_frames": 10, "not_finite": 11])
        let latency = try #require(statistics["latency"] as? [String: [String: Int]])
        #expect(latency["sample"] == ["count": 25, "p50": 16500, "p99": 30000, "max": 31250])
    }

    @Test func onlyWhatIsNewIsTold() throws {
        var watcher = try Watcher()
        _ = try watcher.events(0, beat(0))
        #expect(try watcher.events(50, beat(0)).isEmpty)
        watcher.board.put(try observation(5), receivedNs: 1)
        watcher.board.put(try observation(6), receivedNs: 2)
        let events = try watcher.events(100, beat(0))
        #expect(events.map(\.name) == ["observation"], "the newest alone")
        #expect(events[0].data["sequence"] as? Int == 6 && events[0].data["episode"] as? String == "7")
        #expect(events[0].data["values"] as? [String: [Double]] == ["observation.state": [1, -2.5]])
        #expect(try watcher.events(150, beat(0)).isEmpty)
        watcher.board.put(try command())
        let command = try #require(try watcher.events(199, beat(0)).first)
        #expect(command.name == "command" && command.data["step"] as? Double == 1204.5)
        #expect(
            command.data["action"] as? [Double] == [1.5, 2.5] && command.data["isLimited"] as? Bool == true
        )
    }

    @Test func statesAreToldFiveTimesASecondAndWithoutHeartbeatsOnceASecond() throws {
        var watcher = try Watcher()
        var told = 0
        for turn in 0..<40 as Range<UInt64> {
            // A heartbeat each 100 ms.
            told += try watcher.events(50 * turn, beat(turn / 2)).filter { $0.name == "status" }.count
        }
        #expect(told == 10)
        for turn in 40..<80 as Range<UInt64> {
            told += try watcher.events(50 * turn, beat(19)).filter { $0.name == "status" }.count
        }
        #expect(told == 12)
    }

    @Test func aChunkBringsTheLatenciesOfThoseBefore() throws {
        var watcher = try Watcher()
        _ = try watcher.events(0)
        for sequence in 1...3 as ClosedRange<UInt64> {
            watcher.board.put(
                try chunk(sequence, totalNs: sequence * 1_000_000),
                isPrediction: false,
                isGrouped: true
            )
        }
        let first = try #require(try watcher.events(10).first).data
        #expect(first["sequence"] as? Int == 3 && first["isGrouped"] as? Bool == true)
        #expect(first["actions"] as? [Double] == [1, 2, 3, 4] && first["beyond"] as? [Double] == [5, 6])
        let latencies = try #require(first["latencies"] as? [[String: Any]])
        #expect(latencies.map { $0["total"] as? Int } == [1000, 2000, 3000])
        let sampling = try #require(first["sampling"] as? [String: Any])
        #expect(sampling["passes"] as? [[Int]] == [[0, 60, 60, 9000], [50, 100, 40, 8000]])
        #expect(sampling["steps"] as? Int == 100 && sampling["quality"] as? String == "converged")
        let stages = try #require(first["stages"] as? [String: Int])
        #expect(stages["sample"] == 17_000 && stages["vision"] == nil)

        watcher.board.put(try chunk(4, totalNs: 4_000_000), isPrediction: false, isGrouped: false)
        let second = try #require(try watcher.events(60).first).data
        #expect((second["latencies"] as? [[String: Any]])?.map { $0["total"] as? Int } == [4000])
        // More than are kept.
        for sequence in 5..<200 as Range<UInt64> {
            watcher.board.put(try chunk(sequence), isPrediction: false, isGrouped: false)
        }
        let third = try #require(try watcher.events(110).first).data
        #expect((third["latencies"] as? [Any])?.count == LiveBoard.keptLatencies)
    }

    @Test func framesComeTwiceASecond() throws {
        var watcher = try Watcher()
        _ = try watcher.events(0)
        var told: [String] = []
        for turn in 1...40 as ClosedRange<UInt64> {
            let frames = [
                "observation.images.b": CameraFrame(.picture([UInt8(turn)], format: .png)),
                "observation.images.a": CameraFrame(
                    height: 2,
                    width: 2,
                    pixels: [UInt8](repeating: UInt8(turn), count: 12)
                ),
            ]
            watcher.board.put(try observation(turn, frames: frames), receivedNs: turn)
            for event in try watcher.events(1000 + 50 * turn) where event.name == "frame" {
                told.append("\(event.data["camera"] ?? "") \(event.data["sequence"] ?? "")")
                let url = try #require(event.data["url"] as? String)
                #expect(url.hasPrefix("image/"))
            }
        }
        #expect(
            told == [1, 11, 21, 31].flatMap { ["observation.images.a \($0)", "observation.images.b \($0)"] }
        )
        // The same frame again is not told again.
        #expect(
            try watcher.events(9000).allSatisfy { $0.name != "frame" || $0.data["sequence"] as? Int == 40 }
        )
        #expect(try watcher.events(9900).allSatisfy { $0.name != "frame" })
    }

    @Test func aDaemonThatLoadsItsPolicySaysSo() throws {
        var watcher = try Watcher()
        let loading = DaemonSnapshot(
            version: "0.2.0",
            policies: [],
            status: nil,
            failures: ["no heartbeat yet"],
            nowNs: 5
        )
        let events = try watcher.events(0, loading)
        #expect(events.map(\.name) == ["hello", "status", "robot"])
        #expect((events[0].data["policies"] as? [Any])?.isEmpty == true)
        #expect(
            events[1].data["failures"] as? [String] == ["no heartbeat yet"] && events[1].data["robots"] == nil
        )
        // It has loaded it.
        #expect(try watcher.events(1000).map(\.name) == ["hello", "status"])
        #expect(try watcher.events(2000).map(\.name) == ["status"])
    }

    @Test func whoWatchesNoRobotIsToldOfAll() throws {
        var stream = EventStream(robot: nil, facts: nil, takesOrders: false)
        let text = stream.due(nil, nowNs: 0, thumbnails: Thumbnails()) { snapshot() }
        let events = try StreamedEvent.all(in: text)
        #expect(events.map(\.name) == ["hello", "status"])
        #expect(events[0].data["takesOrders"] as? Bool == false)
    }

    @Test func manyRobotsOfManyDimensionsStaySmall() throws {
        var watcher = try Watcher("arm1")
        let robots = Dictionary(uniqueKeysWithValues: (0..<256).map { ("robot-\($0)", robot()) })
        let first = try watcher.events(0, beat(0, robots: robots))
        #expect((first.first { $0.name == "status" }?.data["robots"] as? [Any])?.count == 256)
        watcher.board.put(
            try observation(values: ["observation.state": [Float](repeating: 0.123, count: 26)]),
            receivedNs: 1
        )
        #expect(try watcher.events(50, beat(0, robots: robots)).count == 1)
    }
}

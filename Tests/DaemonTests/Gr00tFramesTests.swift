import Gr00t
import Robotics
import Testing

@testable import Daemon
@testable import Planning
@testable import Wire

/// Frames in the requests of GR00T clients, on their way to the planner.
@Suite(.timeLimit(.minutes(10))) struct Gr00tFramesTests {
    private static let cameras = ["front", "wrist"].map {
        CameraDescription(name: "observation.images.\($0)", height: 2, width: 3)
    }

    private func daemon(
        cameras: [CameraDescription] = cameras,
        nObsSteps: Int = 3,
        lookback: Gr00tMapping.Lookback? = nil,
        messageBytes: Int = Gr00tRequest.limits.messageBytes
    ) throws -> SeeingDaemon {
        try SeeingDaemon(cameras: cameras, nObsSteps: nObsSteps) { configuration in
            var gr00t = Gr00tConfiguration(endpoint: "inproc://gr00t")
            gr00t.limits.messageBytes = messageBytes
            if let lookback {
                let planner = SeeingPlanner(cameras: cameras, nObsSteps: nObsSteps, seen: .init())
                gr00t.mapping = Gr00tMapping(standardFor: planner.policy)
                gr00t.mapping?.lookback = lookback
            }
            configuration.gr00t = gr00t
        }
    }

    /// A frame of 2 rows of 3 pixels, all of one value.
    private func frame(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: 18) }

    /// An observation whose frames at each time step have the first number of the state as their value; those of the camera `wrist`
    /// have 100 more.
    private func observation(
        _ firsts: [UInt8],
        isBatched: Bool = true,
        form: Gr00tArray.Form = .npy
    ) -> MessagePackMap {
        let lead = (isBatched ? [1] : []) + [firsts.count]
        return MessagePackMap([
            "video.front": Gr00tClient.video(firsts.flatMap { frame($0) }, lead + [2, 3, 3], form: form),
            "video.wrist": Gr00tClient.video(
                firsts.flatMap { frame($0 + 100) },
                lead + [2, 3, 3],
                form: form
            ),
            // No policy sees through this one.
            "video.top": Gr00tClient.video([1], [1], dtype: "|b1", form: form),
            "state.observation.state": Gr00tClient.array(
                firsts.flatMap { [Float($0), 0] },
                lead + [2],
                form: form
            ),
        ])
    }

    private func expect(_ values: [UInt8], at daemon: SeeingDaemon) {
        let newest = daemon.seen.histories.last ?? []
        #expect(newest.map { $0.values["observation.state"]?.first } == values.map { Float($0) })
        #expect(daemon.seen.pixels("observation.images.front") == values.map { frame($0) })
        #expect(daemon.seen.pixels("observation.images.wrist") == values.map { frame($0 + 100) })
    }

    @Test(arguments: [Gr00tArray.Form.npy, .messagePackNumPy])
    func framesReachThePlannerInOrder(form: Gr00tArray.Form) throws {
        let daemon = try daemon()
        let client = try Gr00tClient(daemon)
        // Of four time steps the newest three are looked at.
        let data = MessagePackMap(["observation": .map(observation([9, 1, 2, 3], form: form))])
        #expect(try Gr00tAnswer(client.ask("get_action", data)).first == 6)
        expect([1, 2, 3], at: daemon)
        let statistics = daemon.daemon.statistics
        #expect(statistics.observations == 1)
        #expect(statistics.rejectedMessages.isEmpty)
    }

    @Test(arguments: [false, true])
    func framesOfN15ReachThePlannerInOrder(isBatched: Bool) throws {
        let daemon = try daemon()
        let client = try Gr00tClient(daemon)
        let answer = try client.ask("get_action", observation([4, 5, 6], isBatched: isBatched))
        #expect(try Gr00tAnswerOfN15(answer).first == 15)
        expect([4, 5, 6], at: daemon)
    }

    @Test func framesOfRequestsBeforeAreTheHistoryIfToldSo() throws {
        let daemon = try daemon(lookback: .calls)
        let client = try Gr00tClient(daemon)
        for (sent, seen) in [([1], [1, 1, 1]), ([2], [1, 1, 2]), ([3, 4], [2, 3, 4])] as [([UInt8], [UInt8])]
        {
            let data = MessagePackMap(["observation": .map(observation(sent))])
            _ = try Gr00tAnswer(client.ask("get_action", data))
            expect(seen, at: daemon)
        }
    }

    @Test func firstFrameIsRepeatedIfToldSo() throws {
        let daemon = try daemon(lookback: .repeated)
        let client = try Gr00tClient(daemon)
        let data = MessagePackMap(["observation": .map(observation([7]))])
        #expect(try Gr00tAnswer(client.ask("get_action", data)).first == 21)
        expect([7, 7, 7], at: daemon)
        let numbers = daemon.seen.histories[0].compactMap { $0.frames["observation.images.front"]?.number }
        #expect(Set(numbers).count == 1, "a frame is encoded once")
    }

    /// A refused request leaves the history, the planner and the counters of observations as they were.
    @Test func framesThatDoNotFitAreExplained() throws {
        let daemon = try daemon(lookback: .calls)
        let client = try Gr00tClient(daemon)
        _ = try client.ask("get_action", MessagePackMap(["observation": .map(observation([1]))]))
        var bad = MessagePackMap([
            "state.observation.state": Gr00tClient.array([2, 0], [1, 1, 2]),
            "video.front": Gr00tClient.video(frame(2), [1, 1, 3, 2, 3]),
        ])
        try client.expectRefusal(
            of: MessagePackMap(["observation": .map(bad)]),
            "bad_array: data.observation.video.front: shape [1, 1, 3, 2, 3], expected [1, time steps, 2, 3, 3]: frames are not "
                + "resized"
        )
        bad = MessagePackMap(["state.observation.state": Gr00tClient.array([2, 0], [1, 1, 2])])
        let missing = try client.error("get_action", MessagePackMap(["observation": .map(bad)]))
        #expect(
            missing?.hasPrefix("missing_feature: data.observation.video.front: missing, expected the frames")
                == true,
            "\(missing ?? "no error")"
        )
        _ = try client.ask("get_action", MessagePackMap(["observation": .map(observation([3]))]))
        expect([1, 1, 3], at: daemon)
        let statistics = daemon.daemon.statistics
        #expect(statistics.observations == 2)
        #expect(statistics.rejectedMessages == ["bad_array": 1, "missing_feature": 1])
    }

    @Test func modalitiesListTheCameras() throws {
        let client = try Gr00tClient(daemon())
        guard case .map(let modalities) = try client.ask("get_modality_config"),
            case .map(let video)? = modalities["video"], case .map(let json)? = video["as_json"]
        else {
            Issue.record("expected modalities")
            return
        }
        #expect(modalities.keys == ["video", "state", "action"])
        #expect(json["modality_keys"] == .array([.string("front"), .string("wrist")]))
        #expect(json["delta_indices"] == .array([.negative(-2), .negative(-1), .unsigned(0)]))
    }

    /// More than a request may hold for a policy without cameras.
    @Test func aRequestHasRoomForTheFramesOfAHistory() throws {
        let camera = CameraDescription(name: "observation.image", height: 480, width: 640)
        let limit = 1 << 20
        let daemon = try daemon(cameras: [camera], nObsSteps: 2, messageBytes: limit)
        let client = try Gr00tClient(daemon)
        func request(_ values: [UInt8]) -> MessagePackMap {
            let pixels = values.flatMap { [UInt8](repeating: $0, count: camera.byteCount) }
            return MessagePackMap([
                "state.observation.state": Gr00tClient.array(
                    values.flatMap { [Float($0), 0] },
                    [values.count, 2]
                ),
                "video.image": Gr00tClient.video(pixels, [values.count, 480, 640, 3]),
            ])
        }
        #expect(2 * camera.byteCount > limit)
        #expect(try Gr00tAnswerOfN15(client.ask("get_action", request([5, 6]))).first == 11)
        let seen = daemon.seen.pixels("observation.image")
        #expect(seen.map(\.count) == [camera.byteCount, camera.byteCount])
        #expect(seen.map(\.first) == [5, 6] && seen.map(\.last) == [5, 6])
        let tooLong = try client.error("get_action", request([1, 2, 3, 4]))
        #expect(tooLong?.hasPrefix("too_large") == true, "\(tooLong ?? "no error")")
    }
}

import Clocks
import Robotics
import Testing

@testable import CameraServers

@Suite struct CameraBoardTests {
    private let front = CameraSource(camera: "observation.images.front", endpoint: "tcp://127.0.0.1:5")
    private let wrist = CameraSource(
        camera: "observation.images.wrist",
        endpoint: "tcp://127.0.0.1:6",
        name: "hand"
    )

    private func at(_ milliseconds: Int) -> MonotonicTime {
        MonotonicTime(nanoseconds: milliseconds * 1_000_000)
    }

    private func observation(_ frames: [String: CameraFrame] = [:]) throws -> RobotObservation {
        RobotObservation(
            robot: try #require(RobotID("arm1")),
            episode: .number(1),
            sequence: 0,
            timeNs: 0,
            values: ["observation.state": [1]],
            frames: frames
        )
    }

    private static let cameras = ["front", "wrist"].map {
        CameraDescription(name: "observation.images.\($0)", height: 1, width: 1)
    }

    private func frame(_ first: UInt8) -> CameraFrame {
        CameraFrame(height: 1, width: 1, pixels: [first, 0, 0])
    }

    private func refusal(_ body: () throws(MessageError) -> RobotObservation) -> MessageError? {
        do throws(MessageError) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func `A camera's name at the server is the last part of its name, unless told otherwise`() {
        #expect(front.name == "front")
        #expect(wrist.name == "hand")
        #expect(CameraSource(camera: "top", endpoint: "ipc://x").name == "top")
    }

    @Test func `Frames are joined while they are fresh`() throws {
        let board = CameraBoard(sources: [front, wrist])
        let bare = try observation()
        let none = refusal { () throws(MessageError) in
            try board.completing(bare, cameras: Self.cameras, received: at(0), longestAgeNs: 500_000_000)
        }
        #expect(none?.code == .missingFeature)
        #expect(
            none?.description
                == "observation.observation.images.front: left out, and no frame of it has come from tcp://127.0.0.1:5"
        )
        board.update(0) { $0.newest = ServedFrame(frame: frame(1), received: at(100)) }
        board.update(1) { $0.newest = ServedFrame(frame: frame(2), received: at(400)) }
        // One that came while the observation waited to be read is as good as new.
        for moment in [50, 100, 600] {
            let whole = try board.completing(
                bare,
                cameras: Self.cameras,
                received: at(moment),
                longestAgeNs: 500_000_000
            )
            #expect(whole.frames == [front.camera: frame(1), wrist.camera: frame(2)], "at \(moment) ms")
        }
        let old = refusal { () throws(MessageError) in
            try board.completing(bare, cameras: Self.cameras, received: at(601), longestAgeNs: 500_000_000)
        }
        #expect(old?.code == .stale)
        #expect(
            old?.message
                == "left out, and the newest frame from tcp://127.0.0.1:5 is 501 ms old, expected at most 500 ms"
        )
    }

    @Test func `A robot's own frame is not replaced`() throws {
        let board = CameraBoard(sources: [front])
        let own = try observation([front.camera: frame(9)])
        #expect(
            try board.completing(own, cameras: Self.cameras, received: at(0), longestAgeNs: 0).frames
                == own.frames
        )
        board.update(0) { $0.newest = ServedFrame(frame: frame(1), received: at(0)) }
        #expect(
            try board.completing(own, cameras: Self.cameras, received: at(0), longestAgeNs: 0).frames
                == own.frames
        )
    }

    @Test func `What came is told, and what is wrong`() {
        let board = CameraBoard(sources: [front, wrist])
        board.update(0) { entry in
            entry.newest = ServedFrame(frame: frame(1), received: at(100))
            (entry.frames, entry.refused, entry.repeated) = (3, 2, 1)
        }
        #expect(
            board.status(now: at(350)) == [
                CameraServerStatus(
                    camera: "observation.images.front",
                    endpoint: "tcp://127.0.0.1:5",
                    name: "front",
                    frames: 3,
                    refused: 2,
                    repeated: 1,
                    ageNs: 250_000_000
                ),
                CameraServerStatus(camera: wrist.camera, endpoint: wrist.endpoint, name: "hand"),
            ]
        )
        let silent = "no frame of observation.images.wrist from tcp://127.0.0.1:6 has come"
        #expect(board.warnings(now: at(350), longestAgeNs: 500_000_000) == [silent])
        #expect(
            board.warnings(now: at(4200), longestAgeNs: 500_000_000) == [
                "the newest frame of observation.images.front from tcp://127.0.0.1:5 is 4 s old", silent,
            ]
        )
    }

    @Test func `A silence of five seconds is told in the same words while it lasts`() {
        let board = CameraBoard(sources: [front, wrist], created: at(0))
        func silence(of source: CameraSource) -> String {
            "no frame of \(source.camera) from \(source.endpoint) has come for 5 s or more"
        }
        #expect(board.silences(now: at(4999)).isEmpty, "servers may take their time to begin")
        board.update(0) { $0.newest = ServedFrame(frame: frame(1), received: at(3000)) }
        #expect(board.silences(now: at(5000)) == [silence(of: wrist)])
        #expect(board.silences(now: at(7999)) == [silence(of: wrist)])
        #expect(board.silences(now: at(8000)) == [silence(of: front), silence(of: wrist)])
        #expect(board.silences(now: at(60_000)) == [silence(of: front), silence(of: wrist)])
        board.update(0) { $0.newest = ServedFrame(frame: frame(1), received: at(60_000)) }
        #expect(board.silences(now: at(60_100)) == [silence(of: wrist)])
    }
}

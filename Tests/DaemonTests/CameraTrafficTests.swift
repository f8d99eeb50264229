import Foundation
import Robotics
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon
@testable import Planning

/// Frames on their way from a robot's client to the daemon.
@Suite(.timeLimit(.minutes(10)), .serialized) struct CameraTrafficTests {
    enum Medium: CaseIterable {
        case tcp
        case ipc
    }

    private let folder = FileManager.default.temporaryDirectory
        .appending(path: "denoised-tests-\(UInt64.random(in: 0 ... .max))")

    /// A daemon that sockets of a robot reach over `medium`, in a folder that the caller makes and removes.
    private func daemon(_ cameras: [CameraDescription], over medium: Medium) throws -> SeeingDaemon {
        try SeeingDaemon(cameras: cameras) { configuration in
            func endpoint(_ name: String) -> String {
                switch medium {
                case .tcp: "tcp://127.0.0.1:*"
                case .ipc: "ipc://\(folder.appending(path: name).path(percentEncoded: false))"
                }
            }
            configuration.observations = .bind(endpoint("observations"))
            configuration.chunks = .bind(endpoint("chunks"))
            configuration.requests = endpoint("requests")
            // As a daemon has it unless told otherwise, and not as one inside the process.
            configuration.messagesPerSecond = DaemonConfiguration().messagesPerSecond
        }
    }

    private func client(of daemon: SeeingDaemon) throws -> RobotClient {
        try RobotClient(robot: id("arm1"), endpoints: daemon.endpoints, context: ZeroMQContext())
    }

    private func observation(
        _ sequence: UInt64,
        frames: [String: CameraFrame],
        replan: Bool = true
    ) throws -> RobotObservation {
        RobotObservation(
            robot: try id("arm1"),
            episode: .number(1),
            sequence: sequence,
            timeNs: 1000 + sequence,
            values: ["observation.state": [Float(sequence), 0]],
            frames: frames,
            replan: replan,
            noiseSeed: 0
        )
    }

    /// A frame of each kind comes to the planner as it was sent, published and as a request.
    @Test(arguments: Medium.allCases)
    func bothKindsOfFramesArriveAsTheyWereSent(medium: Medium) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let front = CameraDescription(name: "observation.images.front", height: 40, width: 60)
        let wrist = CameraDescription(name: "observation.images.wrist", height: 2, width: 2)
        let daemon = try daemon([front, wrist], over: medium)
        let client = try client(of: daemon)
        let pixels = CameraFrame(
            height: 40,
            width: 60,
            pixels: (0..<front.byteCount).map { UInt8($0 % 251) }
        )
        let picture = CameraFrame(.picture(Self.whitePNG, format: .png))
        let sent = [front.name: pixels, wrist.name: picture]

        let published = try client.chunk(for: observation(0, frames: sent))
        #expect(published.actions == [0, 0, 1, 0, 2, 0])
        let requested = try client.predict(observation(1, frames: sent))
        #expect(requested.actions == [1, 0, 2, 0, 3, 0])
        #expect(daemon.seen.histories.count >= 2)
        for history in daemon.seen.histories {
            for observation in history { #expect(observation.frames == sent) }
        }
        #expect(daemon.daemon.statistics.rejectedMessages.isEmpty)
    }

    /// A white picture of 2 x 2 pixels.
    private static let whitePNG = [UInt8](
        Data(
            base64Encoded: "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAADklEQVR42mP4"
                + "DwYMEAoAU7oL9YXEbhEAAAAASUVORK5CYII="
        ) ?? Data()
    )

    /// Four cameras of 640 x 480 pixels at 30 Hz: 110 MB a second, with the rate at which a daemon reads unless told otherwise.
    @Test func fourCamerasAtThirtyHertzLoseNothing() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let cameras = (0..<4).map {
            CameraDescription(name: "observation.images.camera\($0)", height: 480, width: 640)
        }
        let daemon = try daemon(cameras, over: .ipc)
        let client = try client(of: daemon)
        let frames = cameras.enumerated().map { index, camera in
            let pixels = [UInt8](repeating: UInt8(index), count: camera.byteCount)
            return (camera.name, CameraFrame(height: camera.height, width: camera.width, pixels: pixels))
        }
        let sent = Dictionary(uniqueKeysWithValues: frames)
        try daemon.publishFirst(observation(0, frames: sent, replan: false), from: client)

        let count = 90
        let began = ContinuousClock.now
        for step in 1...count {
            try client.publish(observation(UInt64(step), frames: sent, replan: false))
            // A robot that was off its core does not make up for the steps that it missed.
            Thread.sleep(until: Date(timeIntervalSinceNow: 1.0 / 30))
        }
        let took = ContinuousClock.now - began
        #expect(took >= .seconds(2.9), "the rate is no higher than 30 Hz: \(took)")
        let statistics = eventually(within: .seconds(40), every: .milliseconds(20)) {
            daemon.daemon.statistics
        } is: {
            $0.observations == UInt64(count + 1)
        }
        #expect(statistics.droppedObservations == 0)
        #expect(statistics.staleObservations == 0)
        #expect(statistics.rejectedMessages.isEmpty)

        let chunk = try client.predict(observation(UInt64(count + 1), frames: sent))
        #expect(chunk.actions.first == Float(2 * count + 1), "the history is the newest two")
        #expect(daemon.seen.histories.last?.last?.frames == sent)
    }
}

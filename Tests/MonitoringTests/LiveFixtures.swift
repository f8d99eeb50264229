import Foundation
import NIOCore
import NIOHTTP1
import Robotics
import Synchronization
import Testing

@testable import Monitoring

func id(_ text: String) throws -> RobotID { try #require(RobotID(text)) }

func observation(
    _ sequence: UInt64 = 1204,
    robot: String = "arm1",
    values: [String: [Float]] = ["observation.state": [1, -2.5]],
    frames: [String: CameraFrame] = [:]
) throws -> RobotObservation {
    RobotObservation(
        robot: try id(robot),
        episode: .number(7),
        sequence: sequence,
        timeNs: 1,
        values: values,
        frames: frames
    )
}

func chunk(_ sequence: UInt64 = 1204, robot: String = "arm1", totalNs: UInt64 = 21_000_000) throws
    -> RobotChunk
{
    RobotChunk(
        robot: try id(robot),
        episode: .number(7),
        sequence: sequence,
        timeNs: 1,
        firstStep: sequence,
        actions: [1, 2, 3, 4],
        actionSteps: 2,
        actionDim: 2,
        beyond: [5, 6],
        noiseSeed: .max,
        sampling: .init(
            solver: "ddpm",
            steps: 100,
            method: .quasiNewton,
            window: 12,
            tolerance: 0.01,
            iterations: 2,
            evaluations: 100,
            residual: 0.005,
            quality: .converged,
            passes: [
                .init(firstStep: 0, endStep: 60, evaluations: 60, durationNs: 9_000_000),
                .init(firstStep: 50, endStep: 100, evaluations: 40, durationNs: 8_000_500),
            ]
        ),
        timing: .init(
            stages: .init(
                decode: 20_000,
                queue: 30_000,
                condition: 40_000,
                sample: 17_000_000,
                total: totalNs
            ),
            receivedNs: 1
        )
    )
}

func command(_ step: Double = 1204.5, robot: String = "arm1") throws -> RobotCommand {
    RobotCommand(
        robot: try id(robot),
        episode: .number(7),
        tick: 1,
        step: step,
        timeNs: 1,
        action: [1.5, 2.5],
        sequence: 1204,
        state: .running,
        isLimited: true,
        publishedNs: 1,
        wallNs: 1
    )
}

/// The events of a stream's text, in their order: names and JSON objects.
struct StreamedEvent {
    let name: String
    let data: [String: Any]

    static func all(in text: String) throws -> [StreamedEvent] {
        try text.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { event in
            let lines = event.components(separatedBy: "\n")
            try #require(
                lines.count == 2 && lines[0].hasPrefix("event: ") && lines[1].hasPrefix("data: "),
                "\(event.debugDescription)"
            )
            let json = try JSONSerialization.jsonObject(with: Data(lines[1].dropFirst(6).utf8))
            return StreamedEvent(
                name: String(lines[0].dropFirst(7)),
                data: try #require(json as? [String: Any])
            )
        }
    }
}

/// A live page that keeps the orders that it is given and answers them.
final class LivePageLog: Sendable {
    struct Order: Sendable, Equatable {
        let order: RobotOrder
        let robot: RobotID?
    }

    let board = LiveBoard()
    private let given = Mutex<[Order]>([])
    private let told = Mutex<[String]>([])
    private let origins = Mutex<[String]>([])

    /// The orders that were given.
    var orders: [Order] { given.withLock { $0 } }
    /// Whom they came from.
    var orderers: [String] { origins.withLock { $0 } }
    /// The warnings.
    var warnings: [String] { told.withLock { $0 } }

    func page(
        _ access: LiveAccess = LiveAccess(.local),
        answer: Result<OrderOutcome, MessageError> = .success(
            OrderOutcome(robots: 1, state: .stopped, reason: "a \"stop\"", stop: 1_800_000_000_000_000_001)
        )
    ) -> LivePage {
        LivePage(
            board: board,
            access: access,
            robot: { robot in
                robot.text == "arm1"
                    ? .init(
                        dimensions: [.init(name: "<b>x</b>", range: -1...2.5, element: 1), .init(name: "y")],
                        feedback: "observation.state"
                    ) : nil
            },
            carryOut: { order, robot, origin, done in
                self.given.withLock { $0.append(Order(order: order, robot: robot)) }
                self.origins.withLock { $0.append(origin) }
                done(answer)
            },
            warn: { line in self.told.withLock { $0.append(line) } }
        )
    }
}

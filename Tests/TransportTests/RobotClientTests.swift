import Robotics
import Testing
import Wire

@testable import Transport

@Suite struct RobotClientTests {
    /// Observations that wait for a daemon that does not read take 128 MiB or so, however long they are.
    @Test(arguments: [(1 << 20, 1000), ((1 << 20) + 1, 127), (5 << 20, 25), (16 << 20, 8), (.max, 8)])
    func fewLongObservationsWait(longest: Int, waiting: Int) {
        #expect(RobotClient.waitingObservations(longest: longest) == waiting)
    }

    /// A daemon that reads nothing while a hundred observations with a frame of 3.7 MB are published finds a few of them: those
    /// that the client, the system's buffers and its own socket keep.
    @Test func publishingGoesOnIfNobodyReads() throws {
        let context = try ZeroMQContext()
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = 8 << 20
        options.receiveHighWaterMark = 1
        let daemon = try ZeroMQSocket(.subscribe, context: context, options: options)
        try daemon.subscribe(to: [])
        let client = try RobotClient(
            robot: try #require(RobotID("arm1")),
            endpoints: .init(
                observations: try daemon.bind("tcp://127.0.0.1:*"),
                chunks: "inproc://chunks",
                requests: "inproc://requests"
            ),
            context: context,
            longestObservation: 16 << 20
        )
        func publish(_ sequence: UInt64, frames: [String: CameraFrame] = [:]) throws {
            try client.publish(
                RobotObservation(
                    robot: client.robot,
                    episode: .number(1),
                    sequence: sequence,
                    timeNs: 1 + sequence,
                    values: [:],
                    frames: frames
                )
            )
        }
        // What is published before the sockets have met is lost.
        var attempts = 0
        repeat {
            try publish(0)
            attempts += 1
        } while try !ZeroMQSocket.wait(for: [daemon], timeout: .milliseconds(50))[0] && attempts < 200

        let frame = CameraFrame(
            height: 960,
            width: 1280,
            pixels: [UInt8](repeating: 7, count: 960 * 1280 * 3)
        )
        for sequence in UInt64(1)...100 { try publish(sequence, frames: ["camera": frame]) }
        var arrived = 0
        while try ZeroMQSocket.wait(for: [daemon], timeout: .milliseconds(500))[0] {
            let message = try daemon.receive(maximumFrames: 2)
            if let content = message?.last, content.count > 3_000_000 { arrived += 1 }
        }
        #expect((1...30).contains(arrived))
    }
}

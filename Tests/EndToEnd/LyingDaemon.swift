import MCAP
import Robotics
import Testing
import Transport
import Wire

/// Takes a daemon's place: it answers every observation with malformed messages, and then with a chunk that is well-formed.
/// It works while ``work()`` is called.
struct LyingDaemon {
    private let context: ZeroMQContext
    private let observations: ZeroMQSocket
    private let chunks: ZeroMQSocket
    private let requests: ZeroMQSocket
    private let info: InfoMessage

    /// Where it answers requests.
    var endpoint: String { info.endpoints.requests }

    init() throws {
        context = try ZeroMQContext()
        observations = try ZeroMQSocket(.subscribe, context: context)
        chunks = try ZeroMQSocket(.publish, context: context)
        requests = try ZeroMQSocket(.router, context: context)
        try observations.subscribe(to: [])
        let free = "tcp://127.0.0.1:*"
        info = InfoMessage(
            daemonVersion: "0",
            policy: .init(
                name: "lies",
                features: [.init(name: "observation.state", count: 2)],
                horizon: 4,
                nObsSteps: 1,
                nActionSteps: 3,
                actionDim: 2
            ),
            sampler: .init(solver: "ddim", steps: 1, method: .sequential, kernel: "none"),
            endpoints: InfoMessage.Endpoints(
                observations: try observations.bind(free),
                chunks: try chunks.bind(free),
                requests: try requests.bind(free)
            ),
            statistics: DaemonStatistics()
        )
    }

    /// Answers what has arrived, waiting for it a little.
    func work() throws {
        _ = try ZeroMQSocket.wait(for: [requests, observations], timeout: .milliseconds(10))
        while let frames = try requests.receive(maximumFrames: 2) {
            guard case (let number, .success(let request)) = Request.decode(try #require(frames.last)) else {
                Issue.record("a request that cannot be read")
                return
            }
            let reply: Reply =
                if case .reset(let robot, _, _, _) = request { .reset(robot: robot, forgotten: true) } else {
                    .info(info)
                }
            try requests.send([frames[0], reply.encoded(number: number)])
        }
        while let frames = try observations.receive(maximumFrames: 2) {
            let observation = try RobotObservation(decoding: try #require(frames.last))
            let chunk = chunk(for: observation)
            for lie in Self.lies(about: chunk) { try chunks.send([observation.robot.chunkTopic, lie]) }
            try chunks.send([Array(Topic.status.utf8), [0x80]])
            try chunks.send([observation.robot.chunkTopic, chunk])
            let status = StatusMessage(monotonicNs: 1, wallNs: 1, robots: [:], statistics: DaemonStatistics())
            try chunks.send([Array(Topic.status.utf8), status.encoded()])
        }
    }

    /// How many malformed messages each observation gets.
    static let lieCount = 12

    private func chunk(for observation: RobotObservation) -> [UInt8] {
        var chunk = RobotChunk(
            robot: observation.robot,
            episode: observation.episode,
            sequence: observation.sequence,
            timeNs: observation.timeNs,
            firstStep: observation.sequence,
            actions: [1, 2, 3, 4, 5, 6],
            actionSteps: 3,
            actionDim: 2,
            noiseSeed: 0,
            sampling: .init(solver: "ddim", steps: 1, method: .sequential, iterations: 1, evaluations: 1),
            timing: .init(receivedNs: 1)
        )
        return chunk.encode()
    }

    private static func lies(about chunk: [UInt8]) -> [[UInt8]] {
        func replacing(_ old: [UInt8], _ new: [UInt8]) -> [UInt8] {
            guard let range = chunk.firstRange(of: old) else { return [] }
            return Array(chunk[..<range.lowerBound]) + new + Array(chunk[range.upperBound...])
        }
        let shape = Array("shape".utf8)
        let firstAction: [UInt8] = [0, 0, 0x80, 0x3f]
        return [
            [],
            [0xc1],
            [0x01],
            // Arrays and bytes of 4 GB that are not there.
            [0xdd, 0xff, 0xff, 0xff, 0xff],
            [0xc6, 0xff, 0xff, 0xff, 0xff],
            chunk.dropLast(),
            chunk + [0],
            replacing(Array("<f4".utf8), Array("<f8".utf8)),
            // 127 rows; rows of 127; NaN.
            replacing(shape + [0x92, 3, 2], shape + [0x92, 0x7f, 2]),
            replacing(shape + [0x92, 3, 2], shape + [0x92, 3, 0x7f]),
            replacing(firstAction, [0, 0, 0xc0, 0x7f]),
        ]
    }
}

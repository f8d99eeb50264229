import Robotics
import RobotDescription
import Testing

@testable import Daemon
@testable import MCAP
@testable import Piloting

/// What a robot is told between the arrival of a chunk that follows nothing and the control step that it takes over with.
@Suite struct FirstChunkTests {
    private static let ms: UInt64 = 1_000_000
    private static let startNs: UInt64 = 1_000_000_000

    private static let file = """
        control_hz: 10
        command_hz: 50
        clock: monotonic
        actions:
          - {name: x}
          - {name: y}
        """

    /// The chunk for step 0 comes after 30 ms, between the second and the third of the five ticks of that step.
    private func stream(_ file: String) throws -> CommandStream {
        let robot = try id("arm1")
        var stream = CommandStream(
            file: try RobotFile(file),
            strategy: .receding,
            policy: ToyPlanner().policy
        )
        let observation = RobotObservation(
            robot: robot,
            episode: .number(1),
            sequence: 0,
            timeNs: Self.startNs,
            values: ["observation.state": [7, 8], "observation.environment_state": [0, 0, 0]]
        )
        let asks = stream.observe(observation, mayAsk: true, received: at(Self.startNs))
        #expect(asks)
        let chunk = RobotChunk(
            robot: robot,
            episode: .number(1),
            sequence: 0,
            timeNs: Self.startNs,
            firstStep: 0,
            actions: [1, 1, 2, 2, 3, 3],
            actionSteps: 3,
            actionDim: 2,
            noiseSeed: 0,
            sampling: .init(solver: "ddim", steps: 5, method: .sequential, iterations: 5, evaluations: 5),
            timing: .init(receivedNs: Self.startNs)
        )
        let hasJoined = stream.receive(chunk, now: at(Self.startNs + 30 * Self.ms))
        #expect(hasJoined)
        stream.beginMotion()
        stream.startCommands(at: at(Self.startNs + 30 * Self.ms))
        return stream
    }

    private func advance(_ stream: inout CommandStream, ms: UInt64) -> CommandStream.Tick? {
        stream.takePeriod(at: at(Self.startNs + ms * Self.ms)).map { stream.advance($0) }
    }

    private func action(_ tick: CommandStream.Tick?) -> [Float]? {
        if case .command(let command, _, _, _)? = tick { command.action } else { nil }
    }

    @Test func isTheRobotsPlaceWhereThatIsKnown() throws {
        var stream = try stream(Self.file + "\nfeedback: {feature: observation.state}")
        for ms in [40, 60, 80] as [UInt64] {
            let tick = advance(&stream, ms: ms)
            #expect(action(tick) == [7, 8])
        }
        let tick = advance(&stream, ms: 100)
        #expect(action(tick) == [2, 2])
    }

    @Test func isNothingWhereThePlaceIsNotKnown() throws {
        var stream = try stream(Self.file)
        for ms in [40, 60, 80] as [UInt64] {
            let tick = advance(&stream, ms: ms)
            guard case .waiting? = tick else {
                Issue.record("the plan has not run out: \(String(describing: tick))")
                return
            }
        }
        let tick = advance(&stream, ms: 100)
        #expect(action(tick) == [2, 2])
    }

    @Test func aChunkThatIsForgottenHasRunOut() throws {
        var stream = try stream(Self.file)
        stream.forgetPlan()
        guard case .nothingPlanned? = advance(&stream, ms: 40) else {
            Issue.record("expected nothing to be planned")
            return
        }
    }
}

import Robotics
import Testing

@testable import Planning

/// docs/PROTOCOL.md gives this seed as its example, for robots that compute it themselves.
@Test func noiseSeedIsTheProtocolsExample() throws {
    let robot = try #require(RobotID("arm1"))
    let seed = NoiseSeed.derived(from: 0, robot: robot, episode: .number(7), sequence: 8)
    #expect(seed == 11_858_078_140_823_481_186)
}

import Testing
import Transport
import Wire

@testable import Daemon

/// Who has the planner first, through the daemon's sockets.
@Suite(.timeLimit(.minutes(10))) struct TurnsDaemonTests {
    @Test func predictionsOfSomebodyElseDoNotHoldUpARobotWithCommands() throws {
        let gate = Gate()
        let toy = try ToyDaemon(gate: gate) {
            // So that the chunks of others are not held back by its limits.
            $0.robots = (try? [RobotDaemonTests.file("robot: arm1")]) ?? []
        }
        let somebody = try ZeroMQSocket(.dealer, context: toy.daemon.context)
        _ = try somebody.connect(toy.endpoints.requests)
        for number in 0..<UInt64(4) {
            try somebody.send([
                Request.predict(observation(number, first: Float(number))).encoded(number: number)
            ])
        }
        // The first is being planned, and the others wait.
        gate.waitForEntry()
        let client = try toy.client()
        while toy.daemon.statistics.observations < 4 { _ = try client.info() }
        try toy.publish(observation(10, first: 10), from: client)
        gate.pass(5)
        for _ in 0..<4 { gate.waitForEntry() }
        #expect(gate.histories.map(\.last) == [0, 10, 1, 2, 3])
    }
}

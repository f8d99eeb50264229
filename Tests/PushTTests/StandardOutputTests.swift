import Foundation
import PushT
import Testing

/// Chipmunk prints when a process makes its first space. Each test runs in a process of its own, to be the
/// first.
@Suite struct StandardOutputTests {
    @Test func firstSimulationPrintsNothing() async throws {
        let result = try #require(
            await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
                print("before")
                let simulation = PushTSimulation()
                print("after")
                simulation.reset(seed: 1)
            }
        )
        #expect(String(decoding: result.standardOutputContent, as: UTF8.self) == "before\nafter\n")
    }

    @Test func otherThreadsLoseNothing() async throws {
        let result = try #require(
            await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
                DispatchQueue.concurrentPerform(iterations: 4) { worker in
                    for line in 0..<500 {
                        if worker == 0, line == 250 { _ = PushTSimulation() }
                        print("worker")
                    }
                }
            }
        )
        let lines = String(decoding: result.standardOutputContent, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2000)
        #expect(lines.allSatisfy { $0 == "worker" })
    }
}

import Foundation
import Planning
import PushT
import Safetensors

/// Recorded actions, carried out again by the simulator.
struct Replay {
    let input: String
    let output: String

    private struct Report: Encodable {
        let steps: Int
        let maxCoverage: Double
    }

    func run(json: Bool) throws {
        let (initialState, actions) = try Failure.asInput(path: input) {
            let file = try SafetensorsFile(contentsOf: URL(filePath: input))
            let shape = try file.shape(of: "actions")
            guard shape.count == 2, shape[1] == 2 else {
                throw Failure.input("\(input): actions has shape \(shape), expected [T, 2]")
            }
            guard try file.shape(of: "initial_state") == [5] else {
                throw Failure.input(
                    "\(input): initial_state has shape \(try file.shape(of: "initial_state")), expected [5]"
                )
            }
            return (try file.doubles("initial_state"), try file.doubles("actions"))
        }

        let simulation = PushTSimulation()
        let count = actions.count / 2
        var states: [Double] = []
        var coverage: [Double] = []
        try Failure.asInput(path: input) {
            try simulation.reset(to: initialState)
            for step in 0..<count {
                let outcome: StepOutcome
                do {
                    outcome = try simulation.step(SIMD2(actions[2 * step], actions[2 * step + 1]))
                } catch {
                    throw Failure.input("\(input): actions[\(step)]: \(error)")
                }
                states += outcome.observation.state
                coverage.append(outcome.coverage)
            }
        }
        try Failure.asRun(path: output) {
            try SafetensorsWriter.write(
                [
                    "states": .f64(states, shape: [count, 5]),
                    "coverage": .f64(coverage, shape: [count]),
                ],
                to: URL(filePath: output)
            )
        }

        let report = Report(steps: count, maxCoverage: coverage.max() ?? 0)
        if json {
            try Console.json(report)
        } else {
            Console.result(
                "\(count) steps, largest coverage \(fixed(report.maxCoverage, 3)), written to \(output)"
            )
        }
    }
}

import Foundation
import Policy

/// A way of sampling, and how it came to a chunk.
package struct ExplainedMethod {
    /// What the page calls it.
    package let name: String
    /// Its settings, in a few words.
    package let detail: String
    package let explained: ExplainedChunk

    package init(name: String, detail: String, explained: ExplainedChunk) {
        self.name = name
        self.detail = detail
        self.explained = explained
    }

    /// The time of all passes, in milliseconds.
    var milliseconds: Double {
        explained.chunk.passes.reduce(0) { $0 + $1.duration / .milliseconds(1) }
    }

    /// What is planned after a pass: what the latest step of its window predicts; after the last pass the result.
    func plan(after pass: Int) -> [Float] {
        let passes = explained.passes
        guard pass + 1 < passes.count else { return explained.chunk.prediction }
        let latest = passes[pass].steps.indices.max { passes[pass].steps[$0] < passes[pass].steps[$1] }
        return latest.map { passes[pass].predictions[$0] } ?? explained.chunk.prediction
    }

    /// The samples of sequential sampling that each step starts from, [numInferenceSteps]; of the sequential method alone.
    var samplesByStep: [[Float]] {
        explained.passes.sorted { ($0.steps.first ?? 0) < ($1.steps.first ?? 0) }.flatMap(\.samples)
    }
}

/// How far a sample still was from sequential sampling's at a step, when a pass evaluated it.
struct Residual {
    let pass: Int
    let step: Int
    /// The root mean square over the sample's numbers, on the network's scale, on which actions span 2.
    let distance: Double

    /// Those of all evaluations of a method.
    ///
    /// - Parameter reference: sequential sampling's sample at each step.
    static func all(of method: ExplainedMethod, reference: [[Float]]) -> [Residual] {
        method.explained.passes.enumerated().flatMap { index, pass in
            zip(pass.steps, pass.samples).map { step, sample in
                Residual(pass: index, step: step, distance: distance(sample, reference[step]))
            }
        }
    }

    private static func distance(_ sample: [Float], _ reference: [Float]) -> Double {
        let squares = zip(sample, reference).reduce(0.0) { sum, pair in
            let difference = Double(pair.0) - Double(pair.1)
            return sum + difference * difference
        }
        return (squares / Double(max(sample.count, 1))).squareRoot()
    }

    /// The colours' lower bounds, from the second colour on. The first is for what is as good as nothing.
    static let bounds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]

    /// The colour's number, 0 to `bounds.count`.
    var level: Int { Self.bounds.count { distance >= $0 } }
}

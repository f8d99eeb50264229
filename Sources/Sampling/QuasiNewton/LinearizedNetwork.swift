/// The network as a linear function about the samples y at which it was evaluated last:
///
///     m(x) = m(y) + h (x - y) + r ((x - y) . s) / (s . s)                          (3) in docs/SAMPLING.md
///
/// h, a number or a matrix, comes from an `OutputLinearization`. The secant of a step that was evaluated twice is s, its
/// sample's displacement between the two evaluations, and r, what h missed of the output's change (Broyden, *A Class of
/// Methods for Solving Nonlinear Simultaneous Equations*, 1965). Steps without a secant share a shift of their gains: by how
/// much those of this sample differ from the measured ones.
struct LinearizedNetwork {
    /// The measured model, h and its errors.
    let linearization: OutputLinearization
    /// By how much this sample's gains exceed the measured ones, damped.
    private(set) var gainShift: Float = 0
    /// Whether any step of this sample has been evaluated twice, so that the shift tells anything.
    private(set) var hasGainEvidence = false
    /// The outputs that `expectOutputs` found, [sampleSize].
    private(set) var expectedOutputs: [Float]

    private let steps: [SolverStep]
    private let sampleSize: Int
    /// dm / dx at a fixed x_0, and dm / dx_0 at a fixed x; [N].
    private let outputFromSample: [Float]
    private let outputFromX0: [Float]
    /// s and r, [N, sampleSize], and s . s, [N], 0 for a step without a secant.
    private var secantSteps: [Float]
    private var secantResiduals: [Float]
    private var secantNorms: [Float]
    /// A step's displacement x - y, and the change of x_0 that is expected of it; [sampleSize].
    private var displacement: [Float]
    private var x0Change: [Float]

    init(steps: [SolverStep], sampleSize: Int, linearization: OutputLinearization) {
        self.steps = steps
        self.sampleSize = sampleSize
        self.linearization = linearization
        outputFromSample = steps.map { Float($0.outputFromSample) }
        outputFromX0 = steps.map { Float($0.outputFromX0) }
        secantSteps = Array(repeating: 0, count: steps.count * sampleSize)
        secantResiduals = secantSteps
        secantNorms = Array(repeating: 0, count: steps.count)
        displacement = Array(repeating: 0, count: sampleSize)
        x0Change = displacement
        expectedOutputs = displacement
    }

    /// Forgets the secants and the shift.
    mutating func startSample() {
        for step in secantNorms.indices { secantNorms[step] = 0 }
        gainShift = 0
        hasGainEvidence = false
    }

    /// Whether a step has a secant that is more than rounding.
    func hasSecant(_ step: Int) -> Bool { secantNorms[step] > QuasiNewtonTuning.smallestSecant }

    /// Finds the output (3) that is expected of an evaluated step at its present sample.
    mutating func expectOutputs(of step: Int, on trajectory: borrowing Trajectory) {
        expectChange(of: step, on: trajectory)
        let first = step * sampleSize
        guard hasSecant(step) else {
            let shift = gainShift * outputFromX0[step]
            for element in 0..<sampleSize {
                expectedOutputs[element] =
                    trajectory.outputs[first + element] + outputChange(step, element: element)
                    + shift * displacement[element]
            }
            return
        }
        var product: Float = 0
        for element in 0..<sampleSize { product += displacement[element] * secantSteps[first + element] }
        // No further than the secant itself reaches.
        let weight = min(max(product / secantNorms[step], -1), 1)
        for element in 0..<sampleSize {
            expectedOutputs[element] =
                trajectory.outputs[first + element] + outputChange(step, element: element)
                + weight * secantResiduals[first + element]
        }
    }

    /// Learns the secants and the shift of gains from the outputs of this sample's steps, and records the outputs in the
    /// trajectory.
    ///
    /// - Parameter rows: those of the batch that are this sample's.
    /// - Returns: The stiffness (9), over the steps in which a way to act is chosen.
    mutating func learn(from batch: borrowing Batch, rows: Range<Int>, on trajectory: inout Trajectory)
        -> Float
    {
        var stiffness: Float = 0
        var evidence = GainEvidence()
        for row in rows {
            let step = batch.steps[row]
            if trajectory.isEvaluated[step] {
                let change = learnSecant(from: batch, row: row, on: trajectory, evidence: &evidence)
                let isUndecided = Double(step) < QuasiNewtonTuning.decidedPart * Double(steps.count)
                if isUndecided, change.displacement > QuasiNewtonTuning.roundingDisplacement {
                    stiffness = max(stiffness, self.stiffness(of: change, step: step))
                }
            } else {
                secantNorms[step] = 0
            }
            trajectory.record(batch, row: row)
        }
        shiftGains(by: evidence)
        return stiffness
    }

    /// How a step's sample and x_0 changed from one evaluation to the next, in the largest elements.
    private struct Change {
        var displacement: Float = 0
        /// Of x_0, beyond what h says.
        var unexpected: Float = 0
    }

    /// Sums over the elements of the steps of a pass, from which a shift of their gains is fitted.
    private struct GainEvidence {
        /// dx . dx
        var displacements: Float = 0
        /// (dx_0 - g dx) . dx
        var products: Float = 0
    }

    /// Replaces a step's secant by that from its last evaluation to the one in row `row` of a batch.
    private mutating func learnSecant(
        from batch: borrowing Batch,
        row: Int,
        on trajectory: borrowing Trajectory,
        evidence: inout GainEvidence
    ) -> Change {
        let index = batch.steps[row]
        let step = steps[index]
        expectChange(of: index, on: trajectory)
        var norm: Float = 0
        var largest = Change()
        for element in 0..<sampleSize {
            let cell = index * sampleSize + element
            let output = batch.outputs[row * sampleSize + element]
            let moved = displacement[element]
            secantSteps[cell] = moved
            secantResiduals[cell] = output - trajectory.outputs[cell] - outputChange(index, element: element)
            norm += moved * moved
            let change =
                step.predictedX0(sample: trajectory.samples[cell], modelOutput: output)
                - step.predictedX0(
                    sample: trajectory.evaluatedAt[cell],
                    modelOutput: trajectory.outputs[cell]
                )
            let unexpected = change - x0Change[element]
            evidence.products += unexpected * moved
            largest.displacement = max(largest.displacement, abs(moved))
            largest.unexpected = max(largest.unexpected, abs(unexpected))
        }
        secantNorms[index] = norm
        evidence.displacements += norm
        return largest
    }

    /// One step's term of (9).
    private func stiffness(of change: Change, step: Int) -> Float {
        let expectedError = change.displacement * linearization.errors[step]
        return change.unexpected / (expectedError + linearization.rounding[step])
    }

    private mutating func shiftGains(by evidence: GainEvidence) {
        guard evidence.displacements > QuasiNewtonTuning.smallestShiftEvidence else { return }
        hasGainEvidence = true
        let limit = QuasiNewtonTuning.largestShift
        let shift = min(max(evidence.products / evidence.displacements, -limit), limit)
        gainShift += QuasiNewtonTuning.shiftRate * (shift - gainShift)
    }

    /// Finds a step's displacement since its last evaluation, and by how much x_0 is expected to follow.
    private mutating func expectChange(of step: Int, on trajectory: borrowing Trajectory) {
        for element in 0..<sampleSize {
            let cell = step * sampleSize + element
            displacement[element] = trajectory.samples[cell] - trajectory.evaluatedAt[cell]
        }
        linearization.expectX0Change(step: step, displacement: displacement, into: &x0Change)
    }

    /// h (x - y): by how much an element of the output is expected to change, without secant and shift.
    @inline(__always)
    private func outputChange(_ step: Int, element: Int) -> Float {
        outputFromSample[step] * displacement[element] + outputFromX0[step] * x0Change[element]
    }
}

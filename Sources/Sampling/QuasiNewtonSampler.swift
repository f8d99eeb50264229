/// Parallel sampling by quasi-Newton sweeps over a sliding window of timesteps.
///
/// Like ParaDiGMS it improves a guess of the trajectory x_0, x_1, ..., x_N (x_0 the initial noise, x_N the result) window
/// by window, one batched evaluation a sweep. But a sweep solves the steps' recurrence exactly, with only the network
/// linearised about the samples y it was last evaluated at:
///
///     m(x) = m(y) + h (x - y) + r ((x - y) . s) / (s . s)
///
/// where h comes from an `OutputLinearization`, s is the sample's displacement between its last two evaluations and r what
/// h missed of the output's change over it (Broyden's update, *A Class of Methods for Solving Nonlinear Simultaneous
/// Equations*, 1965). Steps that enter the window continue the recurrence with the last known clean sample.
///
/// A sample whose displacement is small enough is not evaluated again: the error of its output, estimated by the
/// linearisation's, may add at most tolerance / sqrt(N) to the result. The window's first sample is always exact, so a
/// sweep always gains a step, N sweeps are enough (2 N where a sample starts over, see below), and tolerance 0 gives the
/// sequential sample.
///
/// Some noise lies where two ways to act meet, and there the smallest error decides between them. The signature is an
/// output that changes several times more than the linearisation expects. Therefore the last sample of a window is
/// evaluated again in the part of the process where ways are chosen; the tolerance shrinks by what was seen, and beyond a
/// limit the sample starts over from the first step, with a hundredth of the tolerance.
struct QuasiNewtonSampler: SamplingAlgorithm {
    let window: Int
    let tolerance: Float
    var maximumBatch: Int { window }

    private let steps: [SolverStep]
    private let timesteps: [Int]
    private let sampleCount: Int
    private let linearization: OutputLinearization
    /// dm / dx of the linearised network, [N].
    private let outputGains: [Float]
    /// dm / dx_0 at a fixed x, [N].
    private let outputFromX0: [Float]
    /// The estimated effect on the result of a displacement of one, [N].
    private let errorWeights: [Float]
    private let largestError: Float

    /// The guess, [N + 1, sampleCount]. Rows up to the front are final.
    private var trajectory: [Float]
    /// Row i + 1 is the clean sample that step i used last; row 0 stands for the step before the first, which has none.
    private var predictedX0: [Float]
    /// Where each step's output was evaluated last, and the output; [N, sampleCount].
    private var evaluatedAt: [Float]
    private var modelOutputs: [Float]
    /// Broyden's s and r, [N, sampleCount], and s . s, [N], 0 where a step has been evaluated less than twice.
    private var secantSteps: [Float]
    private var secantResiduals: [Float]
    private var secantNorms: [Float]
    /// The network's outputs for the window, [window, sampleCount].
    private var newOutputs: [Float]
    /// What the first window is stepped towards: a guess of the result, or 0.
    private var initialX0: [Float]
    /// By how much this sample's gains differ from the linearisation's, for steps without a secant.
    private var gainShift: Float = 0

    /// In the first part of the process a window's last sample is always evaluated again.
    private static let checkedPart = 0.6
    /// In the last part the ways have been chosen.
    private static let decidedPart = 0.9
    private static let ambiguousStiffness: Float = 3
    /// The part of the tolerance that is left where ways are ambiguous: small errors have been seen to grow a hundredfold.
    private static let carefulness: Float = 0.01
    /// A secant halves the error at least; its samples may move further.
    private static let secantAllowance: Float = 3
    /// The least that an error in x counts for in the result: how it spreads is known on average only.
    private static let smallestSpread = 0.3
    private static let shiftRate: Float = 0.3
    private static let largestShift: Float = 0.3

    init(
        steps: [SolverStep],
        sampleCount: Int,
        window: Int,
        tolerance: Float,
        linearization: OutputLinearization
    ) {
        self.steps = steps
        self.timesteps = steps.map(\.timestep)
        self.sampleCount = sampleCount
        self.window = min(window, steps.count)
        self.tolerance = tolerance
        self.linearization = linearization
        self.largestError = tolerance / Float(steps.count).squareRoot()

        let responses = steps.map(\.response)
        outputGains = zip(steps, linearization.gains).map { Float($0.outputGain(x0Gain: Double($1))) }
        outputFromX0 = steps.map { Float($0.outputGain(x0Gain: 1) - $0.outputGain(x0Gain: 0)) }
        errorWeights = Self.spreads(responses, gains: linearization.gains).map { Float($0) }

        let count = steps.count * sampleCount
        trajectory = Array(repeating: 0, count: count + sampleCount)
        predictedX0 = Array(repeating: 0, count: count + sampleCount)
        evaluatedAt = Array(repeating: 0, count: count)
        modelOutputs = Array(repeating: 0, count: count)
        secantSteps = Array(repeating: 0, count: count)
        secantResiduals = Array(repeating: 0, count: count)
        secantNorms = Array(repeating: 0, count: steps.count)
        newOutputs = Array(repeating: 0, count: self.window * sampleCount)
        initialX0 = Array(repeating: 0, count: sampleCount)
    }

    /// What an error in each step's x_0 adds to the result: through the step's own result, and through the next one's
    /// where that looks back. An error in x_j counts d x_N / d x_j by the linearised recurrence.
    private static func spreads(_ responses: [StepResponse], gains: [Float]) -> [Double] {
        var after = 1.0
        var afterNext = 1.0
        var nextLooksBack = 0.0
        var weights = [Double](repeating: 0, count: responses.count)
        for index in responses.indices.reversed() {
            let response = responses[index]
            weights[index] =
                abs(response.x0) * max(after, smallestSpread) + abs(nextLooksBack)
                * max(afterNext, smallestSpread)
            afterNext = after
            nextLooksBack = response.previousX0
            after = max(after * (response.sample + response.x0 * Double(gains[index])), 0)
        }
        return weights
    }

    mutating func guess(_ x0: Span<Float>) {
        for element in 0..<sampleCount { initialX0[element] = x0[element] }
    }

    mutating func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        frozen: borrowing FrozenElements,
        deadline: inout Deadline?,
        into sample: inout MutableSpan<Float>
    ) -> SamplingProgress {
        var iterations = 0
        var evaluations = 0
        var squaredErrors = 0.0
        var allowed = largestError
        var isCareful = false
        var largestStiffness: Float = 1

        start(from: noise, frozen: frozen)
        var front = 0
        var end = window
        var known = 0
        while front < steps.count {
            if deadline.forbids(batch: end - front, step: front, of: steps.count) { break }
            predictor.predict(
                trajectory: trajectory,
                timesteps: timesteps,
                rows: front..<end,
                of: steps,
                frozen: frozen,
                deadline: &deadline,
                into: &newOutputs
            )
            iterations += 1
            evaluations += end - front

            let stiffness = learn(from: front, to: end, known: known)
            known = max(known, end)
            // Without tolerance every sample is exact, whatever it takes.
            if stiffness > Self.ambiguousStiffness && !isCareful && tolerance > 0 {
                isCareful = true
                allowed = largestError * Self.carefulness
                squaredErrors = 0
                front = 0
                end = window
                continue
            }

            if !isCareful {
                largestStiffness = max(largestStiffness, stiffness)
                allowed = largestError / largestStiffness
            }
            for step in front..<end { advance(step, noise: noise, frozen: frozen) }
            let newFront = settled(from: front, to: end, allowed: allowed, squaredErrors: &squaredErrors)
            let newEnd = min(newFront + window, steps.count)
            if end < newEnd {
                for step in end..<newEnd {
                    if step < known {
                        advance(step, noise: noise, frozen: frozen)
                    } else {
                        hold(step, noise: noise, frozen: frozen)
                    }
                }
            }
            front = newFront
            end = newEnd
        }

        for element in 0..<sampleCount {
            sample[element] = trajectory[front * sampleCount + element]
        }
        return SamplingProgress(
            steps: front,
            iterations: iterations,
            evaluations: evaluations,
            residual: Float(squaredErrors.squareRoot())
        )
    }

    /// Fills the first window with the initial sample and steps towards the guess.
    private mutating func start(from noise: Span<Float>, frozen: borrowing FrozenElements) {
        for element in 0..<sampleCount {
            trajectory[element] = noise[element]
            predictedX0[element] = initialX0[element]
            initialX0[element] = 0
        }
        for step in steps.indices { secantNorms[step] = 0 }
        gainShift = 0
        for step in 0..<window - 1 { hold(step, noise: noise, frozen: frozen) }
    }

    /// Takes the window's new outputs over, with the secants of steps `front` ..< `known`, which had others.
    ///
    /// - Returns: the largest change of a clean sample that the linearisation did not expect, in units of what it takes to
    ///   be its error, over the steps in which ways are chosen.
    private mutating func learn(from front: Int, to end: Int, known: Int) -> Float {
        var stiffness: Float = 0
        var displacements: Float = 0
        var products: Float = 0
        for index in front..<end {
            let step = steps[index]
            let gain = linearization.gains[index]
            let isKnown = index < known
            var norm: Float = 0
            var largestDisplacement: Float = 0
            var largestSurprise: Float = 0
            for element in 0..<sampleCount {
                let cell = index * sampleCount + element
                let here = trajectory[cell]
                let output = newOutputs[cell - front * sampleCount]
                if isKnown {
                    let there = evaluatedAt[cell]
                    let displacement = here - there
                    secantSteps[cell] = displacement
                    secantResiduals[cell] = output - modelOutputs[cell] - outputGains[index] * displacement
                    norm += displacement * displacement
                    let change =
                        step.predictedX0(sample: here, modelOutput: output)
                        - step.predictedX0(sample: there, modelOutput: modelOutputs[cell])
                    let surprise = change - gain * displacement
                    products += surprise * displacement
                    largestDisplacement = max(largestDisplacement, abs(displacement))
                    largestSurprise = max(largestSurprise, abs(surprise))
                }
                evaluatedAt[cell] = here
                modelOutputs[cell] = output
            }
            secantNorms[index] = norm
            displacements += norm
            // What the network's rounding does is taken off, but not what that of the displacement itself does.
            if largestDisplacement > 1e-4, Double(index) < Self.decidedPart * Double(steps.count) {
                let surprise = largestSurprise - linearization.rounding[index]
                stiffness = max(stiffness, surprise / (largestDisplacement * linearization.errors[index]))
            }
        }
        if displacements > 1e-6 {
            let shift = min(max(products / displacements, -Self.largestShift), Self.largestShift)
            gainShift += Self.shiftRate * (shift - gainShift)
        }
        return stiffness
    }

    /// Takes a step with the linearised output.
    private mutating func advance(_ index: Int, noise: Span<Float>, frozen: borrowing FrozenElements) {
        let step = steps[index]
        let first = index * sampleCount
        var gain = outputGains[index]
        var secantWeight: Float = 0
        // Shorter displacements are rounding.
        let hasSecant = secantNorms[index] > 1e-8
        if hasSecant {
            var product: Float = 0
            for cell in first..<first + sampleCount {
                product += (trajectory[cell] - evaluatedAt[cell]) * secantSteps[cell]
            }
            // No further than the secant itself reaches.
            secantWeight = min(max(product / secantNorms[index], -1), 1)
        } else {
            gain += gainShift * outputFromX0[index]
        }
        for cell in first..<first + sampleCount where !frozen.range.contains(cell - first) {
            let sample = trajectory[cell]
            var output = modelOutputs[cell] + gain * (sample - evaluatedAt[cell])
            if hasSecant { output += secantWeight * secantResiduals[cell] }
            let x0 = step.predictedX0(sample: sample, modelOutput: output)
            take(step, cell: cell, modelOutput: output, x0: x0, noise: noise)
        }
        takeFrozen(index, noise: noise, frozen: frozen)
    }

    /// Takes a step with the clean sample of the step before it.
    private mutating func hold(_ index: Int, noise: Span<Float>, frozen: borrowing FrozenElements) {
        let step = steps[index]
        let first = index * sampleCount
        for cell in first..<first + sampleCount where !frozen.range.contains(cell - first) {
            let x0 = predictedX0[cell]
            let output = step.modelOutput(sample: trajectory[cell], x0: x0)
            take(step, cell: cell, modelOutput: output, x0: x0, noise: noise)
        }
        takeFrozen(index, noise: noise, frozen: frozen)
    }

    /// Takes the frozen elements' step. Nothing of it comes from the network, so it is the same in every sweep: they are never
    /// displaced, and count neither as a change nor as a surprise.
    private mutating func takeFrozen(_ index: Int, noise: Span<Float>, frozen: borrowing FrozenElements) {
        let step = steps[index]
        for element in frozen.range {
            let cell = index * sampleCount + element
            let sample = trajectory[cell]
            let output = frozen.modelOutput(of: step, sample: sample, element: element)
            // As it comes out of the output, like a sequential step's: to the last bit.
            let x0 = step.predictedX0(sample: sample, modelOutput: output)
            take(step, cell: cell, modelOutput: output, x0: x0, noise: noise)
        }
    }

    @inline(__always)
    private mutating func take(
        _ step: SolverStep,
        cell: Int,
        modelOutput: Float,
        x0: Float,
        noise: Span<Float>
    ) {
        trajectory[cell + sampleCount] = step.advance(
            sample: trajectory[cell],
            modelOutput: modelOutput,
            x0: x0,
            previousX0: predictedX0[cell],
            noise: noise[cell + sampleCount]
        )
        predictedX0[cell + sampleCount] = x0
    }

    /// The first of the samples `front` + 1 ... `end` that must be evaluated again. Adds the squares of the errors that
    /// those before it may cause in the result.
    private func settled(from front: Int, to end: Int, allowed: Float, squaredErrors: inout Double) -> Int {
        let isChecked = Double(end) < Self.checkedPart * Double(steps.count)
        let limit = isChecked ? max(end - 1, front + 1) : end
        var index = front + 1
        while index < limit {
            var displacement: Float = 0
            for cell in index * sampleCount..<(index + 1) * sampleCount {
                let moved = abs(trajectory[cell] - evaluatedAt[cell])
                if !(moved <= displacement) { displacement = moved }
            }
            let allowance = secantNorms[index] > 1e-8 ? Self.secantAllowance : 1
            let error = displacement * linearization.errors[index] * errorWeights[index] / allowance
            // Both comparisons are written so that a NaN has not settled.
            guard error <= allowed else { break }
            squaredErrors += Double(error) * Double(error)
            index += 1
        }
        return index
    }
}

/// Parallel sampling of one sample by quasi-Newton sweeps over a sliding window of timesteps; docs/SAMPLING.md has the method.
///
/// Like ParaDiGMS it improves a guess of the trajectory x[0], x[1], ..., x[N] (x[0] the initial noise, x[N] the result) window
/// by window, one pass of the network a sweep. But a sweep solves the steps' recurrence exactly (`Trajectory`), with only the
/// network linearised about the samples it was last evaluated at (`LinearizedNetwork`).
///
/// Not every step is evaluated. The window holds *nodes*. On a *bridge* between two nodes x_0 lies on the line between theirs
/// (`NodeLayout`). With fewer than 24 steps, or tolerance 0, every step is a node.
///
/// A node that moved little since it was evaluated is not evaluated again (`AcceptanceRule`). The first node of a window is
/// always accepted. So a sweep gains a node, unless it gives up the bridge that leads there. N sweeps are enough, half as
/// many more if bridges are given up, and N more if a sample starts over. With tolerance 0 the sample is the sequential one.
struct QuasiNewtonSweeps: WindowSweeps {
    /// The number of nodes that a window holds.
    let width: Int
    /// The step of the last node of the window that was advanced last.
    private(set) var predictingStep = 0

    private let stepCount: Int
    private let sampleSize: Int
    private var trajectory: Trajectory
    private var network: LinearizedNetwork
    private var rule: AcceptanceRule
    private var layout: NodeLayout
    /// The window, as indices of nodes. Nodes before its first, the front, are final.
    private var window = 0..<0
    /// E_j of each node of the window, nil for one that was never evaluated; [N].
    private var expectedErrors: [Float?]
    /// Clean sample towards which the first window is stepped: a guess of the result, or 0; [sampleSize].
    private var guessedX0: [Float]
    private let clipSampleRange: Float

    /// - Parameters:
    ///   - clipSampleRange: largest distance of a guess from 0; nil: it is not clipped.
    ///   - window: the number of nodes of a window, at least 1; at most all steps are.
    ///   - tolerance: as in `SamplerSettings`.
    ///   - linearization: how the network's output follows its sample.
    init(
        steps: [SolverStep],
        sampleSize: Int,
        clipSampleRange: Float?,
        window: Int,
        tolerance: Float,
        linearization: OutputLinearization
    ) {
        width = min(window, steps.count)
        stepCount = steps.count
        self.sampleSize = sampleSize
        rule = AcceptanceRule(
            tolerance: tolerance,
            stepCount: steps.count,
            usesMatrices: !linearization.matrices.isEmpty
        )
        layout = NodeLayout(
            errorWeights: errorWeights(steps.map(\.response), gains: linearization.gains),
            volatility: linearization.volatility,
            largestError: rule.largestError
        )
        trajectory = Trajectory(steps: steps, sampleSize: sampleSize)
        network = LinearizedNetwork(steps: steps, sampleSize: sampleSize, linearization: linearization)
        expectedErrors = Array(repeating: nil, count: steps.count)
        guessedX0 = Array(repeating: 0, count: sampleSize)
        self.clipSampleRange = clipSampleRange ?? .infinity
    }

    mutating func start(from noise: Span<Float>, guess: Span<Float>, frozen: borrowing FrozenElements) {
        let limit = clipSampleRange
        for element in 0..<sampleSize {
            guessedX0[element] = guess.isEmpty ? 0 : max(-limit, min(limit, guess[element]))
        }
        trajectory.start(from: noise, towards: guessedX0)
        network.startSample()
        rule.startSample()
        layout.startSample()
        predictingStep = 0
        layFirstWindow(noise: noise, frozen: frozen)
    }

    /// Adds the samples of the window's nodes.
    func appendWindow(to batch: inout Batch, condition: Int) {
        for node in window {
            let step = layout.nodes[node]
            batch.append(trajectory.samples, row: step, step: step, condition: condition)
        }
    }

    mutating func sweep(
        _ batch: borrowing Batch,
        rows: Range<Int>,
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) -> Bool {
        let stiffness = network.learn(from: batch, rows: rows, on: &trajectory)
        if rule.mustStartOver(stiffness: stiffness) {
            startOver(from: noise, frozen: frozen)
            return false
        }
        rule.tighten(
            stiffness: stiffness,
            gainShift: network.hasGainEvidence ? network.gainShift : nil,
            roughness: layout.roughness
        )
        advanceWindow(noise: noise, frozen: frozen)
        predictingStep = lastStep
        giveUpBridges()
        moveFront()
        extendWindow(noise: noise, frozen: frozen)
        return true
    }

    func writePrediction(into sample: inout MutableSpan<Float>) {
        let cells = trajectory.cells(predictingStep + 1)
        for element in 0..<sampleSize {
            sample[element] = trajectory.cleanSamples[cells.lowerBound + element]
        }
    }

    func writeSample(into sample: inout MutableSpan<Float>) {
        let cells = trajectory.cells(settledSteps)
        for element in 0..<sampleSize { sample[element] = trajectory.samples[cells.lowerBound + element] }
    }

    /// How many of the solver's steps are final: those before the front.
    var settledSteps: Int {
        window.lowerBound < layout.nodes.count ? layout.nodes[window.lowerBound] : stepCount
    }

    /// The step of the window's last node.
    private var lastStep: Int { layout.nodes[window.upperBound - 1] }

    /// The root of the sum of the squared errors of nodes and bridges.
    var residual: Float { Float((rule.squaredErrors + layout.squaredErrors).squareRoot()) }

    /// Whether the errors of bridges grow in this sample, of which no node is evaluated twice (9a): late in the process x_0 then
    /// wanders further than is typical.
    var shouldStartOver: Bool {
        let hasBridges = settledSteps > window.lowerBound
        let roughness = layout.roughness / layout.largestLaidRoughness
        return width == 1 && hasBridges && roughness > QuasiNewtonTuning.spreadingRoughness
            && Double(settledSteps) >= QuasiNewtonTuning.spreadingPart * Double(stepCount)
    }

    /// Starts again at the first step, with every step a node and the outputs that are known.
    mutating func startOver(from noise: Span<Float>, frozen: borrowing FrozenElements) {
        rule.startOver()
        layout.restart(dense: true)
        layFirstWindow(noise: noise, frozen: frozen)
    }

    private mutating func layFirstWindow(noise: Span<Float>, frozen: borrowing FrozenElements) {
        layout.extend(to: width, caution: 1)
        window = 0..<layout.nodes.count
        advance(0..<lastStep, noise: noise, frozen: frozen)
    }

    /// Runs (1) through the window, and before that through the bridge that leads to the front: its steps depend on the front's
    /// newest output too.
    private mutating func advanceWindow(noise: Span<Float>, frozen: borrowing FrozenElements) {
        let front = window.lowerBound
        let first = front > 0 ? layout.nodes[front - 1] + 1 : 0
        advance(first..<lastStep + 1, noise: noise, frozen: frozen)
    }

    /// Runs (1) through some steps, each with the best x_0 known: from the linearised network at a node, from the line on a
    /// bridge, else that of the step before.
    private mutating func advance(
        _ range: Range<Int>,
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) {
        for step in range {
            let (before, after) = layout.bridge(of: step)
            if !trajectory.isEvaluated[before] || !trajectory.isEvaluated[after] {
                trajectory.advanceWithLastX0(step, noise: noise, frozen: frozen)
            } else if before == after {
                network.expectOutputs(of: step, on: trajectory)
                trajectory.advance(step, outputs: network.expectedOutputs, noise: noise, frozen: frozen)
            } else {
                trajectory.advanceOnBridge(step, from: before, to: after, noise: noise, frozen: frozen)
            }
        }
    }

    /// Turns bridges of the window, and the one that leads to its front, into nodes if they are too long for this sample (6a).
    private mutating func giveUpBridges() {
        let inserted = layout.giveUpBridges(in: window, of: trajectory)
        window = window.lowerBound..<window.upperBound + inserted
    }

    /// Moves the front past the nodes that need no further evaluation (8), (8a).
    private mutating func moveFront() {
        for (index, node) in window.enumerated() { expectedErrors[index] = expectedError(of: node) }
        let isLastWindow = layout.isComplete && window.upperBound == layout.nodes.count
        let accepted = rule.accept(
            errors: expectedErrors[..<window.count],
            lastStep: lastStep,
            mayFinish: isLastWindow && !layout.hasBridges
        )
        let front = window.lowerBound + accepted
        layout.observeRoughness(of: window.lowerBound..<front, on: trajectory)
        window = front..<window.upperBound
    }

    /// E_j of a node (7); nil if it was never evaluated.
    private func expectedError(of node: Int) -> Float? {
        let step = layout.nodes[node]
        guard trajectory.isEvaluated[step] else { return nil }
        return AcceptanceRule.expectedError(
            displacement: trajectory.largestDisplacement(of: step),
            relativeError: network.linearization.errors[step],
            weight: layout.weights[step],
            hasSecant: network.hasSecant(step)
        )
    }

    /// Lays nodes until the window is full again, and guesses their samples.
    private mutating func extendWindow(noise: Span<Float>, frozen: borrowing FrozenElements) {
        let advanced = lastStep + 1
        let front = window.lowerBound
        layout.extend(to: front + width, caution: rule.caution)
        window = front..<min(front + width, layout.nodes.count)
        if lastStep > advanced { advance(advanced..<lastStep, noise: noise, frozen: frozen) }
    }
}

/// w_j in (7): the error of the result for each unit of error in a step's x_0, through the step itself, and through the next
/// one if that uses the x_0 of the step before. Shape [N].
///
/// - Parameters:
///   - responses: how each step's result responds to its x and x_0, [N].
///   - gains: how each step's x_0 responds to its x, [N].
func errorWeights(_ responses: [StepResponse], gains: [Float]) -> [Float] {
    let smallest = QuasiNewtonTuning.smallestSpread
    // D after the step, and after the next one.
    var after = 1.0
    var afterNext = 1.0
    var nextPreviousX0 = 0.0
    var weights = [Float](repeating: 0, count: responses.count)
    for index in responses.indices.reversed() {
        let response = responses[index]
        let throughNext = abs(nextPreviousX0) * max(afterNext, smallest)
        weights[index] = Float(abs(response.x0) * max(after, smallest) + throughNext)
        afterNext = after
        nextPreviousX0 = response.previousX0
        after = max(after * (response.sample + response.x0 * Double(gains[index])), 0)
    }
    return weights
}

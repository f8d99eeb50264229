/// Parallel sampling by quasi-Newton sweeps over a sliding window of timesteps.
///
/// Like ParaDiGMS it improves a guess of the trajectory x_0, x_1, ..., x_N (x_0 the initial noise, x_N the result) window
/// by window, one batched evaluation a sweep. But a sweep solves the steps' recurrence exactly, with only the network
/// linearised about the samples y it was last evaluated at:
///
///     m(x) = m(y) + h (x - y) + r ((x - y) . s) / (s . s)
///
/// where h, a number or a matrix, comes from an `OutputLinearization`, s is the sample's displacement between its last two
/// evaluations and r what h missed of the output's change over it (Broyden's update, *A Class of Methods for Solving
/// Nonlinear Simultaneous Equations*, 1965). Steps that enter the window continue the recurrence with the last known clean
/// sample.
///
/// Not every step is evaluated. The window holds *nodes*. On a *bridge* between two nodes the clean samples lie on the line
/// between theirs. `NodeLayout` decides how long a bridge may be.
///
/// A node that moved little since it was evaluated is not evaluated again. Its estimated error in the result may be at most
/// tolerance / sqrt(2 N), and the bridges together may add as much as all nodes. The first node of a window is always
/// accepted. So a sweep gains a node, unless it gives up the bridge that leads there. With fewer than 24 steps there are no
/// bridges. The sample is then accepted once the root of the sum of the squared errors falls below half of the nodes'
/// share. N sweeps are enough, half as many more if bridges are given up, and 2 N if a sample starts over (see below). With
/// tolerance 0 every step is a node, and the sample is the sequential one.
///
/// Some noise lies where two ways to act part, and there the smallest error decides between them. The sign of it is an
/// output that changes several times more than the linearisation expects. Three measures follow: the last sample of a
/// window is always evaluated again in the part of the process where the way is chosen; the tolerance shrinks by the excess
/// that was seen; and beyond a limit the sample starts over from the first step, with a two-hundredth of the tolerance.
struct QuasiNewtonSampler: SamplingAlgorithm {
    let window: Int
    let tolerance: Float
    var maximumBatch: Int { window }

    private let steps: [SolverStep]
    private let sampleCount: Int
    private let linearization: OutputLinearization
    /// dm / dx at a fixed x_0, and dm / dx_0 at a fixed x; [N].
    private let outputFromSample: [Float]
    private let outputFromX0: [Float]
    private let largestError: Float
    private let ambiguousStiffness: Float
    /// Whether there are too few steps for bridges.
    private let hasFewSteps: Bool
    private var layout: NodeLayout

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
    /// Whether a step has an output of this sample; [N].
    private var isKnown: [Bool]
    /// The window's samples and their timesteps, and the network's outputs for them; [window, sampleCount].
    private var batch: [Float]
    private var batchTimesteps: [Int]
    private var newOutputs: [Float]
    /// For each node, if its neighbours are known: the distance of its clean sample from the line between theirs in units
    /// of the volatility, and the roughness that follows; [N].
    private var surprises: [Float?]
    private var judged: [Float?]
    /// Clean sample towards which the first window is stepped: a guess of the result, or 0.
    private var initialX0: [Float]
    /// Excess of this sample's gains over the measured ones. Steps without a secant use it.
    private var gainShift: Float = 0
    /// Displacement of a step's sample since its last evaluation, and the expected change of x_0; [sampleCount].
    private var displacement: [Float]
    private var x0Change: [Float]

    /// Share of the process, from its start, in which the last sample of a window is always evaluated again.
    private static let checkedPart = 0.6
    /// Share of the process after which ways are decided and stiffness is no longer watched.
    private static let decidedPart = 0.9
    /// Stiffness beyond which a sample is ambiguous. Without ambiguity it is rarely above 2.5 for 15 steps and 4 for 100:
    /// the maximum over more steps is larger.
    private static func ambiguousStiffness(steps: Int) -> Float {
        1.27 * Float(steps).squareRoot().squareRoot()
    }
    /// Factor for that limit with matrices, whose expected errors are smaller while the surprises are as large.
    private static let matrixStiffness: Float = 2
    /// Share of the tolerance for an ambiguous sample. Small errors have been seen to grow a hundredfold.
    private static let carefulness: Float = 0.005
    /// Number of nodes on each side that also judge a node's bridges.
    private static let nearbyReach = 2
    /// Factor by which a node with a secant may move further: a secant at least halves the error.
    private static let secantAllowance: Float = 3
    /// Lower bound of d x_N / d x_j, which is known on average only.
    private static let smallestSpread = 0.3
    /// Typical difference of a sample's gains from those of the middle observation. Errors spread further in samples with
    /// larger gains.
    private static let calmShift: Float = -0.1
    private static let gainCaution: Float = 10
    /// Share of the per-node error budget that early nodes get when late nodes decide convergence.
    private static let earlyPart: Float = 0.1
    /// Share of the nodes' error budget at which a last window is accepted as a whole. One or two nodes then carry nearly
    /// all of the error, so nothing averages out.
    private static let togetherPart: Float = 0.5
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
        self.sampleCount = sampleCount
        self.window = min(window, steps.count)
        self.tolerance = tolerance
        self.linearization = linearization
        // Half of the tolerance's square is for the displacements of nodes, half for the bridges between them.
        largestError = tolerance / Float(2 * steps.count).squareRoot()
        ambiguousStiffness =
            Self.ambiguousStiffness(steps: steps.count)
            * (linearization.matrices.isEmpty ? 1 : Self.matrixStiffness)
        hasFewSteps = !NodeLayout.hasBridges(steps: steps.count)

        let responses = steps.map(\.response)
        outputFromSample = steps.map { Float($0.outputFromSample) }
        outputFromX0 = steps.map { Float($0.outputFromX0) }
        layout = NodeLayout(
            errorWeights: Self.spreads(responses, gains: linearization.gains).map { Float($0) },
            volatility: linearization.volatility,
            largestError: largestError
        )

        let count = steps.count * sampleCount
        trajectory = Array(repeating: 0, count: count + sampleCount)
        predictedX0 = Array(repeating: 0, count: count + sampleCount)
        evaluatedAt = Array(repeating: 0, count: count)
        modelOutputs = Array(repeating: 0, count: count)
        secantSteps = Array(repeating: 0, count: count)
        secantResiduals = Array(repeating: 0, count: count)
        secantNorms = Array(repeating: 0, count: steps.count)
        isKnown = Array(repeating: false, count: steps.count)
        batch = Array(repeating: 0, count: self.window * sampleCount)
        batchTimesteps = Array(repeating: 0, count: self.window)
        newOutputs = batch
        surprises = Array(repeating: nil, count: steps.count)
        judged = surprises
        initialX0 = Array(repeating: 0, count: sampleCount)
        displacement = initialX0
        x0Change = initialX0
    }

    /// Error of the result for each unit of error in a step's x_0: through the step itself, and through the next one if
    /// that uses x_0 of the step before. Errors in x_j count d x_N / d x_j by the linearised recurrence.
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

    mutating func guess(_ x0: Span<Float>, limit: Float) {
        for element in 0..<sampleCount { initialX0[element] = max(-limit, min(limit, x0[element])) }
    }

    mutating func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        frozen: borrowing FrozenElements,
        interim: InterimSample,
        deadline: inout Deadline?,
        into sample: inout MutableSpan<Float>
    ) -> SamplingProgress {
        var iterations = 0
        var evaluations = 0
        var squaredErrors = 0.0
        var allowed = largestError
        var isCareful = false
        var largestStiffness: Float = 1
        var caution: Float = 1

        start(from: noise, frozen: frozen)
        // Indices of nodes; the front is the first that has not settled.
        var front = 0
        var end = layout.nodes.count
        var settledSteps = 0
        while settledSteps < steps.count {
            if deadline.forbids(batch: end - front, step: settledSteps, of: steps.count) { break }
            let isDone = evaluate(
                front..<end,
                with: predictor,
                frozen: frozen,
                until: interim.hasSample ? deadline?.due : nil,
                deadline: &deadline
            )
            guard isDone else { break }
            iterations += 1
            evaluations += end - front

            let stiffness = learn(from: front, to: end)
            // With tolerance 0 every sample is exact, so nothing starts over.
            if stiffness > ambiguousStiffness && !isCareful && tolerance > 0 {
                isCareful = true
                allowed = largestError * Self.carefulness
                squaredErrors = 0
                layout.restart(dense: true)
                layout.extend(to: window, caution: 1)
                front = 0
                end = layout.nodes.count
                settledSteps = 0
                for step in 0..<layout.nodes[end - 1] { advance(step, noise: noise, frozen: frozen) }
                continue
            }

            if !isCareful {
                largestStiffness = max(largestStiffness, stiffness)
                caution = largestStiffness * gainCaution
                let roughness = max(layout.roughness, 1)
                allowed = largestError / (caution * roughness * roughness)
            }
            let last = layout.nodes[end - 1]
            // Steps of the bridge that leads to the front depend on the front's newest output too.
            let first = front > 0 ? layout.nodes[front - 1] + 1 : 0
            for step in first...last { advance(step, noise: noise, frozen: frozen) }
            interim.offer(
                predictedX0.span.extracting((last + 1) * sampleCount..<(last + 2) * sampleCount),
                of: last,
                frozen: frozen,
                after: SamplingProgress(
                    steps: settledSteps,
                    iterations: iterations - 1,
                    evaluations: evaluations - 1,
                    residual: Float((squaredErrors + layout.squaredErrors).squareRoot())
                ),
                coarseSteps: 1
            )
            end += refineBridges(from: front, to: end)
            let newFront = settled(
                from: front,
                to: end,
                allowed: allowed,
                mayFinish: hasFewSteps && !isCareful,
                squaredErrors: &squaredErrors
            )
            observeRoughness(from: front, to: newFront)
            front = newFront
            if front == layout.nodes.count && layout.isComplete {
                settledSteps = steps.count
                break
            }
            layout.extend(to: front + window, caution: caution)
            end = min(front + window, layout.nodes.count)
            for step in last + 1..<max(layout.nodes[end - 1], last + 1) {
                advance(step, noise: noise, frozen: frozen)
            }
            settledSteps = layout.nodes[front]
        }

        for element in 0..<sampleCount {
            sample[element] = trajectory[settledSteps * sampleCount + element]
        }
        return SamplingProgress(
            steps: settledSteps,
            iterations: iterations,
            evaluations: evaluations,
            residual: Float((squaredErrors + layout.squaredErrors).squareRoot())
        )
    }

    /// Fills the first window with the initial sample and steps towards the guess.
    private mutating func start(from noise: Span<Float>, frozen: borrowing FrozenElements) {
        for element in 0..<sampleCount {
            trajectory[element] = noise[element]
            predictedX0[element] = initialX0[element]
            initialX0[element] = 0
        }
        for step in steps.indices {
            secantNorms[step] = 0
            isKnown[step] = false
        }
        gainShift = 0
        layout.startSample()
        layout.extend(to: window, caution: 1)
        for step in 0..<layout.nodes[layout.nodes.count - 1] { advance(step, noise: noise, frozen: frozen) }
    }

    /// Evaluates the samples of some nodes in one batch, into `newOutputs`.
    ///
    /// - Returns: false if the pass was given up at `instant`.
    private mutating func evaluate(
        _ window: Range<Int>,
        with predictor: borrowing some NoisePredictor,
        frozen: borrowing FrozenElements,
        until instant: ContinuousClock.Instant?,
        deadline: inout Deadline?
    ) -> Bool {
        for (row, node) in window.enumerated() {
            let step = layout.nodes[node]
            batchTimesteps[row] = steps[step].timestep
            for element in 0..<sampleCount {
                batch[row * sampleCount + element] = trajectory[step * sampleCount + element]
            }
        }
        let isDone = predictor.predict(
            batch: batch,
            timesteps: batchTimesteps,
            count: window.count,
            until: instant,
            deadline: &deadline,
            into: &newOutputs
        )
        guard isDone else { return false }
        for (row, node) in window.enumerated() {
            frozen.replace(in: &newOutputs, row: row, at: batch, of: steps[layout.nodes[node]])
        }
        return true
    }

    /// Stores the window's new outputs, and the secants of steps that had an output before.
    ///
    /// - Returns: stiffness: the largest unexpected change of a clean sample in units of its expected error, over the steps
    ///   in which ways are chosen.
    private mutating func learn(from front: Int, to end: Int) -> Float {
        var stiffness: Float = 0
        var displacements: Float = 0
        var products: Float = 0
        for node in front..<end {
            let index = layout.nodes[node]
            let step = steps[index]
            let hadOutput = isKnown[index]
            var norm: Float = 0
            var largestDisplacement: Float = 0
            var largestSurprise: Float = 0
            if hadOutput { displace(index) }
            for element in 0..<sampleCount {
                let cell = index * sampleCount + element
                let here = trajectory[cell]
                let output = newOutputs[(node - front) * sampleCount + element]
                if hadOutput {
                    let moved = displacement[element]
                    secantSteps[cell] = moved
                    secantResiduals[cell] =
                        output - modelOutputs[cell] - outputChange(index, element: element)
                    norm += moved * moved
                    let change =
                        step.predictedX0(sample: here, modelOutput: output)
                        - step.predictedX0(sample: evaluatedAt[cell], modelOutput: modelOutputs[cell])
                    let surprise = change - x0Change[element]
                    products += surprise * moved
                    largestDisplacement = max(largestDisplacement, abs(moved))
                    largestSurprise = max(largestSurprise, abs(surprise))
                }
                evaluatedAt[cell] = here
                modelOutputs[cell] = output
            }
            isKnown[index] = true
            secantNorms[index] = norm
            displacements += norm
            // Shorter displacements are rounding themselves.
            if largestDisplacement > 1e-4, Double(index) < Self.decidedPart * Double(steps.count) {
                let expectedError = largestDisplacement * linearization.errors[index]
                stiffness = max(stiffness, largestSurprise / (expectedError + linearization.rounding[index]))
            }
        }
        if displacements > 1e-6 {
            let shift = min(max(products / displacements, -Self.largestShift), Self.largestShift)
            gainShift += Self.shiftRate * (shift - gainShift)
        }
        return stiffness
    }

    /// Finds how far a step's sample is from where it was evaluated last, and by how much x_0 is expected to follow.
    private mutating func displace(_ index: Int) {
        for element in 0..<sampleCount {
            let cell = index * sampleCount + element
            displacement[element] = trajectory[cell] - evaluatedAt[cell]
        }
        linearization.follow(step: index, displacement: displacement, into: &x0Change)
    }

    /// By how much an element of the displaced step's output is expected to change.
    @inline(__always)
    private func outputChange(_ index: Int, element: Int) -> Float {
        outputFromSample[index] * displacement[element] + outputFromX0[index] * x0Change[element]
    }

    /// Advances the sample by one step with the best output known: the linearised one at a node, the line on a bridge, else
    /// the clean sample of the step before.
    private mutating func advance(_ index: Int, noise: Span<Float>, frozen: borrowing FrozenElements) {
        let (before, after) = layout.bridge(of: index)
        if before == after {
            if isKnown[index] {
                follow(index, noise: noise, frozen: frozen)
            } else {
                hold(index, noise: noise, frozen: frozen)
            }
        } else if isKnown[before] && isKnown[after] {
            cross(index, from: before, to: after, noise: noise, frozen: frozen)
        } else {
            hold(index, noise: noise, frozen: frozen)
        }
    }

    /// Takes a step with the linearised output.
    private mutating func follow(_ index: Int, noise: Span<Float>, frozen: borrowing FrozenElements) {
        let step = steps[index]
        let first = index * sampleCount
        displace(index)
        var shift: Float = 0
        var secantWeight: Float = 0
        // Shorter displacements are rounding.
        let hasSecant = secantNorms[index] > 1e-8
        if hasSecant {
            var product: Float = 0
            for element in 0..<sampleCount { product += displacement[element] * secantSteps[first + element] }
            // No further than the secant itself reaches.
            secantWeight = min(max(product / secantNorms[index], -1), 1)
        } else {
            shift = gainShift * outputFromX0[index]
        }
        for element in 0..<sampleCount where !frozen.range.contains(element) {
            let cell = first + element
            let sample = trajectory[cell]
            var output =
                modelOutputs[cell] + outputChange(index, element: element) + shift * displacement[element]
            if hasSecant { output += secantWeight * secantResiduals[cell] }
            let x0 = step.predictedX0(sample: sample, modelOutput: output)
            take(step, cell: cell, modelOutput: output, x0: x0, noise: noise)
        }
        takeFrozen(index, noise: noise, frozen: frozen)
    }

    /// Advances by a step on a bridge: its clean sample is on the line between those of the two nodes.
    ///
    /// The line starts at the clean sample that the first node used, and has the slope of the last evaluations. What moves
    /// the x_0 of one node moves that of the next one much alike.
    private mutating func cross(
        _ index: Int,
        from before: Int,
        to after: Int,
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) {
        let step = steps[index]
        let part = Float(index - before) / Float(after - before)
        for element in 0..<sampleCount where !frozen.range.contains(element) {
            let here = before * sampleCount + element
            let there = after * sampleCount + element
            let rise =
                steps[after].predictedX0(sample: evaluatedAt[there], modelOutput: modelOutputs[there])
                - steps[before].predictedX0(sample: evaluatedAt[here], modelOutput: modelOutputs[here])
            let x0 = predictedX0[here + sampleCount] + part * rise
            let cell = index * sampleCount + element
            let output = step.modelOutput(sample: trajectory[cell], x0: x0)
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

    /// Advances the frozen elements. Their output does not come from the network and is the same in every sweep, so they
    /// add neither displacement nor surprise.
    private mutating func takeFrozen(_ index: Int, noise: Span<Float>, frozen: borrowing FrozenElements) {
        let step = steps[index]
        for element in frozen.range {
            let cell = index * sampleCount + element
            let sample = trajectory[cell]
            let output = frozen.modelOutput(of: step, sample: sample, element: element)
            // Computed from the output, as a sequential step does, so that all bits agree.
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

    /// Index of the first node after `front` that must be evaluated again, at most `end`. Adds the squared errors of the
    /// accepted nodes to `squaredErrors`.
    ///
    /// - Parameter mayFinish: whether a window that reaches the last step may be accepted as a whole. Its late nodes then
    ///   decide convergence. Early nodes can be evaluated once more in the same passes, so they get a smaller share of the
    ///   tolerance.
    private func settled(
        from front: Int,
        to end: Int,
        allowed: Float,
        mayFinish: Bool,
        squaredErrors: inout Double
    ) -> Int {
        // It has just become a node and has no output.
        guard isKnown[layout.nodes[front]] else { return front }
        let isChecked = Double(layout.nodes[end - 1] + 1) < Self.checkedPart * Double(steps.count)
        let limit = isChecked ? max(end - 1, front + 1) : end
        let finishes = mayFinish && layout.isComplete && end == layout.nodes.count
        let allowedNode = finishes ? allowed * Self.earlyPart : allowed
        var node = front + 1
        while node < limit {
            // Written so that a NaN has not settled, here and below.
            guard let error = expectedError(of: node), error <= allowedNode else { break }
            squaredErrors += Double(error) * Double(error)
            node += 1
        }
        guard finishes else { return node }
        var total = squaredErrors
        for rest in node..<end {
            guard let error = expectedError(of: rest) else { return node }
            total += Double(error) * Double(error)
        }
        let allowedTogether = Double(Self.togetherPart * allowed)
        guard total <= Double(steps.count) * allowedTogether * allowedTogether else { return node }
        squaredErrors = total
        return end
    }

    /// Factor by which errors spread further in this sample than in most, judged by its gains. Always 1 with matrices,
    /// whose gains do not tell.
    private var gainCaution: Float {
        guard linearization.matrices.isEmpty else { return 1 }
        return 1 + Self.gainCaution * max(gainShift - Self.calmShift, 0)
    }

    /// Estimated error of the result if a node is not evaluated again; nil if it never was.
    private func expectedError(of node: Int) -> Float? {
        let step = layout.nodes[node]
        guard isKnown[step] else { return nil }
        var displacement: Float = 0
        for cell in step * sampleCount..<(step + 1) * sampleCount {
            let moved = abs(trajectory[cell] - evaluatedAt[cell])
            if !(moved <= displacement) { displacement = moved }
        }
        let allowance = secantNorms[step] > 1e-8 ? Self.secantAllowance : 1
        return displacement * linearization.errors[step] * layout.weights[step] / allowance
    }

    /// Turns bridges of the window that are too long for this sample into nodes.
    ///
    /// - Returns: how many nodes were inserted.
    private mutating func refineBridges(from front: Int, to end: Int) -> Int {
        guard tolerance > 0 && !layout.isDense else { return 0 }
        for node in front..<end {
            let hasNeighbours = node > 0 && node + 1 < end
            let distance = hasNeighbours ? distanceFromNeighbours(node) : nil
            surprises[layout.nodes[node]] = distance.map { layout.surprise(node: node, distance: $0) }
        }
        for node in front..<end {
            let step = layout.nodes[node]
            judged[step] = surprises[step].map { surprise in
                layout.judgedRoughness(surprise: surprise, nearby: surpriseNearby(node, in: front..<end))
            }
        }
        var inserted = 0
        // Backwards, so that insertions do not shift nodes that are still to be visited.
        for node in (front..<end).reversed() {
            guard let roughness = judged[layout.nodes[node]] else { continue }
            let (before, after) = layout.refine(node: node, roughness: roughness)
            inserted += before + after
        }
        return inserted
    }

    /// The root mean square of the surprises of a node and those next to it; nil where fewer than three are known.
    private func surpriseNearby(_ node: Int, in window: Range<Int>) -> Float? {
        var sum: Float = 0
        var count: Float = 0
        let nearby = node - Self.nearbyReach..<node + Self.nearbyReach + 1
        for near in nearby.clamped(to: window) {
            guard let surprise = surprises[layout.nodes[near]] else { continue }
            sum += surprise * surprise
            count += 1
        }
        return count >= 3 ? (sum / count).squareRoot() : nil
    }

    /// Learns how rough the sample is from the nodes that have settled.
    private mutating func observeRoughness(from front: Int, to newFront: Int) {
        guard tolerance > 0 && !layout.isDense else { return }
        for node in front..<newFront {
            if let surprise = surprises[layout.nodes[node]] { layout.observe(surprise: surprise) }
        }
    }

    /// How far the clean sample of a node lies off the line between those of the nodes before and after it, in the largest
    /// element; nil where not all three are known.
    private func distanceFromNeighbours(_ node: Int) -> Float? {
        let here = layout.nodes[node]
        let before = layout.nodes[node - 1]
        let after = layout.nodes[node + 1]
        guard isKnown[before] && isKnown[here] && isKnown[after] else { return nil }
        let part = Float(here - before) / Float(after - before)
        var distance: Float = 0
        for element in 0..<sampleCount {
            let first = predictedX0[(before + 1) * sampleCount + element]
            let last = predictedX0[(after + 1) * sampleCount + element]
            let line = first + part * (last - first)
            distance = max(distance, abs(predictedX0[(here + 1) * sampleCount + element] - line))
        }
        return distance
    }
}

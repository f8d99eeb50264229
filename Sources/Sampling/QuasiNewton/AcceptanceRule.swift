/// Which samples of a window need no further evaluation: equations (7), (8) and (8a) of docs/SAMPLING.md.
///
/// Half of the tolerance's square is for the errors of nodes, half for those of the bridges between them. A node gets its share
/// of the nodes' half, less by what this sample gives reason for caution. A sample that turns out to be ambiguous starts over,
/// and is careful from then on.
struct AcceptanceRule {
    /// The right side of (8): what a step may add to the error of the result.
    let largestError: Float
    /// Whether this sample is ambiguous.
    private(set) var isCareful = false
    /// The factor by which errors count more than in a typical sample, at least 1, without the roughness.
    private(set) var caution: Float = 1
    /// The sum of the squares of the errors of the nodes that were accepted.
    private(set) var squaredErrors = 0.0

    private let stepCount: Int
    private let usesMatrices: Bool
    private let ambiguousStiffness: Float
    /// The right side of (8) for this sample.
    private var allowedError: Float = 0
    private var largestStiffness: Float = 1

    /// - Parameters:
    ///   - tolerance: deviation of the result that is aimed at, in normalised units, not negative.
    ///   - stepCount: N.
    ///   - usesMatrices: whether the network is linearised by matrices instead of gains.
    init(tolerance: Float, stepCount: Int, usesMatrices: Bool) {
        self.stepCount = stepCount
        self.usesMatrices = usesMatrices
        largestError = tolerance / Float(2 * stepCount).squareRoot()
        ambiguousStiffness =
            QuasiNewtonTuning.ambiguousStiffness * Float(stepCount).squareRoot().squareRoot()
            * (usesMatrices ? QuasiNewtonTuning.matrixStiffness : 1)
    }

    /// Forgets what the sample before gave reason for.
    mutating func startSample() {
        isCareful = false
        caution = 1
        largestStiffness = 1
        squaredErrors = 0
        allowedError = largestError
    }

    /// Whether a sample must start over: its stiffness (9) says that a small error may choose another way to act.
    ///
    /// With tolerance 0 every sample is exact, so nothing starts over.
    func mustStartOver(stiffness: Float) -> Bool {
        stiffness > ambiguousStiffness && !isCareful && largestError > 0
    }

    /// Is careful from now on, and takes back what was accepted.
    mutating func startOver() {
        isCareful = true
        allowedError = largestError * QuasiNewtonTuning.carefulness
        squaredErrors = 0
    }

    /// Divides the right side of (8) by the reasons for caution that this sample has given. A careful sample needs no more.
    ///
    /// - Parameters:
    ///   - stiffness: that of the last pass; the largest one counts.
    ///   - gainShift: by how much the sample's gains exceed the measured ones; nil: nothing tells, as in a window of one node, which
    ///     evaluates no step twice.
    ///   - roughness: R; only what is above 1 counts.
    mutating func tighten(stiffness: Float, gainShift: Float?, roughness: Float) {
        guard !isCareful else { return }
        largestStiffness = max(largestStiffness, stiffness)
        caution = largestStiffness * gainCaution(gainShift)
        let roughness = max(roughness, 1)
        allowedError = largestError / (caution * roughness * roughness)
    }

    /// Factor by which errors spread further in this sample than in most, judged by its gains. Always 1 with matrices,
    /// whose gains do not tell.
    private func gainCaution(_ shift: Float?) -> Float {
        guard !usesMatrices, let shift else { return 1 }
        return 1 + QuasiNewtonTuning.gainCaution * max(shift - QuasiNewtonTuning.calmShift, 0)
    }

    /// (7): the estimated error of the result if a node is not evaluated again.
    ///
    /// - Parameters:
    ///   - displacement: d_j, how far its sample moved since it was evaluated.
    ///   - relativeError: e_j, the error of x_0 for each unit of displacement.
    ///   - weight: w_j, the error of the result for each unit of error in x_0.
    static func expectedError(
        displacement: Float,
        relativeError: Float,
        weight: Float,
        hasSecant: Bool
    ) -> Float {
        displacement * relativeError * weight / (hasSecant ? QuasiNewtonTuning.secantAllowance : 1)
    }

    /// Accepts the nodes at the start of a window that need no further evaluation, and adds up their squared errors.
    ///
    /// The first node is accepted if it was evaluated, because its sample follows from final ones.
    ///
    /// - Parameters:
    ///   - errors: E_j of each node of the window, from index 0 on; nil for one that was never evaluated.
    ///   - lastStep: the step of the window's last node.
    ///   - mayFinish: whether the window ends the process and may be accepted as a whole by (8a). Its late nodes then decide
    ///     convergence. Early nodes can be evaluated once more in the same passes, so they get a smaller share.
    /// - Returns: The number of nodes accepted.
    mutating func accept(errors: ArraySlice<Float?>, lastStep: Int, mayFinish: Bool) -> Int {
        guard errors[0] != nil else { return 0 }
        let isChecked = Double(lastStep + 1) < QuasiNewtonTuning.checkedPart * Double(stepCount)
        let limit = isChecked ? max(errors.count - 1, 1) : errors.count
        let allowed = mayFinish && !isCareful ? allowedError * QuasiNewtonTuning.earlyPart : allowedError
        var node = 1
        while node < limit {
            // Written so that a NaN is not accepted, here and below.
            guard let error = errors[node], error <= allowed else { break }
            squaredErrors += Double(error) * Double(error)
            node += 1
        }
        guard mayFinish, !isCareful else { return node }
        var total = squaredErrors
        for rest in node..<errors.count {
            guard let error = errors[rest] else { return node }
            total += Double(error) * Double(error)
        }
        let allowedTogether = Double(QuasiNewtonTuning.togetherPart * allowedError)
        guard total <= Double(stepCount) * allowedTogether * allowedTogether else { return node }
        squaredErrors = total
        return errors.count
    }
}

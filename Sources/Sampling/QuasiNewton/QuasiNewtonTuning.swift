/// The constants of quasi-Newton sampling. Numbers in brackets are the equations of docs/SAMPLING.md, "notes" is
/// docs/notes/sampling-experiments.md. Where no experiment is named, the notes have none for the value.
///
/// Those of the bridges are in `NodeLayout`, beside the equation that they belong to.
enum QuasiNewtonTuning {
    // MARK: When a sample is good enough

    /// Lower bound of D_j = d x[N] / d x[j] in (7), without a unit. D is known on average only.
    ///
    /// Source: no experiment for the value. That samples differ from the average is in notes, "How errors spread".
    /// Sensitivity: not measured.
    static let smallestSpread = 0.3

    /// Divisor of the expected error (7) of a node with a secant, without a unit.
    ///
    /// Source: no experiment; a secant is taken to halve the error at least. Sensitivity: not measured.
    static let secantAllowance: Float = 3

    /// Share of (8) that early nodes get if the late ones decide convergence.
    ///
    /// Source: no experiment; early nodes can be evaluated once more in the same passes. Sensitivity: not measured.
    static let earlyPart: Float = 0.1

    /// Share of the nodes' error budget, as a distance, at which a last window is accepted as a whole (8a). One or two nodes
    /// then carry nearly all of the error, so nothing averages out.
    ///
    /// Source: notes, "How errors spread": with few steps the deviation differs from the expected one by a factor whose
    /// logarithm has a standard deviation of 0.5 to 0.6. Sensitivity: not measured.
    static let togetherPart: Float = 0.5

    // MARK: Where two ways meet

    /// Share of the process, from its start, in which the last sample of a window is always evaluated again.
    ///
    /// Source: no experiment; early steps choose between ways to act. Sensitivity: not measured.
    static let checkedPart = 0.6

    /// Share of the process after which the way to act is chosen and stiffness (9) is not watched.
    ///
    /// Source: no experiment. Sensitivity: not measured.
    static let decidedPart = 0.9

    /// Stiffness (9) beyond which a sample is ambiguous, divided by N^(1/4): a maximum over more steps is larger. That makes
    /// 2.5 for 15 steps and 4 for 100, which samples without ambiguity rarely exceed.
    ///
    /// Source: notes, "Where two ways meet": with this value about 1 sample in 300 of the test model with two modes strays with 15
    /// steps, and none with 100. Sensitivity: not measured.
    static let ambiguousStiffness: Float = 1.27

    /// Factor for that limit with matrices, whose expected errors are smaller while the unexpected changes are as large.
    ///
    /// Source: no experiment. Sensitivity: not measured.
    static let matrixStiffness: Float = 2

    /// Share of the tolerance for an ambiguous sample.
    ///
    /// Source: notes, "Where two ways meet": small errors grow 20 to 75 times there. Sensitivity: not measured.
    static let carefulness: Float = 0.005

    // MARK: A window of one node

    /// Share of the process, from its start, after which the roughness tells whether errors of bridges spread.
    ///
    /// Source: notes, "Samples that stray at window 1". Sensitivity: there.
    static let spreadingPart = 0.85

    /// Roughness after that share beyond which a sample starts over, without a unit.
    ///
    /// Source: notes, "Samples that stray at window 1". Sensitivity: there.
    static let spreadingRoughness: Float = 1.4

    // MARK: Gains of this sample

    /// Shift of gains beyond which a sample is treated with caution: typical of samples in comparison with the middle
    /// observation, for which gains are measured.
    ///
    /// Source: notes, "How errors spread": -0.1 in the mean over 400 histories. Sensitivity: not measured.
    static let calmShift: Float = -0.1

    /// Caution for each unit of the shift beyond `calmShift`, because errors spread further with larger gains.
    ///
    /// Source: notes, "How errors spread". Sensitivity: with matrices the factor costs a tenth of a pass for the same worst of
    /// 800 samples, so it is not used with them. With gains it is not measured.
    static let gainCaution: Float = 10

    /// Share of a pass's shift by which the running shift of gains moves towards it, and the largest shift of a pass. Without a
    /// unit.
    ///
    /// Source: no experiment. Sensitivity: not measured.
    static let shiftRate: Float = 0.3
    static let largestShift: Float = 0.3

    // MARK: Rounding

    /// Largest element of a displacement, in the sample's units, up to which a change of output is rounding and says nothing
    /// of stiffness.
    ///
    /// Source: the displacement with which `LinearizationFit` measures rounding. Sensitivity: not measured.
    static let roundingDisplacement: Float = 1e-4

    /// Squared length of a displacement, up to which it is rounding: that of one step for a secant, and that of all the steps
    /// of a pass for the shift of gains.
    ///
    /// Source: no experiment; lengths of 1e-4 and 1e-3. Sensitivity: not measured.
    static let smallestSecant: Float = 1e-8
    static let smallestShiftEvidence: Float = 1e-6
}

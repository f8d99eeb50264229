import Testing

@testable import Sampling

/// Equations (7), (8) and (8a) of docs/SAMPLING.md with values that are computed by hand.
@Suite struct AcceptanceRuleTests {
    /// With 50 steps and a tolerance of 0.2 a step may add 0.2 / sqrt(2 * 50) = 0.02.
    private func rule(tolerance: Float = 0.2, usesMatrices: Bool = false) -> AcceptanceRule {
        var rule = AcceptanceRule(tolerance: tolerance, stepCount: 50, usesMatrices: usesMatrices)
        rule.startSample()
        return rule
    }

    private func accepted(
        _ rule: inout AcceptanceRule,
        _ errors: [Float?],
        lastStep: Int = 40,
        mayFinish: Bool = false
    ) -> Int {
        rule.accept(errors: errors[...], lastStep: lastStep, mayFinish: mayFinish)
    }

    @Test func anErrorIsTheProductOfDisplacementErrorAndWeight() {
        func error(hasSecant: Bool) -> Float {
            AcceptanceRule.expectedError(
                displacement: 0.25,
                relativeError: 0.5,
                weight: 3,
                hasSecant: hasSecant
            )
        }
        #expect(error(hasSecant: false) == 0.375)
        #expect(error(hasSecant: true) == 0.125)
    }

    @Test func nodesAreAcceptedUpToTheFirstWhoseErrorIsTooLarge() {
        var rule = rule()
        #expect(abs(rule.largestError - 0.02) < 1e-8)
        #expect(accepted(&rule, [0, 0.01, 0.015, 0.021, 0]) == 3)
        #expect(abs(rule.squaredErrors - (0.01 * 0.01 + 0.015 * 0.015)) < 1e-9)
        // The errors of later windows are added.
        #expect(accepted(&rule, [0, 0.01, 0.03]) == 2)
        #expect(abs(rule.squaredErrors - (2 * 0.01 * 0.01 + 0.015 * 0.015)) < 1e-9)
    }

    @Test func theFirstNodeIsAcceptedIfItWasEvaluated() {
        var rule = rule()
        #expect(accepted(&rule, [1000, 1]) == 1)
        #expect(accepted(&rule, [.nan]) == 1)
        #expect(accepted(&rule, [nil, 0, 0]) == 0)
        #expect(rule.squaredErrors == 0)
    }

    @Test func aNodeWithoutEvaluationOrWithANaNIsNotAccepted() {
        var rule = rule()
        #expect(accepted(&rule, [0, 0, nil, 0]) == 2)
        #expect(accepted(&rule, [0, 0, .nan, 0]) == 2)
    }

    /// The first 60 % of 50 steps are 30.
    @Test(arguments: [(28, 3, 2), (29, 3, 3), (28, 1, 1), (28, 2, 1)])
    func theLastSampleOfAnEarlyWindowIsEvaluatedAgain(lastStep: Int, count: Int, expected: Int) {
        var rule = rule()
        #expect(accepted(&rule, [Float?](repeating: 0, count: count), lastStep: lastStep) == expected)
    }

    /// The nodes' half of the squared tolerance is 0.02; a quarter of it is 0.005.
    @Test func aLastWindowIsAcceptedAsAWhole() {
        var rule = rule()
        // 0.05^2 + 0.03^2 and little more.
        #expect(accepted(&rule, [0, 0.001, 0.05, 0.03], lastStep: 49, mayFinish: true) == 4)
        #expect(abs(rule.squaredErrors - 0.003401) < 1e-8)
        rule.startSample()
        // 0.07^2 + 0.03^2 is too much. Early nodes are accepted up to 0.002.
        #expect(accepted(&rule, [0, 0.001, 0.07, 0.03], lastStep: 49, mayFinish: true) == 2)
        #expect(abs(rule.squaredErrors - 0.000001) < 1e-9)
        #expect(accepted(&rule, [0, 0.003, 0.08], lastStep: 49, mayFinish: true) == 1)
        #expect(accepted(&rule, [0, 0.001, nil], lastStep: 49, mayFinish: true) == 2)
        #expect(accepted(&rule, [0, 0.001, .nan], lastStep: 49, mayFinish: true) == 2)
    }

    /// Stiffness 2 and gains 0.2 above the calm ones make a caution of 2 * 3, roughness 2 a factor of 4.
    @Test func cautionDividesWhatIsAllowed() {
        var rule = rule()
        rule.tighten(stiffness: 2, gainShift: 0.1, roughness: 2)
        #expect(abs(rule.caution - 6) < 1e-5)
        let (within, beyond): (Float, Float) = (0.02 / 25, 0.02 / 23)
        #expect(accepted(&rule, [0, within, beyond]) == 2)
        // The largest stiffness of the sample counts; small gains and a smooth sample are no reason for less caution.
        rule.tighten(stiffness: 0.5, gainShift: -0.3, roughness: 0.5)
        #expect(rule.caution == 2)
        #expect(accepted(&rule, [0, 0.0099, 0.0101]) == 2)
        rule.startSample()
        #expect(rule.caution == 1)
        #expect(accepted(&rule, [0, 0.019, 0.021]) == 2)
    }

    @Test func gainsAreNoReasonForCautionWithMatrices() {
        var rule = rule(usesMatrices: true)
        rule.tighten(stiffness: 1, gainShift: 0.3, roughness: 1)
        #expect(rule.caution == 1)
    }

    /// 1.27 * 50^(1/4) is 3.377.
    @Test func aStiffSampleStartsOverOnce() {
        var rule = rule()
        #expect(!rule.mustStartOver(stiffness: 3.37))
        #expect(rule.mustStartOver(stiffness: 3.38))
        #expect(!self.rule(usesMatrices: true).mustStartOver(stiffness: 6.75))
        #expect(self.rule(usesMatrices: true).mustStartOver(stiffness: 6.76))
        #expect(!self.rule(tolerance: 0).mustStartOver(stiffness: .infinity))

        #expect(accepted(&rule, [0, 0.01]) == 2)
        rule.startOver()
        #expect(rule.isCareful && rule.squaredErrors == 0)
        #expect(!rule.mustStartOver(stiffness: 1000))
        // A two-hundredth of 0.02, whatever is seen, and to the end.
        rule.tighten(stiffness: 1000, gainShift: 0.3, roughness: 5)
        #expect(accepted(&rule, [0, 0.000099, 0.000101]) == 2)
        #expect(accepted(&rule, [0, 0.000099, 0.000101], lastStep: 49, mayFinish: true) == 2)
        rule.startSample()
        #expect(!rule.isCareful && rule.mustStartOver(stiffness: 4))
    }

    /// With tolerance 0 only samples that did not move are accepted.
    @Test func withToleranceZeroNothingMayBeNeglected() {
        var rule = rule(tolerance: 0)
        #expect(accepted(&rule, [0, 0, .leastNonzeroMagnitude]) == 2)
        #expect(rule.squaredErrors == 0)
    }

    /// D after the last step is 1, and before it 0.2 + 0.8 * 0.25 = 0.4. The last step uses x_0 of the first with -0.3.
    @Test func weightsCarryAnErrorToTheResult() {
        let first = StepResponse(sample: 0.5, x0: 0.4, previousX0: 0)
        let last = StepResponse(sample: 0.2, x0: 0.8, previousX0: -0.3)
        let weights = errorWeights([first, last], gains: [0.5, 0.25])
        #expect(abs(weights[1] - 0.8) < 1e-6)
        #expect(abs(weights[0] - (0.4 * 0.4 + 0.3 * 1)) < 1e-6)
        // D is 0.2 without gains, and 0.3 at least.
        let without = errorWeights([first, last], gains: [0, 0])
        #expect(abs(without[0] - (0.4 * 0.3 + 0.3 * 1)) < 1e-6)
    }
}

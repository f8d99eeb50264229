import PushT
import Sampling
import Testing

@testable import Explaining
@testable import Policy

/// How many of the plans a page holds.
@Suite struct DrawnPlansTests {
    /// A way of sampling with so many passes, each of which plans the number of its pass throughout.
    private func method(passes: Int, horizon: Int) -> ExplainedMethod {
        func plan(_ value: Int) -> [Float] { [Float](repeating: Float(value), count: horizon) }
        let chunk = ActionChunk(
            actions: plan(passes),
            prediction: plan(passes),
            actionDim: 1,
            settings: SamplerSettings(solver: .ddpm, numInferenceSteps: passes),
            report: .nothing,
            passes: [],
            visionDuration: nil,
            conditionDuration: .zero,
            samplingDuration: .zero
        )
        let found = (0..<passes).map {
            ExplainedChunk.Pass(steps: [$0], samples: [plan($0)], predictions: [plan($0)])
        }
        return ExplainedMethod(
            name: "made up",
            detail: "",
            explained: ExplainedChunk(chunk: chunk, passes: found, timesteps: Array(0..<passes))
        )
    }

    private func drawn(_ methods: [ExplainedMethod]) -> DrawnPlans {
        DrawnPlans(methods, drawing: .dimensions, actionDim: 1)
    }

    /// More dimensions than have room are told of, and what is said is what is drawn.
    @Test(arguments: [
        (1, 1, "Each dimension has a line"), (8, 8, "Each dimension has a line"),
        (26, 8, "Each of the first 8 of 26 dimensions has a line"),
    ])
    func dimensionsWithoutALineAreToldOf(actionDim: Int, count: Int, begin: String) {
        let plan = (0..<4 * actionDim).map(Float.init)
        let lines = PlanDrawing.dimensions.lines(of: [plan], actionDim: actionDim)
        #expect(lines(plan).count == count)
        #expect(PlanDrawing.dimensions.legend(actionDim: actionDim).hasPrefix(begin))
    }

    @Test func aSmallPageHasEveryPlan() {
        let method = method(passes: 100, horizon: 16)
        let drawn = drawn([method])
        #expect(drawn.every == 1)
        #expect(
            drawn.lines(of: method)
                == (0..<99).map { drawn.lines(method.plan(after: $0)) } + [
                    drawn.lines(method.plan(after: 99))
                ]
        )
    }

    /// A plan of 250 steps has some 1900 characters, and both methods have 1500 plans together: almost three times what a page holds.
    @Test func aLargePageHasAPlanForEverySoManyPasses() {
        let methods = [method(passes: 1000, horizon: 250), method(passes: 500, horizon: 250)]
        let drawn = drawn(methods)
        #expect(drawn.every == 3, "\(drawn.every)")
        var bytes = 0
        for method in methods {
            let passes = method.explained.passes.count
            let lines = drawn.lines(of: method)
            // As the page's script finds them: element i is the plan after pass i * every, the last that after the last pass.
            let expected =
                (0..<passes).filter { $0.isMultiple(of: drawn.every) && $0 < passes - 1 } + [passes - 1]
            #expect(lines == expected.map { drawn.lines(method.plan(after: $0)) })
            #expect(Set(lines).count == lines.count, "each plan is another line")
            #expect(lines.last == drawn.lines(method.explained.chunk.prediction))
            bytes += lines.joined().reduce(0) { $0 + $1.utf8.count }
        }
        #expect((500_000...1_100_000).contains(bytes), "\(bytes)")
    }

    /// The only plan is the result, however large it is.
    @Test func onePassHasItsPlan() {
        let method = method(passes: 1, horizon: 100_000)
        #expect(drawn([method]).lines(of: method) == [drawn([method]).lines(method.plan(after: 0))])
    }
}

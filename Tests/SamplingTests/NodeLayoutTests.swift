import Testing

@testable import Sampling

@Suite struct NodeLayoutTests {
    private func layout(
        steps: Int = 100,
        weight: Float = 1,
        volatility: Float = 0.01,
        largestError: Float = 0.017
    ) -> NodeLayout {
        NodeLayout(
            errorWeights: [Float](repeating: weight, count: steps),
            volatility: [Float](repeating: volatility, count: steps),
            largestError: largestError
        )
    }

    private func complete(_ layout: NodeLayout, caution: Float = 1) -> NodeLayout {
        var layout = layout
        layout.startSample()
        layout.extend(to: .max, caution: caution)
        return layout
    }

    /// A bridge of m steps adds volatility weight sqrt((m^3 - m) / 6), and may add largestError sqrt(m).
    @Test func bridgesAreAsLongAsTheirErrorAllows() {
        // m^2 - 1 <= 6 * 1.7^2 = 17.3, so that m is 4.
        let layout = complete(layout())
        #expect(layout.nodes == Array(stride(from: 0, through: 96, by: 4)) + [99])
        #expect(layout.isComplete)
        #expect(layout.bridge(of: 4) == (4, 4))
        #expect(layout.bridge(of: 5) == (4, 8))
        #expect(layout.bridge(of: 7) == (4, 8))
        #expect(layout.bridge(of: 98) == (96, 99))
        // 24 bridges of 4 steps, (64 - 4) / 6 each, and one of 3.
        let expected = (24 * 10 + 4) * 0.01 * 0.01
        #expect(abs(layout.squaredErrors - expected) < 1e-6 * 244)
        #expect(layout.squaredErrors <= 100 * 0.017 * 0.017)
    }

    /// Whatever lies between nodes counts for one of them.
    @Test func weightsOfBridgedStepsGoToTheNodes() {
        let layout = complete(layout())
        let sum = layout.nodes.reduce(0) { $0 + layout.weights[$1] }
        #expect(abs(sum - 100) < 1e-3)
        // Its own, and 3/4, 2/4 and 1/4 from each side.
        #expect(layout.weights[8] == 4)
        #expect(layout.weights[0] == 2.5)
    }

    @Test func aSmootherStepHasLongerBridges() {
        let smooth = complete(layout(volatility: 0.001))
        #expect(smooth.nodes.dropLast().allSatisfy { $0.isMultiple(of: 8) })
        let constant = complete(layout(volatility: 0))
        #expect(constant.nodes == smooth.nodes)
        #expect(constant.squaredErrors == 0)
        let unimportant = complete(layout(weight: 0, volatility: 1))
        #expect(unimportant.nodes == smooth.nodes)
    }

    @Test func hasNoBridgesWhereTheyWouldCostTooMuch() {
        for dense in [
            complete(layout(largestError: 0)),
            complete(layout(volatility: 1)),
            complete(layout(volatility: .infinity)),
            complete(layout(volatility: .nan)),
            complete(layout(weight: .infinity)),
            complete(layout(), caution: 100),
            complete(layout(), caution: .nan),
            // Their steps are long ones.
            complete(layout(steps: 15, volatility: 0)),
        ] {
            #expect(dense.nodes == Array(0..<dense.weights.count))
            #expect(dense.squaredErrors == 0)
            #expect(dense.weights.indices.allSatisfy { dense.bridge(of: $0) == ($0, $0) })
        }
        for steps in 1...3 { #expect(complete(layout(steps: steps)).nodes == Array(0..<steps)) }
    }

    @Test func isLaidAsFarAsAskedFor() {
        var layout = layout()
        layout.startSample()
        layout.extend(to: 3, caution: 1)
        #expect(layout.nodes == [0, 4, 8])
        layout.extend(to: 2, caution: 1)
        #expect(layout.nodes == [0, 4, 8])
        #expect(!layout.isComplete)
        layout.extend(to: 5, caution: 2)
        #expect(layout.nodes == [0, 4, 8, 10, 12])

        layout.restart(dense: true)
        layout.extend(to: 4, caution: 1)
        #expect(layout.nodes == [0, 1, 2, 3])
        #expect(layout.squaredErrors == 0)
        layout.startSample()
        layout.extend(to: 2, caution: 1)
        #expect(layout.nodes == [0, 4])
    }

    /// What a node says about the bridges beside it is believed over what was expected of them.
    @Test func givesUpBridgesThatTurnOutTooLong() {
        var layout = complete(layout())
        let before = layout.nodes
        // 0.02 is typical of nodes 4 steps apart; a little more is no reason.
        #expect(refine(&layout, node: 5, distance: 0.03) == (0, 0))
        #expect(layout.nodes == before)
        #expect(refine(&layout, node: 5, distance: 0.16) == (3, 3))
        #expect(layout.nodes == before[..<5] + [17, 18, 19, 20, 21, 22, 23] + before[6...])
        for step in 16...24 { #expect(layout.bridge(of: step) == (step, step)) }
        #expect(layout.bridge(of: 25) == (24, 28))
        // One for itself where there is no bridge, and what it has of those on one side.
        for step in 17...23 { #expect(abs(layout.weights[step] - 1) < 1e-5) }
        #expect(abs(layout.weights[16] - 2.5) < 1e-5)
        #expect(abs(layout.weights[24] - 2.5) < 1e-5)
        // They are nodes now, next to each other.
        #expect(refine(&layout, node: 6, distance: 100) == (0, 0))

        var unknown = complete(self.layout())
        #expect(refine(&unknown, node: 1, distance: .nan) == (3, 3))
    }

    /// Several nodes in a row that lie off say more than one does.
    @Test func isStricterWithWhatSeveralNodesSay() {
        let layout = complete(layout())
        #expect(layout.judgedRoughness(relativeDistance: 1.75, nearby: nil) == 1)
        #expect(layout.judgedRoughness(relativeDistance: 1.75, nearby: 0.5) == 1)
        #expect(layout.judgedRoughness(relativeDistance: 0.1, nearby: 2) == 2)
    }

    private func refine(_ layout: inout NodeLayout, node: Int, distance: Float) -> (before: Int, after: Int) {
        let relativeDistance = layout.relativeDistance(node: node, distance: distance)
        return layout.refine(
            node: node,
            roughness: layout.judgedRoughness(relativeDistance: relativeDistance, nearby: nil)
        )
    }

    /// A node that lies as far off the line as is typical teaches nothing; three in a row of twice that nearly double it.
    @Test func roughnessFollowsWhatIsSeen() {
        var layout = layout()
        layout.startSample()
        layout.extend(to: 20, caution: 1)
        // Nodes 4 steps apart wander twice as far as neighbours, sqrt(2 * 4 * 4 / 8).
        layout.observe(relativeDistance: layout.relativeDistance(node: 1, distance: 0.02))
        #expect(abs(layout.roughness - 1) < 1e-5)
        for node in 2..<12 {
            layout.observe(relativeDistance: layout.relativeDistance(node: node, distance: 0.04))
        }
        #expect(abs(layout.roughness - 2) < 0.05)
        layout.extend(to: 21, caution: 1)
        #expect(layout.nodes[20] - layout.nodes[19] == 2)
        for node in 12..<19 {
            layout.observe(relativeDistance: layout.relativeDistance(node: node, distance: 0))
        }
        #expect(layout.roughness < 0.7)
        layout.observe(relativeDistance: layout.relativeDistance(node: 19, distance: .infinity))
        #expect(layout.roughness <= 5)
        layout.startSample()
        #expect(layout.roughness == 1)
    }
}

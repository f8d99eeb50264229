import Drawing
import PushT

/// Where plans are drawn: over the table of PushT, or as a line for each dimension of the actions.
package enum PlanDrawing {
    /// The scene that the observation shows.
    case pushT(Scenario, EpisodeRecording.Frame)
    /// Nothing is known of the robot but its actions.
    case dimensions

    /// At most so many dimensions get a line.
    private static let mostDimensions = 8
    private static let chart = SIMD2(512.0, 512.0)

    /// What the lines are, a sentence.
    func legend(actionDim: Int) -> String {
        switch self {
        case .pushT: "The dashed line is the plan of sequential sampling."
        case .dimensions where actionDim > Self.mostDimensions:
            "Each of the first \(Self.mostDimensions) of \(actionDim) dimensions has a line; the dashed ones are the plan of sequential sampling."
        case .dimensions: "Each dimension has a line; the dashed ones are the plan of sequential sampling."
        }
    }

    /// How plans are turned into lines; `plans` are all that will be drawn, [horizon, actionDim] each.
    func lines(of plans: [[Float]], actionDim: Int) -> ([Float]) -> [String] {
        switch self {
        case .pushT:
            return { plan in
                [
                    stride(from: 0, to: plan.count - 1, by: 2)
                        .map { "\(Int(plan[$0].rounded())),\(Int(plan[$0 + 1].rounded()))" }.joined(
                            separator: " "
                        )
                ]
            }
        case .dimensions:
            let dimensions = min(actionDim, Self.mostDimensions)
            let ranges = (0..<dimensions).map { dimension in Self.range(of: dimension, in: plans, actionDim) }
            return { plan in
                let steps = plan.count / actionDim
                return (0..<dimensions).map { dimension in
                    let (low, high) = ranges[dimension]
                    // Each dimension has a band of its own.
                    let band = Self.chart.y / Double(dimensions)
                    return (0..<steps).map { step in
                        let value = Double(plan[step * actionDim + dimension])
                        let x = Self.chart.x * (Double(step) + 0.5) / Double(steps)
                        let y = band * (Double(dimension) + 0.9 - 0.8 * (value - low) / (high - low))
                        return "\(Int(x.rounded())),\(Int(y.rounded()))"
                    }.joined(separator: " ")
                }
            }
        }
    }

    private static func range(of dimension: Int, in plans: [[Float]], _ actionDim: Int) -> (Double, Double) {
        var (low, high) = (Double.infinity, -Double.infinity)
        for plan in plans {
            for index in stride(from: dimension, to: plan.count, by: actionDim) {
                low = min(low, Double(plan[index]))
                high = max(high, Double(plan[index]))
            }
        }
        return high > low ? (low, high) : (low - 1, low + 1)
    }

    /// What stands behind the plans.
    private func ground(lines: Int) -> [SVG] {
        switch self {
        case .pushT(let scenario, let frame):
            let goal = Self.block(scenario, at: scenario.goal.position, angle: scenario.goal.angle, "goal")
            let block = Self.block(scenario, at: frame.blockPosition, angle: frame.blockAngle, "block")
            return [
                SVG("rect", ["width": "512", "height": "512", "class": "table"]), goal, block,
                SVG(
                    "circle",
                    [
                        "cx": SVG.number(frame.agentPosition.x), "cy": SVG.number(frame.agentPosition.y),
                        "r": SVG.number(scenario.agent.radius), "class": "agent",
                    ]
                ),
            ]
        case .dimensions:
            let band = Self.chart.y / Double(lines)
            return [SVG("rect", ["width": "512", "height": "512", "class": "table"])]
                + (0..<lines).map { line in
                    SVG.label("dim \(line)", at: SIMD2(6, band * Double(line) + 16), size: 12, "currentColor")
                }
        }
    }

    private static func block(
        _ scenario: Scenario,
        at position: SIMD2<Double>,
        angle: Double,
        _ name: String
    ) -> SVG {
        let outline = scenario.block.parts.map { "M" + $0.map(SVG.point).joined(separator: " ") + "Z" }
            .joined()
        let place = "translate(\(SVG.point(position))) rotate(\(SVG.number(angle * 180 / .pi, digits: 2)))"
        return SVG("path", ["d": outline, "transform": place, "class": name])
    }

    /// The drawing with the last plan of a method, over the plan of sequential sampling.
    ///
    /// - Parameters:
    ///   - plan: the lines of the method's result.
    ///   - reference: those of sequential sampling's.
    func svg(plan: [String], reference: [String], title: String) -> SVG {
        SVG(
            "svg",
            ["viewBox": "0 0 512 512", "class": "scene", "role": "img"],
            [SVG("title", text: title)] + ground(lines: plan.count)
                + reference.map { SVG("polyline", ["class": "reference", "points": $0]) }
                + plan.map { SVG("polyline", ["class": "plan", "points": $0]) }
        )
    }
}

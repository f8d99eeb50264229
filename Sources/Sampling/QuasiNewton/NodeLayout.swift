/// The steps at which the network is evaluated (*nodes*), and the *bridges* between them. On a bridge the clean samples lie
/// on a straight line.
///
/// The clean sample x_0 that the network predicts is a random walk, driven by the steps' noise. `volatility` is its typical
/// distance from the middle between its two neighbours, one number for each step. A bridge of m steps, a random walk tied
/// down at both ends, adds about
///
///     roughness volatility w sqrt((m^3 - m) / 6)                                        w as in `errorWeights`
///
/// to the error of the result. A bridge is as long as its squared error stays below `largestError`^2 m. The roughness
/// belongs to the sample: the distance of its nodes from the line between their neighbours, in units of the volatility. If
/// a node, or the nodes around it, are too far off that line, the bridges beside it are given up and all of their steps
/// become nodes.
struct NodeLayout {
    /// Nodes so far, as ascending step indices. The first is 0. When the layout is complete the last is N - 1.
    private(set) var nodes: [Int] = []
    /// Error of the result for each unit of error in a step's clean sample, including the bridges that end there; [N].
    private(set) var weights: [Float]
    /// Roughness of this sample; 1 is typical, and the initial value.
    private(set) var roughness: Float = 1
    /// The largest roughness by which a bridge was laid, at least 1.
    private(set) var largestLaidRoughness: Float = 1
    /// If true, every further step becomes a node.
    private(set) var isDense = false
    /// The sum of the squares of the errors that the bridges laid so far may cause in the result.
    private(set) var squaredErrors = 0.0

    /// For each node, if its neighbours are known: the distance of its x_0 from the line between theirs in units of the
    /// volatility, and the roughness that follows; [N].
    private var relativeDistances: [Float?]
    private var judgedRoughness: [Float?]
    /// Nearest node at or before each step, and at or after it; [N].
    private var before: [Int]
    private var after: [Int]
    private let errorWeights: [Float]
    private let volatility: [Float]
    private let largestError: Float

    /// Largest number of steps of a bridge. x_0 does not move in a straight line for longer.
    ///
    /// Source: docs/notes/sampling-experiments.md, "Bridges". Sensitivity: not measured.
    private static let longestBridge = 8
    /// The largest share of the process that a bridge may span is 1 / 12. So fewer than 24 steps have no bridges.
    ///
    /// Source: notes, "Matrices for few steps" and "What 100 steps do not need". Sensitivity: not measured.
    private static let largestPart = 12
    /// Share of a node's squared relative distance that the running mean takes over, and the largest relative distance.
    ///
    /// Source: notes, "Bridges": the roughness of a sample is 0.6 to 1.8. Sensitivity: not measured.
    private static let roughnessRate: Float = 0.3
    private static let largestRelativeDistance: Float = 5
    /// Factor by which a bridge may exceed its planned error, judged by a single node: one node is weak evidence.
    ///
    /// Source: no experiment. Sensitivity: not measured.
    private static let largestExcess: Float = 1.75
    /// Number of nodes on each side that also judge a node's bridges.
    ///
    /// Source: no experiment. Sensitivity: not measured.
    private static let nearbyReach = 2

    /// - Parameters:
    ///   - errorWeights: what an error in each step's x_0 adds to the result, [N].
    ///   - volatility: `OutputLinearization.volatility`, [N].
    ///   - largestError: what a step may add to the result; with 0 every step is a node.
    init(errorWeights: [Float], volatility: [Float], largestError: Float) {
        self.errorWeights = errorWeights
        self.volatility = volatility
        self.largestError = largestError
        weights = errorWeights
        before = Array(errorWeights.indices)
        after = before
        nodes.reserveCapacity(errorWeights.count)
        relativeDistances = Array(repeating: nil, count: errorWeights.count)
        judgedRoughness = relativeDistances
    }

    /// Whether samples of so many steps have bridges at all.
    static func hasBridges(steps: Int) -> Bool { steps / largestPart > 1 }

    /// Whether there are enough steps for bridges at all.
    var hasBridges: Bool { Self.hasBridges(steps: errorWeights.count) }

    /// Whether the last node has been laid.
    var isComplete: Bool { nodes.last == errorWeights.count - 1 }

    /// Nodes at both ends of the bridge that holds `step`; both are `step` if it is a node.
    func bridge(of step: Int) -> (before: Int, after: Int) { (before[step], after[step]) }

    /// Forgets the nodes.
    ///
    /// - Parameter dense: whether every step is to be a node.
    mutating func restart(dense: Bool) {
        nodes.removeAll(keepingCapacity: true)
        isDense = dense
        squaredErrors = 0
        largestLaidRoughness = 1
        for step in weights.indices {
            weights[step] = errorWeights[step]
            before[step] = step
            after[step] = step
        }
    }

    /// Forgets the nodes and the roughness.
    mutating func startSample() {
        restart(dense: false)
        roughness = 1
    }

    /// Adds nodes until there are `count`, or until the last step is a node.
    ///
    /// - Parameter caution: factor by which errors count more than typical, at least 1.
    mutating func extend(to count: Int, caution: Float) {
        if nodes.isEmpty { nodes.append(0) }
        while nodes.count < count && !isComplete {
            let start = nodes[nodes.count - 1]
            let end = start + bridgeLength(from: start, caution: caution)
            nodes.append(end)
            for step in start + 1..<end {
                before[step] = start
                after[step] = end
                let part = Float(step - start) / Float(end - start)
                weights[start] += (1 - part) * errorWeights[step]
                weights[end] += part * errorWeights[step]
            }
        }
    }

    private mutating func bridgeLength(from start: Int, caution: Float) -> Int {
        let count = errorWeights.count
        let longest = min(Self.longestBridge, count / Self.largestPart, count - 1 - start)
        guard !isDense, largestError > 0, longest > 1 else { return 1 }
        let error = roughness * caution * volatility[start] * errorWeights[start]
        var length = longest
        while length > 1 && !(Self.squaredError(error, length: length) <= limit(length: length)) {
            length -= 1
        }
        if length > 1 {
            squaredErrors += Double(Self.squaredError(error, length: length))
            largestLaidRoughness = max(largestLaidRoughness, roughness)
        }
        return length
    }

    private static func squaredError(_ error: Float, length: Int) -> Float {
        error * error * Float(length * length * length - length) / 6
    }

    private func limit(length: Int) -> Float { largestError * largestError * Float(length) }

    /// Distance of a node's x_0 from the line between its neighbours', in units of the typical distance.
    ///
    /// - Parameters:
    ///   - node: the index in `nodes` of the middle one of three.
    ///   - distance: by how much its clean sample lies off the line between the others'.
    func relativeDistance(node: Int, distance: Float) -> Float {
        let step = nodes[node]
        let left = Float(step - nodes[node - 1])
        let right = Float(nodes[node + 1] - step)
        let typical = volatility[step] * (2 * left * right / (left + right)).squareRoot()
        return typical > 0 ? distance / typical : roughness
    }

    /// Updates the roughness, a running mean, by a node's relative distance.
    mutating func observe(relativeDistance: Float) {
        let distance = min(relativeDistance, Self.largestRelativeDistance)
        let square = roughness * roughness
        roughness = (square + Self.roughnessRate * (distance * distance - square)).squareRoot()
    }

    /// Updates the roughness by nodes that have settled: by the x_0 of the node before each, which lies between settled ones now. A
    /// window of one node would tell nothing of the node itself.
    ///
    /// - Parameters:
    ///   - settled: indices in `nodes`, those that have settled since the last call.
    ///   - trajectory: the sample, advanced through them.
    mutating func observeRoughness(of settled: Range<Int>, on trajectory: borrowing Trajectory) {
        guard mayHaveBridges else { return }
        for node in settled where node > 1 {
            let distance = trajectory.distanceFromLine(
                of: nodes[node - 1],
                from: nodes[node - 2],
                to: nodes[node]
            )
            guard let distance else { continue }
            observe(relativeDistance: relativeDistance(node: node - 1, distance: distance))
        }
    }

    /// Turns the steps of bridges that are too long for this sample into nodes: bridges in a window, and the one that leads to it.
    ///
    /// - Parameters:
    ///   - window: indices in `nodes`.
    ///   - trajectory: the sample, advanced through the window.
    /// - Returns: how many nodes were inserted, from the window's first index on and before its last one.
    mutating func giveUpBridges(in window: Range<Int>, of trajectory: borrowing Trajectory) -> Int {
        guard mayHaveBridges else { return 0 }
        // The window's first output also tells how far the settled node before it lies off the line.
        let judged = max(window.lowerBound - 1, 0)..<window.upperBound
        for node in judged {
            relativeDistances[nodes[node]] = relativeDistance(node, in: judged, of: trajectory)
        }
        for node in judged {
            judgedRoughness[nodes[node]] = relativeDistances[nodes[node]].map { distance in
                judgedRoughness(
                    relativeDistance: distance,
                    nearby: meanRelativeDistance(around: node, in: judged)
                )
            }
        }
        var inserted = 0
        // Backwards, so that insertions do not shift nodes that are still to be visited.
        for node in judged.reversed() {
            guard let roughness = judgedRoughness[nodes[node]] else { continue }
            guard node >= window.lowerBound else {
                // What lies before a settled node is final.
                inserted += densify(from: node, roughness: roughness)
                continue
            }
            let (before, after) = refine(node: node, roughness: roughness)
            inserted += before + after
        }
        return inserted
    }

    private var mayHaveBridges: Bool { largestError > 0 && !isDense }

    /// That of a node with two neighbours, the later one in the window; nil if not all three were evaluated.
    private func relativeDistance(
        _ node: Int,
        in window: Range<Int>,
        of trajectory: borrowing Trajectory
    ) -> Float? {
        guard node > 0 && node + 1 < window.upperBound else { return nil }
        let distance = trajectory.distanceFromLine(
            of: nodes[node],
            from: nodes[node - 1],
            to: nodes[node + 1]
        )
        return distance.map { relativeDistance(node: node, distance: $0) }
    }

    /// The root mean square of the relative distances of a node and those next to it; nil if fewer than three are known.
    private func meanRelativeDistance(around node: Int, in window: Range<Int>) -> Float? {
        var sum: Float = 0
        var count: Float = 0
        let nearby = node - Self.nearbyReach..<node + Self.nearbyReach + 1
        for near in nearby.clamped(to: window) {
            guard let distance = relativeDistances[nodes[near]] else { continue }
            sum += distance * distance
            count += 1
        }
        return count >= 3 ? (sum / count).squareRoot() : nil
    }

    /// The roughness by which the bridges beside a node are judged.
    ///
    /// - Parameters:
    ///   - relativeDistance: the node's own.
    ///   - nearby: the root mean square of those of the nodes around it; nil if too few are known.
    func judgedRoughness(relativeDistance: Float, nearby: Float?) -> Float {
        max(relativeDistance / Self.largestExcess, nearby ?? 0)
    }

    /// Turns the steps of both bridges beside a node into nodes, if the bridges are too long for `roughness`.
    ///
    /// - Parameter node: an index in `nodes`, neither the first nor the last.
    /// - Returns: how many nodes were inserted before the node, and after it.
    mutating func refine(node: Int, roughness: Float) -> (before: Int, after: Int) {
        // The later one first: it does not move the node.
        let after = densify(from: node, roughness: roughness)
        return (densify(from: node - 1, roughness: roughness), after)
    }

    private mutating func densify(from node: Int, roughness: Float) -> Int {
        let start = nodes[node]
        let end = nodes[node + 1]
        let error = roughness * volatility[start] * errorWeights[start]
        let length = end - start
        guard length > 1, !(Self.squaredError(error, length: length) <= limit(length: length)) else {
            return 0
        }
        nodes.insert(contentsOf: start + 1..<end, at: node + 1)
        for step in start + 1..<end {
            before[step] = step
            after[step] = step
            let part = Float(step - start) / Float(length)
            weights[start] -= (1 - part) * errorWeights[step]
            weights[end] -= part * errorWeights[step]
        }
        return length - 1
    }
}

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
    /// If true, every further step becomes a node.
    private(set) var isDense = false
    /// The sum of the squares of the errors that the bridges laid so far may cause in the result.
    private(set) var squaredErrors = 0.0

    /// Nearest node at or before each step, and at or after it; [N].
    private var before: [Int]
    private var after: [Int]
    private let errorWeights: [Float]
    private let volatility: [Float]
    private let largestError: Float

    /// Largest number of steps of a bridge, and the largest share of the process (1 / 12) that it may span. x_0 does not
    /// move in a straight line for longer.
    private static let longestBridge = 8
    private static let largestPart = 12
    private static let roughnessRate: Float = 0.3
    private static let largestSurprise: Float = 5
    /// Factor by which a bridge may exceed its planned error, judged by a single node: one node is weak evidence.
    private static let largestExcess: Float = 1.75

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
    }

    /// Whether samples of so many steps have bridges at all.
    static func hasBridges(steps: Int) -> Bool { steps / largestPart > 1 }

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
        if length > 1 { squaredErrors += Double(Self.squaredError(error, length: length)) }
        return length
    }

    private static func squaredError(_ error: Float, length: Int) -> Float {
        error * error * Float(length * length * length - length) / 6
    }

    private func limit(length: Int) -> Float { largestError * largestError * Float(length) }

    /// Distance of a node from the line between its neighbours, in units of the typical distance.
    ///
    /// - Parameters:
    ///   - node: the index in `nodes` of the middle one of three.
    ///   - distance: by how much its clean sample lies off the line between the others'.
    func surprise(node: Int, distance: Float) -> Float {
        let step = nodes[node]
        let left = Float(step - nodes[node - 1])
        let right = Float(nodes[node + 1] - step)
        let typical = volatility[step] * (2 * left * right / (left + right)).squareRoot()
        return typical > 0 ? distance / typical : roughness
    }

    /// Learns from a node's surprise how rough this sample is.
    mutating func observe(surprise: Float) {
        let surprise = min(surprise, Self.largestSurprise)
        let square = roughness * roughness
        roughness = (square + Self.roughnessRate * (surprise * surprise - square)).squareRoot()
    }

    /// The roughness by which the bridges beside a node are judged.
    ///
    /// - Parameters:
    ///   - surprise: the node's own.
    ///   - nearby: the root mean square of those of the nodes around it; nil where too few are known.
    func judgedRoughness(surprise: Float, nearby: Float?) -> Float {
        max(surprise / Self.largestExcess, nearby ?? 0)
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

/// Which steps of a sample have the network evaluated, its nodes; the clean samples of the steps between two nodes lie on the
/// straight line between theirs.
///
/// The clean sample x_0 that the network predicts wanders from step to step as noise comes in. A step bridged between its
/// two neighbours is off by its `volatility`, one number for each step of which `OutputLinearization` knows the typical
/// size, and a bridge of m steps, whose errors are those of a random walk tied down at both ends, adds about
///
///     roughness volatility w sqrt((m^3 - m) / 6)                                        w as in `errorWeights`
///
/// to the result. Bridges are as long as that stays within a share of the tolerance, `largestError`^2 m for the square of a
/// bridge of m steps. The roughness is this sample's own: by how much its nodes lie off the line between the nodes
/// before and after them, in units of what is typical. A bridge next to a node that lies too far off, or among such nodes, is
/// given up, and all of its steps become nodes.
struct NodeLayout {
    /// The nodes laid so far, in order; the first is step 0, and the last one laid is step N - 1 in the end.
    private(set) var nodes: [Int] = []
    /// What an error in the clean sample of each step adds to the result, with what it adds through the bridges that end
    /// there; [N].
    private(set) var weights: [Float]
    /// This sample's, 1 to begin with.
    private(set) var roughness: Float = 1
    /// Every step is a node from now on.
    private(set) var isDense = false
    /// The sum of the squares of the errors that the bridges laid so far may cause in the result.
    private(set) var squaredErrors = 0.0

    /// The node before and the node after each step, the step itself where it is one; [N].
    private var before: [Int]
    private var after: [Int]
    private let errorWeights: [Float]
    private let volatility: [Float]
    private let largestError: Float

    /// The most steps of a bridge, and the part of the process that it may span: over longer ones x_0 does not go straight.
    private static let longestBridge = 8
    private static let largestPart = 12
    private static let roughnessRate: Float = 0.3
    private static let largestSurprise: Float = 5
    /// By how much more than it was laid for a bridge may turn out to add, by the surprise of a single node, which says
    /// little.
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

    /// The nodes that step `step` lies between; equal where it is one itself.
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

    /// Forgets what is this sample's own, too.
    mutating func startSample() {
        restart(dense: false)
        roughness = 1
    }

    /// Lays nodes until there are `count`, or the last step is one.
    ///
    /// - Parameter caution: by how much more than typical an error may count, at least 1.
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

    /// How far a node lies off the line between its neighbours, in units of what is typical.
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

    /// Makes every step of the bridges on both sides of a node a node as well, where these are too long for a roughness.
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

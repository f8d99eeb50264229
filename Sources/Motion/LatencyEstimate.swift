/// How long a chunk takes, from the control step of its observation to its arrival: the longest of the newest few, so that
/// a chunk asked for so early is there in time even when it takes as long as the slowest of them.
public struct LatencyEstimate: Sendable, Hashable {
    /// How many latencies are remembered.
    static let remembered = 8
    private var newest: [Duration]

    /// An estimate from one measurement.
    public init(_ first: Duration) {
        newest = [first]
    }

    /// The estimate.
    public var longest: Duration { newest.max() ?? .zero }

    /// Takes a measurement in.
    public mutating func add(_ latency: Duration) {
        if newest.count == Self.remembered { newest.removeFirst() }
        newest.append(latency)
    }
}

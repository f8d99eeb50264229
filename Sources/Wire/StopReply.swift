/// What the daemon answers to `stop`.
public struct StopReply: Sendable, Hashable {
    /// How many robots stopped that had not.
    public var robots: Int
    /// How many of the robots that the stop is for have been heard of, or have a robot file: 0 or 1 if it named one.
    public var known: Int
    /// The number of this stop. A `resume` that names it, or a later one, has seen it.
    public var number: UInt64
    /// If the stop named a robot that is not known: the ids of those that are, at most ``mostNames``, in order.
    public var knownNames: [String]
    /// Whether the stop outlives the daemon.
    public var keeping: Reply.Keeping

    /// The most ids that are listed.
    public static let mostNames = 64

    /// A reply.
    public init(
        robots: Int,
        known: Int,
        number: UInt64,
        knownNames: [String] = [],
        keeping: Reply.Keeping = .forgotten
    ) {
        self.robots = robots
        self.known = known
        self.number = number
        self.knownNames = knownNames
        self.keeping = keeping
    }
}

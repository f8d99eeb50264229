import Robotics

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

extension StopReply {
    /// Reads a reply. Daemons before version 0.2 say neither which robots they know nor the stop's number.
    init(_ fields: FieldReader) throws(MessageError) {
        robots = try fields.count("robots")
        known = fields.optional("known") == nil ? robots : try fields.count("known")
        number = fields.optional("stop") == nil ? 0 : try fields.unsigned("stop")
        knownNames = fields.optional("known_names") == nil ? [] : try fields.strings("known_names")
        keeping = try Reply.Keeping(fields)
    }

    func append(to entries: inout MessagePackMap) {
        _ = entries.append("robots", .unsigned(UInt64(robots)))
        _ = entries.append("known", .unsigned(UInt64(known)))
        _ = entries.append("stop", .unsigned(number))
        if !knownNames.isEmpty { _ = entries.append("known_names", .array(knownNames.map { .string($0) })) }
        keeping.append(to: &entries)
    }
}

/// A share of a run's episodes: each `count`-th of them. Long episodes are wherever they are, so shards take alike long.
package struct Shard: Sendable, Hashable, CustomStringConvertible {
    /// Which one, from 1.
    package let number: Int
    /// How many shards the run has.
    package let count: Int

    /// More shards than anybody has machines.
    package static let mostShards = 1_000_000

    /// A run that nobody shares.
    package static let whole = Shard(number: 1, count: 1)

    private init(number: Int, count: Int) { (self.number, self.count) = (number, count) }

    /// - Returns: nil for a number that is not from 1 to `count`, and for more than ``mostShards``.
    package init?(_ number: Int, of count: Int) {
        guard (1...Self.mostShards).contains(count), (1...count).contains(number) else { return nil }
        self.init(number: number, count: count)
    }

    /// The shard that `2/4` means.
    ///
    /// - Returns: nil for what is not two whole numbers with a slash between them, or no shard.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let number = parts[0], let count = parts[1] else { return nil }
        self.init(number, of: count)
    }

    package var description: String { "\(number)/\(count)" }

    /// The places of its episodes in the run, from 0: `number` - 1, and then each `count`-th.
    ///
    /// - Parameter episodes: of the whole run.
    package func places(of episodes: Int) -> StrideTo<Int> {
        stride(from: number - 1, to: episodes, by: count)
    }

    /// The seeds of its episodes, in their order.
    ///
    /// - Parameters:
    ///   - first: the run's first seed; the others follow it, and after the largest comes 0.
    ///   - episodes: of the whole run.
    package func seeds(from first: UInt64, episodes: Int) -> [UInt64] {
        places(of: episodes).map { first &+ UInt64($0) }
    }
}

/// What the file of a shard says of the whole run, for those who join the shards.
package struct ShardedRun: Sendable, Hashable, Encodable {
    /// Which shard the file is.
    package let shard: Shard
    /// The run's first seed.
    package let firstSeed: UInt64
    /// The run's episodes, those of all shards.
    package let episodes: Int
    /// What the run was asked for and the file's other members do not tell, by name.
    package let settings: [String: String]

    /// As many as `denoised sim` plays.
    static let mostEpisodes = 1_000_000

    package init(shard: Shard, firstSeed: UInt64, episodes: Int, settings: [String: String]) {
        (self.shard, self.firstSeed) = (shard, firstSeed)
        (self.episodes, self.settings) = (episodes, settings)
    }

    /// The place of a seed's episode in the run, from 0; nil if the run does not have it.
    package func place(of seed: UInt64) -> Int? {
        let place = seed &- firstSeed
        return place < UInt64(episodes) ? Int(place) : nil
    }

    /// Whether the episode of a seed is the shard's.
    func has(_ seed: UInt64) -> Bool {
        place(of: seed).map { $0 % shard.count == shard.number - 1 } ?? false
    }

    private enum CodingKeys: String, CodingKey {
        case number, of, firstSeed, episodes, settings
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(shard.number, forKey: .number)
        try container.encode(shard.count, forKey: .of)
        try container.encode(firstSeed, forKey: .firstSeed)
        try container.encode(episodes, forKey: .episodes)
        try container.encode(settings, forKey: .settings)
    }
}

extension RunReader {
    /// What a shard's file says of the whole run.
    func shardedRun() throws(RunFileError) -> ShardedRun {
        let count = try required("of").integer(in: 1...Shard.mostShards)
        let number = try required("number").integer(in: 1...count)
        let episodes = try required("episodes").integer(in: 1...ShardedRun.mostEpisodes)
        let first = try unsigned("first_seed")
        var settings: [String: String] = [:]
        for (name, reader) in try optional("settings")?.members() ?? [] {
            settings[name] = try reader.string()
        }
        guard let shard = Shard(number, of: count) else {
            throw try required("number").error(.outOfRange, expected: "a shard's number")
        }
        return ShardedRun(shard: shard, firstSeed: first, episodes: episodes, settings: settings)
    }
}

import Foundation
import Statistics
import Testing

@testable import Reporting

@Suite struct ShardTests {
    /// Whatever the numbers, each seed is in one shard, and no shard has two episodes more than another.
    @Test func everySeedIsInOneShard() throws {
        for count in [1, 2, 3, 7, 64] {
            for episodes in [1, 2, 6, 7, 8, 100] {
                let shares = try (1...count).map {
                    try #require(Shard($0, of: count)).seeds(from: 100_000, episodes: episodes)
                }
                #expect(shares.joined().sorted() == (0..<UInt64(episodes)).map { 100_000 + $0 })
                let sizes = shares.map(\.count)
                #expect(try #require(sizes.max()) - #require(sizes.min()) <= 1)
                #expect(shares.allSatisfy { $0 == $0.sorted() })
            }
        }
    }

    @Test func aShardTakesEachNthSeed() throws {
        let shard = try #require(Shard(2, of: 3))
        #expect(shard.seeds(from: 10, episodes: 8) == [11, 14, 17])
        #expect(shard.seeds(from: .max, episodes: 6) == [0, 3], "seeds wrap as those of a whole run do")
        #expect(shard.seeds(from: 10, episodes: 1).isEmpty)
    }

    @Test(arguments: [("1/1", 1, 1), ("2/4", 2, 4), ("1000000/1000000", 1_000_000, 1_000_000)])
    func textsThatAreShards(text: String, number: Int, count: Int) throws {
        let shard = try #require(Shard(text))
        #expect((shard.number, shard.count) == (number, count))
        #expect(shard.description == text)
    }

    @Test(arguments: [
        "", "1", "0/4", "5/4", "1/0", "-1/4", "1/2/3", "a/b", "1/", "/2", "1/1000001", "1.0/2", " 1/2",
    ])
    func textsThatAreNone(text: String) {
        #expect(Shard(text) == nil)
    }

    @Test func aSeedHasItsPlace() throws {
        let shard = try #require(Shard(2, of: 3))
        let run = ShardedRun(shard: shard, firstSeed: .max - 1, episodes: 5, settings: [:])
        #expect(run.place(of: .max - 1) == 0 && run.place(of: 2) == 4)
        #expect(run.place(of: 3) == nil && run.place(of: .max - 2) == nil)
        #expect(run.has(.max) && run.has(2) && !run.has(0) && !run.has(3))
    }
}

@Suite struct LatencyHistogramJoiningTests {
    private static let times = (1...500).map { 0.4 * exp2(Double(($0 * 7919) % 500) / 90) }

    @Test func aSumIsTheHistogramOfAllTimes() {
        let parts = [Self.times[..<10], Self.times[10..<300], Self.times[300...]]
        let sum = parts.map { LatencyHistogram(milliseconds: $0) }.reduce(
            LatencyHistogram(milliseconds: []),
            +
        )
        #expect(sum == LatencyHistogram(milliseconds: Self.times))
        #expect(sum + LatencyHistogram(milliseconds: []) == sum)
    }

    /// The percentile that was measured is in the range whose end is told: 4.4 % below it at most.
    @Test(arguments: [1.0, 50, 90, 99, 100])
    func aPercentileIsTheEndOfItsRange(percent: Double) {
        let exact = Percentiles(Self.times)[percent]
        let found = LatencyHistogram(milliseconds: Self.times).percentile(percent)
        #expect(found >= exact && found <= exact * exp2(1.0 / 16) * 1.000_001, "\(found), \(exact)")
    }

    @Test func percentilesOfAllAreWithinThoseOfTheParts() {
        let parts = [Array(Self.times[..<100]), Array(Self.times[100...])]
        let latencies = parts.map { times in
            let percentiles = Percentiles(times)
            return Run.Latency(
                p50: percentiles[50],
                p90: percentiles[90],
                p99: percentiles[99],
                max: percentiles[100]
            )
        }
        let all = Percentiles(Self.times)
        let joined = Run.Latency(joining: latencies, of: LatencyHistogram(milliseconds: Self.times))
        for (found, exact) in [(joined.p50, all[50]), (joined.p90 ?? 0, all[90]), (joined.p99, all[99])] {
            #expect(found >= exact && found <= exact * 1.045, "\(found), \(exact)")
        }
        #expect(joined.max == all[100], "the maximum is exact")
        let one = Run.Latency(joining: [latencies[0]], of: LatencyHistogram(milliseconds: parts[0]))
        #expect(one == latencies[0], "of one part all are")
    }
}

import Testing

@testable import Daemon

@Suite struct MemoryReturnTests {
    private static let mebibyte: UInt64 = 1 << 20

    /// At which looks memory is given back, each of which leaves `left` MiB.
    private static func due(_ looks: [(residentMiB: UInt64, longMiB: UInt64)], left: UInt64) -> [Int] {
        var rule = MemoryReturn.Rule()
        return looks.indices.filter { index in
            let isDue = rule.isDue(
                residentBytes: looks[index].residentMiB * mebibyte,
                longBytes: looks[index].longMiB * mebibyte
            )
            if isDue { rule.gaveBack(residentBytes: left * mebibyte) }
            return isDue
        }
    }

    @Test func memoryIsGivenBackOnceAFloodIsOver() {
        // Not while long messages are read, nor while memory grows, as it does under a message without end.
        let flood: [(UInt64, UInt64)] = [(100, 0), (200, 300), (200, 600), (200, 900)]
        let growth: [(UInt64, UInt64)] = [(400, 900), (600, 900), (800, 900)]
        let quiet = [(UInt64, UInt64)](repeating: (800, 900), count: 3)
        let after = [(UInt64, UInt64)](repeating: (110, 900), count: 20)
        #expect(Self.due(flood + growth + quiet + after, left: 110) == [8])
    }

    @Test func whatIsInUseIsNotGivenBackAgainAndAgain() {
        let looks: [(UInt64, UInt64)] = [(100, 0)] + Array(repeating: (300, 5), count: 30)
        #expect(Self.due(looks, left: 300) == [3])
        #expect(Self.due(Array(repeating: (131, 0), count: 20), left: 0).isEmpty)
        #expect(Self.due([(100, 0)] + Array(repeating: (130, 5), count: 20), left: 0).isEmpty)
    }
}

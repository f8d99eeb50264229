import Testing
import Wire

@testable import Controller

/// The daemon's counters and percentiles.
@Suite struct TelemetryTests {
    private static func record(_ telemetry: Telemetry, totalNs: UInt64) {
        let stages = ChunkMessage.Stages(
            decode: 0,
            queue: 0,
            condition: 0,
            sample: totalNs,
            encode: 0,
            total: totalNs
        )
        telemetry.record(stages) { $0.chunks += 1 }
    }

    @Test func whoeverAsksIsToldOfEveryChunk() {
        let telemetry = Telemetry()
        #expect(telemetry.snapshot().latencyNs.isEmpty)
        for count in 1...3 as ClosedRange<UInt64> {
            Self.record(telemetry, totalNs: count << 20)
            // Asked again, with no chunk since, the answer is the same.
            for _ in 0..<2 {
                let statistics = telemetry.snapshot()
                #expect(statistics.chunks == count)
                #expect(statistics.latencyNs["total"]?.count == count)
                #expect((statistics.latencyNs["total"]?.max ?? 0) >= count << 20)
            }
        }
    }

    @Test func heartbeatsHoldPercentilesForASecond() {
        let telemetry = Telemetry()
        Self.record(telemetry, totalNs: 1000)
        let second: UInt64 = 1_000_000_000
        let begin = Clock.monotonicNs()
        func told(atNs nowNs: UInt64) -> UInt64? {
            telemetry.heartbeat(nowNs: nowNs).latencyNs["total"]?.count
        }
        #expect(told(atNs: begin) == 1)
        Self.record(telemetry, totalNs: 1000)
        #expect(told(atNs: begin + second - 1) == 1)
        #expect(telemetry.heartbeat(nowNs: begin + second - 1).chunks == 2)
        #expect(told(atNs: begin + second) == 2)
    }
}

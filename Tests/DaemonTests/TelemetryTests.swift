import Clocks
import Robotics
import Testing
import Wire

@testable import Daemon
@testable import MCAP

/// The daemon's counters and percentiles.
@Suite struct TelemetryTests {
    private static func record(_ telemetry: Telemetry, totalNs: UInt64) {
        let stages = RobotChunk.Stages(
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

    @Test func `frames have a stage of their own`() {
        let telemetry = Telemetry()
        telemetry.record(RobotChunk.Stages(vision: 2000, total: 3000)) { $0.chunks += 1 }
        telemetry.record(RobotChunk.Stages(total: 3000)) { $0.chunks += 1 }
        let latencyNs = telemetry.snapshot().latencyNs
        #expect(Set(latencyNs.keys) == Set(DaemonStatistics.stages))
        #expect(latencyNs["vision"]?.count == 1)
        #expect(latencyNs["total"]?.count == 2)
    }

    @Test func heartbeatsFindOneStagesPercentilesEach() {
        let telemetry = Telemetry()
        let second: UInt64 = 1_000_000_000
        let begin = MonotonicTime.now().unsignedNs
        let stages = DaemonStatistics.stagesWithoutCameras
        func told(atNs nowNs: UInt64) -> [String: DaemonStatistics.Latency] {
            telemetry.heartbeat(now: at(nowNs)).latencyNs
        }
        #expect(told(atNs: begin).isEmpty)
        Self.record(telemetry, totalNs: 1000)
        for count in 1...stages.count { #expect(told(atNs: begin).count == count) }
        let last = told(atNs: begin)["total"]

        for _ in 0..<9 { Self.record(telemetry, totalNs: 1 << 20) }
        let held = told(atNs: begin + second - 1)["total"]
        #expect(held?.p50 == last?.p50, "it is held for a second")
        #expect(held?.count == 10 && (held?.max ?? 0) >= 1 << 20, "what costs nothing is told at once")
        for _ in stages { _ = told(atNs: begin + second) }
        #expect((told(atNs: begin + second)["total"]?.p50 ?? 0) >= 1 << 20)
        #expect(telemetry.snapshot().latencyNs == told(atNs: begin + second))
    }
}

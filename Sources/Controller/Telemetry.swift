import Histogram
import Synchronization
import Wire

/// The daemon's counters and latency histograms, readable from any thread while the socket thread counts.
final class Telemetry: Sendable {
    private struct State {
        var counters = DaemonStatistics()
        var latencies: [Histogram<UInt64>]
        /// Of each stage, all times together.
        var sums: [UInt64]
        /// The chunks whose stages were recorded.
        var recorded: UInt64 = 0
        /// The percentiles as they were told last: when, and of how many chunks.
        var told: (latencyNs: [String: DaemonStatistics.Latency], atNs: UInt64, recorded: UInt64)?
    }

    /// Heartbeats tell percentiles that are no older: to find them takes longer than all the rest of a heartbeat.
    private static let percentilesHoldNs: UInt64 = 1_000_000_000

    /// An hour; what takes longer is recorded as an hour.
    private static let longestNs: UInt64 = 3_600_000_000_000
    private let startNs: UInt64
    private let state: Mutex<State>
    private let tap: (any MessageTap)?
    /// Apart from the counters, so that whoever reads it never makes the socket thread wait for percentiles.
    private let latestStatus = Mutex<StatusMessage?>(nil)

    /// - Parameter tap: tells how many messages it could not keep.
    init(tap: (any MessageTap)? = nil) {
        self.tap = tap
        startNs = Clock.monotonicNs()
        // 128 ns is fine enough for every stage, and keeps a histogram under 200 KB.
        let empty = Histogram<UInt64>(
            lowestDiscernibleValue: 128,
            highestTrackableValue: Self.longestNs,
            numberOfSignificantValueDigits: .three
        )
        let count = DaemonStatistics.stages.count
        state = Mutex(
            State(
                latencies: Array(repeating: empty, count: count),
                sums: Array(repeating: 0, count: count)
            )
        )
    }

    /// Changes the counters.
    func count(_ change: (inout DaemonStatistics) -> Void) {
        state.withLock { change(&$0.counters) }
    }

    /// Counts a rejected message.
    func countRejection(_ code: MessageError.Code) {
        state.withLock { $0.counters.rejectedMessages[code.rawValue, default: 0] += 1 }
    }

    /// Records a chunk's stages, and changes the counters.
    func record(_ stages: ChunkMessage.Stages, counting change: (inout DaemonStatistics) -> Void) {
        // In the order of `DaemonStatistics.stages`.
        let times = [
            stages.decode, stages.queue, stages.condition, stages.sample, stages.encode,
            stages.decode + stages.encode, stages.total,
        ]
        state.withLock { state in
            change(&state.counters)
            state.recorded += 1
            for (index, time) in times.enumerated() {
                _ = state.latencies[index].record(min(time, Self.longestNs))
                state.sums[index] &+= time
            }
        }
    }

    /// The counters and the percentiles as they are now.
    func snapshot() -> DaemonStatistics {
        let nowNs = Clock.monotonicNs()
        let unrecorded = tap?.lostMessages ?? 0
        return state.withLock { state in
            var statistics = state.counters
            statistics.uptimeNs = nowNs - startNs
            statistics.unrecordedMessages = unrecorded
            statistics.latencyNs = Self.percentiles(of: &state, nowNs: nowNs, oldestNs: 0)
            return statistics
        }
    }

    /// The counters as they are now, and percentiles of the last second.
    func heartbeat(nowNs: UInt64) -> DaemonStatistics {
        let unrecorded = tap?.lostMessages ?? 0
        return state.withLock { state in
            var statistics = state.counters
            statistics.uptimeNs = nowNs - startNs
            statistics.unrecordedMessages = unrecorded
            statistics.latencyNs = Self.percentiles(
                of: &state,
                nowNs: nowNs,
                oldestNs: Self.percentilesHoldNs
            )
            return statistics
        }
    }

    /// The heartbeat that was published last; nil before the first.
    var status: StatusMessage? { latestStatus.withLock { $0 } }

    /// Keeps a heartbeat for whoever asks for ``status``.
    func keep(_ status: StatusMessage) {
        latestStatus.withLock { $0 = status }
    }

    /// The percentiles, as they were told last where no chunk came since or that is less than `oldestNs` ago: whoever asks
    /// again and again must not have them found each time.
    private static func percentiles(
        of state: inout State,
        nowNs: UInt64,
        oldestNs: UInt64
    ) -> [String: DaemonStatistics.Latency] {
        if let told = state.told, told.recorded == state.recorded || nowNs < told.atNs + oldestNs {
            return told.latencyNs
        }
        let found = percentiles(of: state)
        state.told = (found, nowNs, state.recorded)
        return found
    }

    private static func percentiles(of state: State) -> [String: DaemonStatistics.Latency] {
        var percentiles: [String: DaemonStatistics.Latency] = [:]
        for (index, stage) in DaemonStatistics.stages.enumerated() where state.latencies[index].totalCount > 0
        {
            let latency = state.latencies[index]
            percentiles[stage] = DaemonStatistics.Latency(
                count: latency.totalCount,
                sum: state.sums[index],
                p50: latency.valueAtPercentile(50),
                p90: latency.valueAtPercentile(90),
                p99: latency.valueAtPercentile(99),
                max: latency.maxRecorded
            )
        }
        return percentiles
    }
}

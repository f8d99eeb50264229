import Clocks
import Histogram
import Recording
import Robotics
import Synchronization
import Wire

/// The daemon's counters and latency histograms, readable from any thread while the socket thread counts.
final class Telemetry: Sendable {
    private struct Percentiles {
        let p50, p90, p99: UInt64
        /// When they were found, and of how many chunks.
        let at: MonotonicTime
        let recorded: UInt64
    }

    private struct State {
        var counters = DaemonStatistics()
        var latencies: [Histogram<UInt64>]
        /// Of each stage, all times together.
        var sums: [UInt64]
        /// The chunks whose stages were recorded.
        var recorded: UInt64 = 0
        /// Of each stage, the percentiles as they were told last.
        var told: [Percentiles?]

        /// The stage whose percentiles have not been found, or longest ago, if that is at least so long and chunks came since.
        func stageToFind(now: MonotonicTime, oldestNs: UInt64) -> Int? {
            guard recorded > 0 else { return nil }
            if let new = told.indices.first(where: { told[$0] == nil && latencies[$0].totalCount > 0 }) {
                return new
            }
            let oldest = told.indices.filter { told[$0] != nil }.min {
                (told[$0]?.at.nanoseconds ?? 0) < (told[$1]?.at.nanoseconds ?? 0)
            }
            guard let oldest, let told = told[oldest], told.recorded != recorded,
                now.elapsedNs(since: told.at) >= oldestNs
            else { return nil }
            return oldest
        }

        /// Finds the percentiles of a stage.
        mutating func find(_ stage: Int, now: MonotonicTime) {
            guard latencies[stage].totalCount > 0 else { return }
            told[stage] = Percentiles(
                p50: latencies[stage].valueAtPercentile(50),
                p90: latencies[stage].valueAtPercentile(90),
                p99: latencies[stage].valueAtPercentile(99),
                at: now,
                recorded: recorded
            )
        }

        /// The stages that have been told of, by name.
        var latencyNs: [String: DaemonStatistics.Latency] {
            var latencyNs: [String: DaemonStatistics.Latency] = [:]
            for (index, stage) in DaemonStatistics.stages.enumerated() {
                guard let told = told[index] else { continue }
                latencyNs[stage] = DaemonStatistics.Latency(
                    count: latencies[index].totalCount,
                    sum: sums[index],
                    p50: told.p50,
                    p90: told.p90,
                    p99: told.p99,
                    max: latencies[index].maxRecorded
                )
            }
            return latencyNs
        }
    }

    /// Heartbeats find a stage's percentiles anew when they are as old, of one stage each: to find them takes longer than all
    /// the rest of a heartbeat, and commands wait.
    private static let percentilesHoldNs: UInt64 = 1_000_000_000

    /// An hour; what takes longer is recorded as an hour.
    private static let longestNs: UInt64 = 3_600_000_000_000
    private let start: MonotonicTime
    private let state: Mutex<State>
    private let tap: (any MessageTap)?
    private let lostLogLines: @Sendable () -> UInt64
    /// Apart from the counters, so that whoever reads it never makes the socket thread wait for percentiles.
    private let latestStatus = Mutex<StatusMessage?>(nil)

    /// - Parameters:
    ///   - tap: tells how many messages it could not keep.
    ///   - lostLogLines: how many lines the log has lost so far.
    init(tap: (any MessageTap)? = nil, lostLogLines: @escaping @Sendable () -> UInt64 = { 0 }) {
        self.tap = tap
        self.lostLogLines = lostLogLines
        start = .now()
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
                sums: Array(repeating: 0, count: count),
                told: Array(repeating: nil, count: count)
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
    func record(_ stages: RobotChunk.Stages, counting change: (inout DaemonStatistics) -> Void) {
        // In the order of `DaemonStatistics.stages`.
        let times: [UInt64?] = [
            stages.decode, stages.queue, stages.vision, stages.condition, stages.sample, stages.encode,
            stages.decode + stages.encode, stages.total,
        ]
        state.withLock { state in
            change(&state.counters)
            state.recorded += 1
            for (index, time) in times.enumerated() {
                guard let time else { continue }
                _ = state.latencies[index].record(min(time, Self.longestNs))
                state.sums[index] &+= time
            }
        }
    }

    /// The counters and the percentiles as they are now.
    func snapshot() -> DaemonStatistics {
        let now = MonotonicTime.now()
        let unrecorded = tap?.lostMessages ?? 0
        let lostLines = lostLogLines()
        return state.withLock { state in
            var statistics = state.counters
            statistics.uptimeNs = now.elapsedNs(since: start)
            statistics.unrecordedMessages = unrecorded
            statistics.lostLogLines = lostLines
            // Whoever asks again and again must not have them found each time.
            for stage in state.told.indices where state.told[stage]?.recorded != state.recorded {
                state.find(stage, now: now)
            }
            statistics.latencyNs = state.latencyNs
            return statistics
        }
    }

    /// The counters as they are now, and percentiles that are a second old or little more.
    func heartbeat(now: MonotonicTime) -> DaemonStatistics {
        let unrecorded = tap?.lostMessages ?? 0
        let lostLines = lostLogLines()
        return state.withLock { state in
            var statistics = state.counters
            statistics.uptimeNs = now.elapsedNs(since: start)
            statistics.unrecordedMessages = unrecorded
            statistics.lostLogLines = lostLines
            if let stage = state.stageToFind(now: now, oldestNs: Self.percentilesHoldNs) {
                state.find(stage, now: now)
            }
            statistics.latencyNs = state.latencyNs
            return statistics
        }
    }

    /// The heartbeat that was published last; nil before the first.
    var status: StatusMessage? { latestStatus.withLock { $0 } }

    /// Keeps a heartbeat for whoever asks for ``status``.
    func keep(_ status: StatusMessage) {
        latestStatus.withLock { $0 = status }
    }
}

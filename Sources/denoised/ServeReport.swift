import MCAP
import Wire

extension DaemonStatistics {
    /// Prints what the daemon did, for people.
    func show() {
        Console.result(
            "\(chunks) chunks and \(predictions) predictions in \(fixed(Double(uptimeNs) / 1e9, 1)) s; "
                + "\(observations) observations, \(supersededObservations) superseded, "
                + "\(staleObservations) stale, \(plannerErrors) planner errors"
        )
        Console.result(
            "\(commands) commands, \(limitViolations) limit violations; "
                + "\(lateChunks) late chunks, \(coarseChunks) coarse, \(warmChunks) warm; \(droppedObservations) observations dropped"
        )
        if unrecordedMessages > 0 { Console.result("\(unrecordedMessages) messages not recorded") }
        if lostLogLines > 0 { Console.result("\(lostLogLines) log lines lost") }
        for (reason, count) in rejectedMessages.sorted(by: { $0.key < $1.key }) {
            Console.result("rejected, \(reason): \(count)")
        }
        guard chunks + predictions > 0 else { return }
        Console.result("")
        var table = Table("latency, ms", "p50", "p90", "p99", "max")
        for stage in DaemonStatistics.stages {
            guard let latency = latencyNs[stage] else { continue }
            let cells = [latency.p50, latency.p90, latency.p99, latency.max].map {
                fixed(Double($0) / 1e6, 2)
            }
            table.add(stage, cells[0], cells[1], cells[2], cells[3])
        }
        table.print()
    }
}

import Foundation
import Robotics
import Wire

/// A page of a daemon's state, as lines of text: a function of what is known, without terminal and clock.
public struct MonitorPage {
    private let info: InfoMessage
    private let endpoint: String
    private let history: MonitorHistory
    private let nowNs: UInt64
    private let columns: Int

    /// Without a heartbeat for so long, in nanoseconds, the daemon counts as silent. It sends ten a second.
    public static let silentNs: UInt64 = 1_000_000_000

    /// The page.
    ///
    /// - Parameters:
    ///   - info: what the daemon answered to `info`.
    ///   - endpoint: where it was asked.
    ///   - history: its heartbeats.
    ///   - nowNs: the monitor's monotonic clock, in nanoseconds.
    ///   - columns: the width to fit into, in characters.
    public static func lines(
        info: InfoMessage,
        endpoint: String,
        history: MonitorHistory,
        nowNs: UInt64,
        columns: Int = 80
    ) -> [StyledLine] {
        MonitorPage(info: info, endpoint: endpoint, history: history, nowNs: nowNs, columns: columns).lines
            .map { $0.cut(to: columns) }
    }

    private typealias Piece = StyledLine.Piece

    private var lines: [StyledLine] {
        var lines = heading
        guard let status = history.latest else { return lines }
        lines += status.warnings.map { StyledLine(Piece("warning: \($0)", .bad)) }
        let blank = StyledLine()
        lines += [blank] + robots(status)
        lines += [blank] + beside(latency(status.statistics), counters(status))
        lines += [blank] + troubles
        return lines
    }

    // MARK: Parts

    private var heading: [StyledLine] {
        let uptime = history.latest.map { ", up \(clock($0.statistics.uptimeNs))" } ?? ""
        let names = hasSeveral ? info.policies.map(\.policy.name).joined(separator: ", ") : info.policy.name
        var lines = [
            StyledLine(
                Piece("denoised \(info.daemonVersion)", .heading),
                Piece(" serves \(names) at \(endpoint)\(uptime)")
            )
        ]
        if hasSeveral {
            lines += info.policies.map { served in
                let weights = "\(served.weightBytes / 1_000_000) MB of weights"
                let percent = served.calibrationPercent
                let calibration = percent < 100 ? ", calibrated to \(percent) %" : ""
                return StyledLine(
                    Piece("\(served.policy.name): \(text(served.sampler)), \(weights)\(calibration)", .faint)
                )
            }
        } else {
            lines.append(StyledLine(Piece(text(info.sampler), .faint)))
        }
        if let percent = history.latest?.calibrationPercent, percent < 100 {
            lines.append(
                StyledLine(
                    Piece(
                        "calibrated to \(percent) %; until it is done chunks are sampled one step after the other",
                        .warning
                    )
                )
            )
        }
        if let receivedNs = history.receivedNs {
            let silence = nowNs - min(receivedNs, nowNs)
            if silence > Self.silentNs {
                lines.append(
                    StyledLine(
                        Piece("silent for \(duration(silence)); what follows is how it was then", .bad)
                    )
                )
            }
        } else {
            lines.append(StyledLine(Piece("no heartbeat yet from \(info.endpoints.chunks)", .warning)))
        }
        return lines
    }

    /// Whether the daemon runs several policies.
    private var hasSeveral: Bool { info.policies.count > 1 }

    private func text(_ sampler: SamplerDescription) -> String {
        let window = sampler.window > 1 ? ", window \(sampler.window)" : ""
        let budget = sampler.budgetMs > 0 ? ", budget \(decimal(sampler.budgetMs, 1)) ms" : ""
        return
            "\(sampler.solver), \(sampler.steps) steps, \(sampler.method)\(window), \(sampler.kernel)\(budget)"
    }

    private func robots(_ status: StatusMessage) -> [StyledLine] {
        guard !status.robots.isEmpty else { return [StyledLine(Piece("no robots", .faint))] }
        let robots = status.robots.sorted { $0.key < $1.key }
        var summary = StyledLine(Piece(robots.count == 1 ? "1 robot" : "\(robots.count) robots", .heading))
        for state in RobotState.allCases {
            let count = robots.count { $0.value.state == state }
            guard count > 0 else { continue }
            summary.append(Piece(summary.count < 12 ? ": " : ", "))
            summary.append(Piece("\(count) \(state.rawValue)", style(of: state)))
        }
        var first: [(String, PageTable.Alignment)] = [("robot", .left)]
        if hasSeveral { first.append(("policy", .left)) }
        var table = PageTable(
            first + [
                ("state", .left),
                ("for", .right),
                ("episode", .right),
                ("step", .right),
                ("chunks/s", .right),
                ("commands/s", .right),
                ("silent", .right),
                ("limited", .right),
                ("reason", .left),
            ]
        )
        for (id, robot) in robots {
            let policy = hasSeveral ? [Piece(robot.policy ?? "none named")] : []
            table.add(
                [Piece(id)] + policy + [
                    Piece(robot.state.rawValue, style(of: robot.state)),
                    Piece(duration(robot.forNs)),
                    Piece(robot.episode.description),
                    Piece("\(robot.sequence)"),
                    Piece(rate { $0.robots[id]?.chunks }),
                    Piece(rate { $0.robots[id]?.commands }),
                    Piece(duration(robot.silentNs)),
                    Piece("\(robot.limitViolations)", robot.limitViolations > 0 ? .warning : .plain),
                    Piece(robot.reason),
                ]
            )
        }
        return [summary] + table.lines
    }

    private func latency(_ statistics: DaemonStatistics) -> [StyledLine] {
        guard !statistics.latencyNs.isEmpty else { return [StyledLine(Piece("no chunk yet", .faint))] }
        var table = PageTable(
            ("latency, ms", .left),
            ("p50", .right),
            ("p90", .right),
            ("p99", .right),
            ("max", .right)
        )
        let order = DaemonStatistics.stages
        let others = statistics.latencyNs.keys.filter { !order.contains($0) }.sorted()
        for stage in order + others {
            guard let latency = statistics.latencyNs[stage] else { continue }
            let times = [latency.p50, latency.p90, latency.p99, latency.max].map {
                Piece(decimal(Double($0) / 1e6, 2))
            }
            table.add(Piece(stage), times[0], times[1], times[2], times[3])
        }
        return table.lines
    }

    private func counters(_ status: StatusMessage) -> [StyledLine] {
        var table = PageTable(("count", .left), ("total", .right), ("a second", .right))
        func add(
            _ name: String,
            _ troubled: StyledLine.Style = .plain,
            _ count: @escaping (DaemonStatistics) -> UInt64
        ) {
            let total = count(status.statistics)
            let style = total > 0 ? troubled : .plain
            table.add(Piece(name), Piece("\(total)", style), Piece(rate { count($0.statistics) }, style))
        }
        add("observations") { $0.observations }
        add("chunks") { $0.chunks }
        add("predictions") { $0.predictions }
        add("commands") { $0.commands }
        add("late chunks", .warning) { $0.lateChunks }
        add("coarse chunks") { $0.coarseChunks }
        add("warm chunks") { $0.warmChunks }
        add("dropped observations", .warning) { $0.droppedObservations }
        add("rejected messages", .warning) { $0.rejectedMessages.values.reduce(0, +) }
        add("planner errors", .bad) { $0.plannerErrors }
        return table.lines
    }

    private var troubles: [StyledLine] {
        guard !history.troubles.isEmpty else { return [StyledLine(Piece("no errors", .good))] }
        var table = PageTable(("last errors", .left), ("total", .right), ("last seen", .right))
        // The newest first.
        let troubles = history.troubles.sorted { left, right in
            let (leftNs, rightNs) = (left.value.roseNs ?? 0, right.value.roseNs ?? 0)
            return leftNs == rightNs ? left.key < right.key : leftNs > rightNs
        }
        for (name, trouble) in troubles {
            let age = trouble.roseNs.map { nowNs - min($0, nowNs) }
            table.add(
                Piece(name, age.map { $0 < 10_000_000_000 } ?? false ? .bad : .plain),
                Piece("\(trouble.count)"),
                Piece(age.map { "\(duration($0)) ago" } ?? "earlier")
            )
        }
        return table.lines
    }

    // MARK: Layout

    /// Two blocks side by side if they fit, else one below the other.
    private func beside(_ left: [StyledLine], _ right: [StyledLine]) -> [StyledLine] {
        let gap = 4
        let leftWidth = left.map(\.count).max() ?? 0
        let rightWidth = right.map(\.count).max() ?? 0
        guard leftWidth + gap + rightWidth <= columns else { return left + [StyledLine()] + right }
        return (0..<max(left.count, right.count)).map { row in
            let first = row < left.count ? left[row] : StyledLine()
            return first.fitted(to: leftWidth + gap) + (row < right.count ? right[row] : StyledLine())
        }
    }

    private func style(of state: RobotState) -> StyledLine.Style {
        switch state {
        case .running: .good
        case .holding: .warning
        case .stopped, .faulted: .bad
        case .idle: .plain
        }
    }

    private func rate(_ count: (StatusMessage) -> UInt64?) -> String {
        history.rate(count).map { decimal($0, 1) } ?? "-"
    }

    /// `45 ms`, `12.3 s` or, from 100 s on, `0:12:31`.
    private func duration(_ nanoseconds: UInt64) -> String {
        switch nanoseconds {
        case ..<1_000_000_000: "\(nanoseconds / 1_000_000) ms"
        case ..<100_000_000_000: "\(decimal(Double(nanoseconds / 100_000_000) / 10, 1)) s"
        default: clock(nanoseconds)
        }
    }

    /// Hours, minutes and seconds.
    private func clock(_ nanoseconds: UInt64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        func twoDigits(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(seconds / 3600):\(twoDigits(seconds / 60 % 60)):\(twoDigits(seconds % 60))"
    }

    private func decimal(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}

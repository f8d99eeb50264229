import ArgumentParser
import Clocks
import Foundation
import Monitoring
import Robotics
import Wire

struct MonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor",
        abstract: "Watch a running daemon: robots, rates, latencies, errors.",
        discussion: """
            Asks the daemon where it publishes, and shows each of its heartbeats (ten a second) until SIGINT or SIGTERM. A \
            daemon that falls silent is waited for. When standard output is no terminal, or TERM is unset or dumb, a page of \
            plain text follows another once a second. Rates are over the last 5 s. The daemon does not notice.
            """
    )

    @OptionGroup
    var daemon: DaemonOptions

    @Flag(help: "Print one page, with rates over one second, and exit.")
    var once = false

    @Flag(help: "Print one heartbeat as a JSON object and exit.")
    var json = false

    @Option(help: ArgumentHelp("Wait so long for the daemon's first answer and heartbeat.", valueName: "s"))
    var timeoutS: Double = 5

    func validate() throws {
        if once && json { throw ValidationError("--once and --json exclude each other") }
        guard timeoutS > 0, timeoutS <= 3600 else {
            throw ValidationError("--timeout-s is \(timeoutS), expected more than 0 and at most 3600")
        }
    }

    func run() throws {
        let deadline = MonotonicTime.now() + .seconds(timeoutS)
        let connection = try MonitorConnection(
            to: daemon.connect,
            keys: daemon.keys.load(),
            timeout: .seconds(timeoutS)
        )
        guard json || once else { return try watch(connection, firstBy: deadline) }

        let first = try firstHeartbeat(of: connection, by: deadline)
        if json { return try Console.json(MonitorReport(connection.info, first)) }
        var history = MonitorHistory()
        history.receive(first, nowNs: MonotonicTime.now().unsignedNs)
        let end = MonotonicTime.now() + .seconds(1)
        while let status = try connection.next(until: end) {
            history.receive(status, nowNs: MonotonicTime.now().unsignedNs)
        }
        var screen = PlainScreen()
        screen.show(
            page(
                connection,
                history,
                columns: Terminal.output.isTerminal ? Terminal.output.size.columns : screen.columns
            )
        )
    }

    private func firstHeartbeat(
        of connection: MonitorConnection,
        by deadline: MonotonicTime
    ) throws -> StatusMessage {
        guard let status = try connection.next(until: deadline) else {
            throw Failure.run(
                """
                the daemon at \(daemon.connect) answers, and no heartbeat came from \(connection.info.endpoints.chunks) within \
                \(timeoutS) s
                """
            )
        }
        return status
    }

    /// The time between two questions to a daemon that is silent, and for how long each waits.
    private static let retry = (interval: Duration.seconds(1), timeout: Duration.milliseconds(300))

    private func watch(_ start: MonitorConnection, firstBy deadline: MonotonicTime) throws {
        let isEnding = try EndingFlag()
        var connection = start
        var history = MonitorHistory()
        history.receive(
            try firstHeartbeat(of: connection, by: deadline),
            nowNs: MonotonicTime.now().unsignedNs
        )
        var screen: any MonitorScreen = Terminal.output.movesCursor ? TerminalScreen() : PlainScreen()
        defer { screen.leave() }
        var shown = MonotonicTime.now() - screen.interval
        var asked = MonotonicTime.now()
        while !isEnding.isSet {
            if MonotonicTime.now() - shown >= screen.interval {
                shown = .now()
                screen.show(page(connection, history, columns: screen.columns))
            }
            if let status = try connection.next(until: .now() + .milliseconds(100)) {
                // Another daemon may run another policy, and one that is calibrated samples in another way.
                let wasCalibrated = (history.latest?.calibrationPercent ?? 100) == 100
                let isAnother = history.receive(status, nowNs: MonotonicTime.now().unsignedNs)
                // Heartbeats have the progress of the policy that is behind the others.
                let isBehind =
                    status.calibrationPercent < 100 && connection.info.policies.count > 1
                    && MonotonicTime.now() - asked >= Self.retry.interval
                if isAnother || isBehind || !wasCalibrated && status.calibrationPercent == 100 {
                    _ = try connection.refresh(timeout: Self.retry.timeout)
                    asked = .now()
                }
            } else if isSilent(history), MonotonicTime.now() - asked >= Self.retry.interval {
                _ = try connection.refresh(timeout: Self.retry.timeout)
                asked = .now()
            }
        }
    }

    private func isSilent(_ history: MonitorHistory) -> Bool {
        history.receivedNs.map { MonotonicTime.now().unsignedNs - $0 > MonitorPage.silentNs } ?? true
    }

    private func page(
        _ connection: MonitorConnection,
        _ history: MonitorHistory,
        columns: Int
    ) -> [StyledLine] {
        MonitorPage.lines(
            info: connection.info,
            endpoint: daemon.connect,
            history: history,
            nowNs: MonotonicTime.now().unsignedNs,
            columns: columns
        )
    }
}

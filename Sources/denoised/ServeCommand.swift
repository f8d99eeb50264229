import ArgumentParser
import Controller
import Foundation
import Logging
import Policy
import RealTime
import Safety
import Wire

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the daemon: observations in, action chunks out, over ZeroMQ.",
        discussion: """
            Robots publish observations and subscribe to chunks; docs/PROTOCOL.md describes both, and \
            examples/ has robots in Python and C++. SIGINT and SIGTERM end the daemon; it then prints what it did.

            Endpoints that other machines reach need keys: --curve-key and --curve-clients; docs/SECURITY.md has the \
            steps.
            """
    )

    @Option(help: ArgumentHelp("The policy: a LeRobot diffusion checkpoint folder.", valueName: "dir"))
    var policy: String

    @Option(
        help: ArgumentHelp("Listen here for observations.", valueName: "endpoint"),
        transform: Endpoint.toListen
    )
    var observations: String?

    @Option(
        help: ArgumentHelp("Call a publisher of observations here instead.", valueName: "endpoint"),
        transform: Endpoint.toCall
    )
    var observationsFrom: String?

    @Option(
        help: ArgumentHelp("Publish chunks here.", valueName: "endpoint"),
        transform: Endpoint.toListen
    )
    var chunks: String?

    @Option(
        help: ArgumentHelp("Call a subscriber to chunks here instead.", valueName: "endpoint"),
        transform: Endpoint.toCall
    )
    var chunksTo: String?

    @Option(
        help: ArgumentHelp("Answer requests here.", valueName: "endpoint"),
        transform: Endpoint.toListen
    )
    var requests: String?

    @Option(
        help: ArgumentHelp(
            """
            What is known of a robot: its rates, limits and watchdogs (docs/ROBOTS.md). It then gets commands, one a tick, \
            besides chunks. May be given more than once, for robots with ids.
            """,
            valueName: "file"
        )
    )
    var robot: [String] = []

    @Option(
        help: ArgumentHelp(
            "Commands a second, a whole multiple of the control rate. Default: what --robot says.",
            valueName: "hz"
        )
    )
    var commandHz: Double?

    @Option(
        help: """
            How one chunk follows another, where --robot does not say: receding, blend, ensemble or inpaint. Default: \
            blend.
            """
    )
    var strategy: ChunkStrategy?

    @Option(
        help: ArgumentHelp("Messages a second that are read under one topic. Default: 1000.", valueName: "n")
    )
    var messagesPerSecond: Int?

    @OptionGroup
    var gr00t: Gr00tServeOptions

    @Option(
        help: ArgumentHelp(
            """
            Record what comes in and goes out in this MCAP file, for Foxglove and for `denoised replay`. The file must not be \
            there yet; {time} in its name stands for the start, as 20260102T030405.678Z.
            """,
            valueName: "file"
        )
    )
    var record: String?

    @Option(
        help: ArgumentHelp(
            """
            Keep in this file which robots are stopped, so that a stop outlives the daemon; without it a restart releases \
            every robot. One file for each daemon.
            """,
            valueName: "file"
        )
    )
    var state: String?

    @Option(help: "The least severe level to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    @Flag(help: "Lock the network's weights in memory; the system must allow it (ulimit -l).")
    var lockWeights = false

    @Option(
        help: ArgumentHelp(
            """
            Real-time priority (SCHED_FIFO) of the thread that takes observations and sends chunks and commands, \
            1...99; the system must allow it (ulimit -r). Default: none.
            """,
            valueName: "n"
        )
    )
    var priority: Int?

    @OptionGroup
    var security: SecurityOptions

    @OptionGroup
    var http: HTTPOptions

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Print what the daemon did as one JSON object when it ends.")
    var json = false

    func validate() throws {
        try sampler.checkWindowIsGiven()
        if observations != nil && observationsFrom != nil {
            throw ValidationError("--observations and --observations-from exclude each other")
        }
        if chunks != nil && chunksTo != nil {
            throw ValidationError("--chunks and --chunks-to exclude each other")
        }
        if let messagesPerSecond, !(1...DaemonConfiguration.mostMessagesPerSecond).contains(messagesPerSecond)
        {
            throw ValidationError(
                "--messages-per-second is \(messagesPerSecond), "
                    + "expected 1...\(DaemonConfiguration.mostMessagesPerSecond)"
            )
        }
        if let priority, !RealTimePriority.levels.contains(priority) {
            throw ValidationError("--priority is \(priority), expected 1...99")
        }
        if robot.isEmpty, commandHz != nil || strategy != nil {
            throw ValidationError(
                "\(commandHz != nil ? "--command-hz" : "--strategy") is for commands, expected --robot with it"
            )
        }
    }

    func run() throws {
        try http.check(isInsecure: security.insecure)
        let ending = try Failure.asRun { try EndingSignals(catchingHangUp: security.curveKey != nil) }
        let logger = Logger.standardError(level: logLevel)
        let manager = serviceManager(logger: logger)
        var configuration = try configuration(logger: logger, manager: manager)
        let unprotected = try security.unprotected(configuration.endpoints)
        let policy = try PolicyOptions.load(policy)
        configuration.robots = try RobotOptions.load(robot, commandHz: commandHz, for: policy)
        configuration.gr00t?.mapping = try RobotOptions.gr00tMapping(configuration.robots, for: policy)
        let planner = try PolicyPlanner.factory(
            bundle: policy,
            sampler: sampler,
            locksWeights: lockWeights,
            maximumGroup: Grouping.largest
        )

        configuration.state = try state.map { path in try StateOptions.open(path) }

        let recorder = try record.map { path in
            try RecordingOptions.recorder(path, policy: policy, sampler: sampler, logger: logger)
        }
        defer { recorder?.finish() }

        configuration.tap = recorder
        let daemon = try Failure.asRun { try Daemon(configuration: configuration, makePlanner: planner) }
        let server = try http.start(for: daemon)
        defer { server?.stop() }
        let endpoints = try Failure.asRun { try daemon.start() }
        if let server { logger.info("metrics and health at \(server.address)") }
        manager?.tell(.ready, .status("serves \(policy.name), observations at \(endpoints.observations)"))
        if !json {
            Console.result("denoised serves \(policy.name)")
            Console.result("  observations  \(endpoints.observations)")
            Console.result("  chunks        \(endpoints.chunks)")
            Console.result("  requests      \(endpoints.requests)")
            if let gr00t = endpoints.gr00t { Console.result("  gr00t         \(gr00t)") }
            if let recorder { Console.result("  recording     \(recorder.path)") }
            if let server { Console.result("  http          \(server.address)") }
        }

        let waiter = Thread {
            let signal = ending.wait {
                logger.notice("SIGHUP: reading the client keys again")
                daemon.reloadClients()
            }
            logger.notice("\(signal): ending")
            manager?.tell(.stopping, .status("ending after \(signal)"))
            daemon.requestStop()
        }
        waiter.start()

        let warning = SecurityOptions.warning(about: unprotected).map { RecurringWarning($0, logger: logger) }
        try withExtendedLifetime(warning) { try Failure.asRun { try daemon.waitUntilStopped() } }
        recorder?.finish()
        let statistics = daemon.statistics
        if json {
            try Console.json(statistics)
        } else {
            statistics.show()
        }
    }

    /// The service manager that started the daemon. A daemon that cannot reach it serves all the same.
    private func serviceManager(logger: Logger) -> ServiceManager? {
        do throws(ServiceManager.EnvironmentError) {
            return try ServiceManager()
        } catch {
            logger.warning("no service manager is told that the daemon works: \(error)")
            return nil
        }
    }

    private func configuration(logger: Logger, manager: ServiceManager?) throws -> DaemonConfiguration {
        var configuration = DaemonConfiguration()
        if let observations { configuration.observations = .bind(observations) }
        if let observationsFrom { configuration.observations = .connect(observationsFrom) }
        if let chunks { configuration.chunks = .bind(chunks) }
        if let chunksTo { configuration.chunks = .connect(chunksTo) }
        if let requests { configuration.requests = requests }
        configuration.gr00t = try gr00t.configuration()
        configuration.seed = sampler.firstSeed
        configuration.budget = sampler.budget
        if let messagesPerSecond { configuration.messagesPerSecond = messagesPerSecond }
        if let strategy { configuration.strategy = strategy }
        configuration.priority = try priority.map { level in
            try Failure.asInput(path: "--priority") { try RealTimePriority(level) }
        }
        configuration.logger = logger
        configuration.security = try security.load()
        if let manager, let timeoutNs = manager.watchdogNs {
            configuration.watchdog = Watchdog(timeoutNs: timeoutNs) { manager.tell(.alive) }
        }
        return configuration
    }
}

extension ChunkStrategy: ExpressibleByArgument {}

extension DaemonConfiguration {
    /// The endpoints that the daemon is to bind or connect.
    fileprivate var endpoints: [String] {
        [observations.endpoint, chunks.endpoint, requests] + [gr00t?.endpoint].compactMap { $0 }
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

extension Logger {
    /// The program's log, on standard error.
    static func standardError(level: Logger.Level) -> Logger {
        Logger(label: "denoised") { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
    }
}

extension DaemonStatistics {
    /// Prints what the daemon did, for people.
    fileprivate func show() {
        Console.result(
            "\(chunks) chunks and \(predictions) predictions in \(fixed(Double(uptimeNs) / 1e9, 1)) s; "
                + "\(observations) observations, \(supersededObservations) superseded, "
                + "\(staleObservations) stale, \(plannerErrors) planner errors"
        )
        Console.result(
            "\(commands) commands, \(limitViolations) limit violations; "
                + "\(lateChunks) late chunks, \(coarseChunks) coarse; \(droppedObservations) observations dropped"
        )
        if unrecordedMessages > 0 { Console.result("\(unrecordedMessages) messages not recorded") }
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

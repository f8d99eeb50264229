import ArgumentParser
import Daemon
import Foundation
import Glibc
import HTTP
import Logging
import Logs
import MCAP
import Monitoring
import Planning
import Motion
import Policy
import Recording
import Robotics
import Wire

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the daemon: observations in, action chunks out, over ZeroMQ.",
        discussion: """
            Robots publish observations and subscribe to chunks; docs/PROTOCOL.md describes both, and \
            examples/ has robots in Python and C++. SIGINT, SIGTERM and SIGHUP end the daemon: it brings its robots to rest and \
            prints what it did. With --curve-key SIGHUP reads the client keys again, under nohup it does nothing.

            Endpoints that other machines reach need keys: --curve-key and --curve-clients; docs/SECURITY.md has the \
            steps.

            --config takes options from a file, for which docs/CONFIGURATION.md has the keys; `denoised config` checks it.
            """
    )

    @OptionGroup
    var configurationFile: ConfigurationOptions

    @Option(help: PolicyOptions.helpOfSeveral)
    var policy: [PolicyChoice] = []

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
            "Commands a second, at least the control rate. Default: what --robot says.",
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
    var cameras: CameraServeOptions

    @OptionGroup
    var gr00t: Gr00tServeOptions

    @OptionGroup
    var openpi: OpenPIServeOptions

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

    @Flag(
        help: """
            Record frames of cameras that come as pixels as PNG, so that a replay computes the same chunks; takes several times \
            the room and time of JPEG, as which they are recorded otherwise. Frames that come as JPEG or PNG are recorded as they are.
            """
    )
    var recordRawImages = false

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
        if policy.isEmpty { throw ValidationError("Missing expected argument '--policy <policy>'") }
        try sampler.checkWindow()
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
        if recordRawImages, record == nil {
            throw ValidationError("--record-raw-images says how to record, expected --record with it")
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
        try openpi.check(isInsecure: security.insecure)
        try AddressSpace.checkForDaemon()
        // A background job of a terminal that stops those that write to it must not be stopped while robots move.
        signal(SIGTTOU, SIG_IGN)
        let log = Console.writeInBackground()
        let logger = Logger(level: logLevel, writer: log)
        if let file = ServeLine.inForce?.configured?.file { logger.info("options from \(file)") }
        ProcessLimits.prepareToServe(logger: logger)
        let manager = serviceManager(logger: logger)
        let ending = try Failure.asRun {
            try ServeEnding(
                hangUp: security.curveKey == nil ? .ends : .reloads,
                logger: logger,
                manager: manager
            )
        }
        var configuration = try configuration(logger: logger, manager: manager)
        configuration.lostLogLines = { log.lostLines }
        let unprotected = try unprotectedWarnings(of: configuration.endpoints)
        if let warning = openpi.warning { logger.warning("\(warning)") }
        let policies = try PolicyOptions.loadToRun(
            policy,
            threads: sampler.threads,
            in: .daemon,
            explain: { name, folder in logger.info("policy \(name): \(folder.explanation)") }
        )
        try take(policies, into: &configuration)
        let makers = try policies.map { policy in
            try PolicyPlanner.factory(
                bundle: policy.bundle,
                name: policy.name,
                sampler: sampler.parallelByDefault,
                locksWeights: lockWeights,
                maximumGroup: Grouping.largest,
                tunesLater: true,
                warn: { logger.warning("\($0)") }
            )
        }

        configuration.state = try state.map { path in try StateOptions.open(path) }

        let recorder = try record.map {
            try startRecording($0, policies: policies, ending: ending, logger: logger)
        }
        defer { recorder?.finish() }

        let board = http.liveBoard()
        configuration.tap = board.map { LiveTap(board: $0, next: recorder) } ?? recorder
        let token = http.newToken(hasKeys: configuration.security != nil)
        let daemon = try Failure.asRun {
            try Daemon(
                configuration: configuration,
                makePlanners: { stallWatch in try makers.map { try $0(stallWatch) } }
            )
        }
        ending.take(daemon)
        let server = try http.start(
            for: daemon,
            board: board,
            token: token,
            robots: configuration.robots,
            logger: logger
        )
        defer { server?.stop() }
        let endpoints = try start(daemon, ending)
        if let server { logger.info("live page, metrics and health at \(server.address)") }
        let names = daemon.policies.map(\.policy.name).joined(separator: ", ")
        manager?.tell(.ready, .status("serves \(names), observations at \(endpoints.observations)"))
        for line in Self.lines(about: daemon.policies) { logger.info("\(line)") }
        show(names, endpoints, recording: recorder?.path, http: server?.address, token: token)

        let warnings = unprotected.map { RecurringWarning($0, logger: logger) }
        try withExtendedLifetime((warnings, MemoryReturn())) {
            try Failure.asRun { try daemon.waitUntilStopped() }
        }
        recorder?.finish()
        let statistics = daemon.statistics
        try Console.complete { if json { try Console.json(statistics) } else { statistics.show() } }
        if let problem = configuration.state?.unkept {
            throw Failure.run("--state: the next daemon may not know which robots are stopped: \(problem)")
        }
    }

    /// Checks what goes with policies, and takes it into a configuration.
    ///
    /// - Throws: `Failure`.
    private func take(_ policies: [NamedPolicy], into configuration: inout DaemonConfiguration) throws {
        try checkForeignClients(of: policies)
        try cameras.check(for: policies)
        configuration.robots = try RobotOptions.load(robot, commandHz: commandHz, for: policies)
        guard policies.count == 1 else { return }
        let (files, bundle) = (configuration.robots, policies[0].bundle)
        configuration.gr00t?.mapping = try RobotOptions.gr00tMapping(files, for: bundle)
        configuration.openPI?.mapping = try RobotOptions.openPIMapping(files, for: bundle)
    }

    /// Checks that clients of other policy servers are served one policy: they name none.
    ///
    /// - Throws: `Failure` that names the option.
    func checkForeignClients(of policies: [NamedPolicy]) throws {
        guard policies.count > 1 else { return }
        let given = [("--gr00t", gr00t.gr00t != nil), ("--openpi", openpi.openpi != nil)]
        if let (option, _) = given.first(where: \.1) {
            throw Failure.input(
                "\(option): its clients name no policy; found \(policies.count) policies, expected a single one"
            )
        }
    }

    /// What the log says of several policies.
    private static func lines(about policies: [ServedPolicy]) -> [String] {
        guard policies.count > 1 else { return [] }
        return policies.map { served in
            let calibration = served.calibrationPercent < 100 ? ", to be calibrated" : ""
            return
                "policy \(served.policy.name): \(served.weightBytes / 1_000_000) MB of weights\(calibration)"
        }
    }

    /// Starts to record in a file.
    private func startRecording(
        _ path: String,
        policies: [NamedPolicy],
        ending: ServeEnding,
        logger: Logger
    ) throws -> Recorder {
        if recordRawImages, policies.allSatisfy(\.bundle.cameras.isEmpty) {
            let option = ServeLine.explained("--record-raw-images changes nothing")
            let names = policies.map(\.name).joined(separator: " and ")
            logger.warning("\(option): \(names) \(policies.count == 1 ? "has" : "have") no cameras")
        }
        let setup = try RecordingOptions.setup(policies: policies.map(\.bundle), sampler: sampler)
        return try ending.open {
            try RecordingOptions.recorder(path, setup: setup, keepsPixels: recordRawImages, logger: logger)
        }
    }

    /// Starts the daemon, or ends the program if a signal comes before.
    private func start(_ daemon: Daemon, _ ending: ServeEnding) throws -> InfoMessage.Endpoints {
        try Failure.asRun {
            do {
                return try daemon.start()
            } catch is DaemonStopped {
                ending.leave()
            }
        }
    }

    private func show(
        _ policy: String,
        _ endpoints: InfoMessage.Endpoints,
        recording: String?,
        http: HTTPAddress?,
        token: String?
    ) {
        if json {
            // Standard output is one JSON object.
            if let token { Console.note("the token of the live page is \(token)") }
            return
        }
        Console.result("denoised serves \(policy)")
        Console.result("  observations  \(endpoints.observations)")
        Console.result("  chunks        \(endpoints.chunks)")
        Console.result("  requests      \(endpoints.requests)")
        if let gr00t = endpoints.gr00t { Console.result("  gr00t         \(gr00t)") }
        if let openpi = endpoints.openpi { Console.result("  openpi        \(openpi)") }
        for source in cameras.camera {
            Console.result("  camera        \(source.camera) from \(source.endpoint) (\(source.name))")
        }
        if let recording { Console.result("  recording     \(recording)") }
        if let http { Console.result("  http          \(http)") }
        if let token { Console.result("  token         \(token)") }
    }

    /// What a running daemon would warn of again and again; nil: nothing.
    ///
    /// - Throws: `Failure` for keys, a token or a priority that cannot be used, for endpoints that need keys, and for a camera server
    ///   at an endpoint of the daemon's own.
    func unprotectedWarnings() throws -> [String] {
        let logger = Logger(label: "denoised") { _ in SwiftLogNoOpLogHandler() }
        return try unprotectedWarnings(of: configuration(logger: logger, manager: nil).endpoints)
    }

    private func unprotectedWarnings(of endpoints: [String]) throws -> [String] {
        try cameras.check(against: endpoints)
        let warnings = [
            SecurityOptions.warning(about: try security.unprotected(endpoints) + openpi.unprotected),
            CameraServeOptions.warning(about: try cameras.unprotected(isInsecure: security.insecure)),
        ]
        return warnings.compactMap { $0 }.map(ServeLine.explained)
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
        configuration.openPI = try openpi.configuration()
        configuration.seed = sampler.firstSeed
        configuration.budget = sampler.budget
        if let messagesPerSecond { configuration.messagesPerSecond = messagesPerSecond }
        if let strategy { configuration.strategy = strategy }
        cameras.apply(to: &configuration)
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
    /// The program's log.
    init(level: Logger.Level, writer: LineWriter) {
        self.init(label: "denoised") { label in
            LineLogHandler(label: label, level: level, writer: writer)
        }
    }
}

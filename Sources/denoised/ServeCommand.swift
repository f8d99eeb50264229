import ArgumentParser
import Controller
import Foundation
import Glibc
import Logging
import Policy
import Wire

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the daemon: observations in, action chunks out, over ZeroMQ.",
        discussion: """
            Robots publish observations and subscribe to chunks; docs/PROTOCOL.md describes both, and \
            examples/robot.py is a robot in a few lines. SIGINT and SIGTERM end the daemon; it then prints what it did.
            """
    )

    @Option(help: ArgumentHelp("The policy: a LeRobot diffusion checkpoint folder.", valueName: "dir"))
    var policy: String

    @Option(help: ArgumentHelp("Listen here for observations.", valueName: "endpoint"))
    var observations: String?

    @Option(help: ArgumentHelp("Call a publisher of observations here instead.", valueName: "endpoint"))
    var observationsFrom: String?

    @Option(help: ArgumentHelp("Publish chunks here.", valueName: "endpoint"))
    var chunks: String?

    @Option(help: ArgumentHelp("Call a subscriber to chunks here instead.", valueName: "endpoint"))
    var chunksTo: String?

    @Option(help: ArgumentHelp("Answer requests here.", valueName: "endpoint"))
    var requests: String?

    @Option(help: "The least severe level to log: trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Print what the daemon did as one JSON object when it ends.")
    var json = false

    func validate() throws {
        if observations != nil && observationsFrom != nil {
            throw ValidationError("--observations and --observations-from exclude each other")
        }
        if chunks != nil && chunksTo != nil {
            throw ValidationError("--chunks and --chunks-to exclude each other")
        }
    }

    func run() throws {
        // Blocked before any thread starts, so that every thread inherits it and only the waiting one below sees them.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        var logger = Logger(label: "denoised", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = logLevel
        let policy = try PolicyOptions.load(policy)
        let planner = try PolicyPlanner.factory(bundle: policy, sampler: sampler)

        let daemon = try Failure.asRun {
            try Daemon(configuration: configuration(logger: logger), makePlanner: planner)
        }
        let endpoints = try Failure.asRun { try daemon.start() }
        if !json {
            Console.result("denoised serves \(policy.name)")
            Console.result("  observations  \(endpoints.observations)")
            Console.result("  chunks        \(endpoints.chunks)")
            Console.result("  requests      \(endpoints.requests)")
        }

        let waiter = Thread { [signals] in
            var signals = signals
            var received: Int32 = 0
            sigwait(&signals, &received)
            logger.notice("\(received == SIGINT ? "SIGINT" : "SIGTERM"): ending")
            daemon.requestStop()
        }
        waiter.start()

        try Failure.asRun { try daemon.waitUntilStopped() }
        let statistics = daemon.statistics
        if json {
            try Console.json(statistics)
        } else {
            statistics.print()
        }
    }

    private func configuration(logger: Logger) -> DaemonConfiguration {
        var configuration = DaemonConfiguration()
        if let observations { configuration.observations = .bind(observations) }
        if let observationsFrom { configuration.observations = .connect(observationsFrom) }
        if let chunks { configuration.chunks = .bind(chunks) }
        if let chunksTo { configuration.chunks = .connect(chunksTo) }
        if let requests { configuration.requests = requests }
        configuration.seed = sampler.seed
        configuration.logger = logger
        return configuration
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

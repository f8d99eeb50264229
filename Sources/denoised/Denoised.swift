import ArgumentParser
import Foundation
import Robotics

/// The command line's root: it only names the subcommands and turns whatever they throw into an exit code.
@main
struct Denoised: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "denoised",
        abstract: "Runs a trained diffusion policy as a robot's controller.",
        discussion: """
            A policy is a LeRobot diffusion checkpoint folder; `import` makes one of a checkpoint of Diffusion Policy. `serve` connects \
            a robot over ZeroMQ, `calibrate` prepares the machine for a policy, `config` checks the options of `serve`, `monitor` \
            watches it, `sim` runs PushT episodes, `bench` measures latency, `report` makes a page of both, `explain` shows how a \
            chunk is sampled, `keygen` makes keys for encrypted connections.

            With --json a command prints one JSON object on standard output and nothing else there.
            Exit codes: 0 success, 1 a run that failed, 2 bad usage or input.
            """,
        version: daemonVersion,
        subcommands: [
            InspectCommand.self, ImportCommand.self, CalibrateCommand.self, PredictCommand.self,
            ExplainCommand.self, SimCommand.self, ServeCommand.self, ConfigCommand.self, MonitorCommand.self,
            StopCommand.self, ResumeCommand.self, ReplayCommand.self, KeygenCommand.self,
            BenchCommand.self, ReportCommand.self,
        ]
    )

    static func main() {
        StandardStreams.prepare()
        let exitCode = run(NegativeValues.joined(Array(CommandLine.arguments.dropFirst())))
        Console.flushErrors()
        // Without what libraries do at the end: OpenBLAS waits for its threads, which may wait for memory.
        _exit(exitCode)
    }

    /// Runs a command, and returns the exit code.
    private static func run(_ arguments: [String]) -> Int32 {
        do {
            let line = try ServeLine(arguments)
            ServeLine.inForce = line
            var command = try parse(line)
            try command.run()
        } catch let failure as Failure {
            Console.error(ServeLine.explained(failure.description))
            return failure.exitCode
        } catch let refusal as ConfigurationRefusal {
            for line in refusal.lines { Console.error(line) }
            if arguments.first == ConfigCommand.name, arguments.contains("--json"), !refusal.isInResult {
                ConfigCommand.showRefusal(refusal)
            }
            return Failure.badInput
        } catch {
            guard exitCode(for: error) != .success else {
                Console.result(fullMessage(for: error))
                return EXIT_SUCCESS
            }
            Console.error(fullMessage(for: error), prefixed: false)
            return Failure.badInput
        }
        return EXIT_SUCCESS
    }

    private static func parse(_ line: ServeLine) throws -> any ParsableCommand {
        do {
            return try parseAsRoot(line.arguments)
        } catch {
            throw line.refusal(error)
        }
    }
}

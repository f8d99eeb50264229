import ArgumentParser
import Wire

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop a robot, or every one, at a running daemon.",
        discussion: """
            A robot that moves by the daemon's commands is brought to rest within its limits; then it gets neither commands nor \
            chunks until `denoised resume` releases it. Without ROBOT every robot is stopped, also those that the daemon hears \
            of later. This goes through a network and a process: it is no emergency stop.
            """
    )

    @Argument(help: "The robot's id. Default: every robot.")
    var robot: String?

    @OptionGroup
    var daemon: DaemonOptions

    func run() throws {
        let reply = try daemon.answer(to: .stop(robot: try robot.map(DaemonOptions.robot)))
        guard case .stop(let robots, let keeping) = reply else {
            throw DaemonOptions.failure(reply, to: "stop")
        }
        Console.result("\(robots) robot\(robots == 1 ? "" : "s") stopped")
        switch keeping {
        case .kept: break
        case .forgotten: Console.note("a daemon without --state forgets a stop when it ends")
        case .failed(let problem):
            throw Failure.run("the stop holds, but a restart of the daemon forgets it: \(problem)")
        }
    }
}

import ArgumentParser
import Wire

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a stopped robot, or all of them, move again at a running daemon.",
        discussion: "A robot moves when the next chunk for it is there. Look first whether it may."
    )

    @Argument(help: "The robot's id.")
    var robot: String?

    @Flag(help: "Every robot.")
    var all = false

    @OptionGroup
    var daemon: DaemonOptions

    func validate() throws {
        guard all != (robot != nil) else { throw ValidationError("give either a robot or --all") }
    }

    func run() throws {
        let reply = try daemon.answer(to: .resume(robot: try robot.map(DaemonOptions.robot)))
        guard case .resume(let robots, let keeping) = reply else {
            throw DaemonOptions.failure(reply, to: "resume")
        }
        Console.result("\(robots) robot\(robots == 1 ? "" : "s") released")
        if case .failed(let problem) = keeping {
            throw Failure.run("a restart of the daemon stops what was released: \(problem)")
        }
    }
}

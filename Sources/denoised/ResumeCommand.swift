import ArgumentParser

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a stopped robot, or all of them, move again at a running daemon.",
        discussion: """
            A robot moves when the next chunk for it is there. Look first whether it may. A stop that the daemon gets while this \
            command runs is newer, and holds.
            """
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
        let robot = try robot.map(DaemonOptions.robot)
        let info = try daemon.answer(to: .info)
        guard case .info(let info) = info else { throw DaemonOptions.failure(info, to: "info") }
        let reply = try daemon.answer(to: .resume(robot: robot, seen: info.stop))
        guard case .resume(let robots, let keeping) = reply else {
            throw DaemonOptions.failure(reply, to: "resume")
        }
        Console.result("\(robots) robot\(robots == 1 ? "" : "s") released")
        if case .failed(let problem) = keeping {
            throw Failure.run("a restart of the daemon stops what was released: \(problem)")
        }
    }
}

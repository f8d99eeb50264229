import ArgumentParser
import Piloting
import Wire

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop a robot, or every one, at a running daemon.",
        discussion: """
            A robot that moves by the daemon's commands is brought to rest within its limits; then it gets neither commands nor \
            chunks until `denoised resume` releases it. Without ROBOT every robot is stopped, also those that the daemon hears \
            of later. If the daemon has never heard of ROBOT, the stop is kept and the exit code is 1. This goes through a network and a process: it is no emergency stop.
            """
    )

    @Argument(help: "The robot's id. Default: every robot.")
    var robot: String?

    @OptionGroup
    var daemon: DaemonOptions

    func run() throws {
        let reply = try daemon.answer(to: .stop(robot: try robot.map(DaemonOptions.robot)))
        guard case .stop(let stop) = reply else { throw DaemonOptions.failure(reply, to: "stop") }
        Console.result(robot == nil ? stop.summaryOfAll : stop.summaryOfOne)
        switch stop.keeping {
        case .kept: break
        case .forgotten: Console.note("a daemon without --state forgets a stop when it ends")
        case .failed(let problem):
            throw Failure.run("the stop holds, but a restart of the daemon forgets it: \(problem)")
        }
        if let robot, stop.known == 0 { throw Self.unknown(robot, stop.knownNames) }
    }

    private static func unknown(_ robot: String, _ known: [String]) -> Failure {
        let others =
            known.isEmpty ? "it has heard of no robot" : "it has heard of \(known.joined(separator: ", "))"
        return .run(
            "the daemon has never heard of \(robot), whose stop is kept in case it comes; \(others). "
                + "`denoised stop` without a name stops every robot"
        )
    }
}

extension StopReply {
    fileprivate var summaryOfOne: String { "\(robots) robot\(robots == 1 ? "" : "s") stopped" }

    fileprivate var summaryOfAll: String {
        let others = known > robots ? ", \(known - robots) stopped before" : ""
        return "\(summaryOfOne); it is for all, and the daemon has heard of \(known)\(others)"
    }
}

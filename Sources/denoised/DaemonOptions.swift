import ArgumentParser
import Robotics
import Transport
import Wire

/// Where a running daemon is, and how it is asked.
struct DaemonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Where the daemon answers requests.", valueName: "endpoint"),
        transform: Endpoint.toCall
    )
    var connect = "tcp://127.0.0.1:5557"

    @OptionGroup
    var keys: ClientKeyOptions

    /// What the daemon answers to a request.
    ///
    /// - Throws: `Failure` if it does not answer.
    func answer(to request: Request) throws -> Reply {
        let security = try keys.load()
        do {
            return try RobotClient.answer(
                to: request,
                from: connect,
                context: ZeroMQContext(),
                security: security
            )
        } catch RobotClientError.refused(let refusal) {
            throw Failure.run("the daemon refused: \(refusal)")
        } catch {
            throw Failure.run("\(error); is `denoised serve` running there?")
        }
    }

    /// A robot's id.
    ///
    /// - Throws: `Failure` where it is none.
    static func robot(_ text: String) throws -> RobotID {
        guard let robot = RobotID(text) else {
            throw Failure.input(
                "the robot is \"\(text)\", expected \(RobotID.rule)"
            )
        }
        return robot
    }

    /// That the daemon answered something else than was asked.
    static func failure(_ reply: Reply, to asked: String) -> Failure {
        if case .error(let error) = reply { return .run("the daemon refused: \(error)") }
        return .run("the daemon answered \(asked) with \(reply.type)")
    }
}

import CameraServers
import Planning
import Piloting
import Robotics

/// What several parts of the socket loop use. Each part takes from it what it needs.
struct LoopContext {
    let configuration: DaemonConfiguration
    let planner: PlannerFacts
    let mailbox: PlannerMailbox
    let robots: Robots
    let replies: Replies
    let telemetry: Telemetry
    let rejections: Rejections
    /// The frames of camera servers; nil: the configuration has none.
    let cameraBoard: CameraBoard?

    /// Without a robot yet.
    init(
        configuration: DaemonConfiguration,
        planner: PlannerFacts,
        mailbox: PlannerMailbox,
        replies: Replies,
        telemetry: Telemetry
    ) {
        self.configuration = configuration
        self.planner = planner
        self.mailbox = mailbox
        self.replies = replies
        self.telemetry = telemetry
        rejections = Rejections(telemetry: telemetry, logger: configuration.logger)
        let sources = configuration.cameraSources
        cameraBoard = sources.isEmpty ? nil : CameraBoard(sources: sources)
        robots = Robots(
            agenda: Agenda(emptyHistory: planner.emptyHistory, settings: configuration.agenda),
            pilots: Pilots(
                files: configuration.robots,
                strategy: configuration.strategy,
                mostRobots: configuration.maximumRobots,
                policy: planner.policy
            )
        )
    }
}

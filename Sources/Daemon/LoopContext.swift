import CameraServers
import Planning
import Piloting
import Robotics

/// What several parts of the socket loop use. Each part takes from it what it needs.
struct LoopContext {
    let configuration: DaemonConfiguration
    let policies: ServedPolicies
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
        policies: ServedPolicies,
        mailbox: PlannerMailbox,
        replies: Replies,
        telemetry: Telemetry
    ) {
        self.configuration = configuration
        self.policies = policies
        self.mailbox = mailbox
        self.replies = replies
        self.telemetry = telemetry
        rejections = Rejections(telemetry: telemetry, logger: configuration.logger)
        let sources = configuration.cameraSources
        cameraBoard = sources.isEmpty ? nil : CameraBoard(sources: sources)
        robots = Robots(
            agenda: Agenda(
                emptyHistories: policies.facts.map(\.emptyHistory),
                settings: configuration.agenda
            ),
            pilots: Pilots(
                files: configuration.robots,
                strategy: configuration.strategy,
                mostRobots: configuration.maximumRobots,
                policies: policies.descriptions
            )
        )
    }
}

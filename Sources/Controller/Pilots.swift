import RealTime
import Safety
import Wire

/// Every robot's ``Pilot``, and the next time that one of them has something to say.
struct Pilots {
    private let files: [String?: RobotFile]
    private let strategy: ChunkStrategy
    private let policy: InfoMessage.Policy
    private let mostRobots: Int
    private var pilots: [RobotID: Pilot] = [:]
    private var violationsOfForgotten: UInt64 = 0
    /// The stop of every robot, those included that have not been heard of; nil where there is none.
    private var everyRobot: Stop?
    private var hasStopChanged = false

    /// No robot yet.
    init(configuration: DaemonConfiguration, policy: InfoMessage.Policy) {
        files = Dictionary(
            configuration.robots.map { ($0.robot, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        strategy = configuration.strategy
        mostRobots = configuration.maximumRobots
        self.policy = policy
    }

    /// The robot's pilot; a robot that is heard of for the first time gets one by writing to it.
    subscript(_ robot: RobotID, nowNs nowNs: UInt64) -> Pilot {
        get {
            if let pilot = pilots[robot] { return pilot }
            var pilot = newPilot(robot, nowNs: nowNs)
            if let everyRobot {
                _ = pilot.stop(
                    "every robot is stopped: \(everyRobot.reason)",
                    withEveryRobot: true,
                    nowNs: nowNs
                )
            }
            return pilot
        }
        set { pilots[robot] = newValue }
    }

    private func newPilot(_ robot: RobotID, nowNs: UInt64) -> Pilot {
        let file = files[robot.text] ?? files[nil]
        return Pilot(
            robot: robot,
            file: file,
            strategy: file?.strategy.flatMap(ChunkStrategy.init) ?? strategy,
            policy: policy,
            nowNs: nowNs
        )
    }

    /// The robots that have a pilot.
    var robots: [RobotID] { Array(pilots.keys) }

    /// Stops every robot, also those that are heard of later. Returns how many had not been stopped.
    mutating func stopAll(_ reason: String, nowNs: UInt64) -> Int {
        if everyRobot == nil {
            everyRobot = Stop(reason: reason, wallNs: Clock.wallNs())
            hasStopChanged = true
        }
        let reason = "every robot is stopped: \(reason)"
        return robots.count { pilots[$0]?.stop(reason, withEveryRobot: true, nowNs: nowNs) == true }
    }

    /// Releases every robot. Returns how many had been stopped.
    mutating func resumeAll(nowNs: UInt64) -> Int {
        if everyRobot != nil { hasStopChanged = true }
        everyRobot = nil
        return robots.count { pilots[$0]?.resume(nowNs: nowNs) == true }
    }

    // MARK: What outlives the daemon

    /// Which robots are stopped.
    var stops: Stops {
        var stops = Stops()
        stops.everyRobot = everyRobot
        for (robot, pilot) in pilots {
            if pilot.mayMove {
                if everyRobot != nil { stops.released.insert(robot) }
            } else if let stop = pilot.stop {
                stops.robots[robot] = stop
            }
        }
        return stops
    }

    /// Whether another robot may be stopped, or released, than when this was asked last.
    mutating func hasNewStops() -> Bool {
        guard hasStopChanged || pilots.values.contains(where: \.hasStopChanged) else { return false }
        hasStopChanged = false
        for robot in robots { pilots[robot]?.hasStopChanged = false }
        return true
    }

    /// Stops the robots that were stopped when the daemon ended.
    mutating func restore(_ stops: Stops, nowNs: UInt64) {
        everyRobot = stops.everyRobot
        for robot in stops.released { pilots[robot] = newPilot(robot, nowNs: nowNs) }
        for (robot, stop) in stops.robots {
            pilots[robot] = newPilot(robot, nowNs: nowNs)
            pilots[robot]?.restore(stop, nowNs: nowNs)
        }
    }

    /// Whether there are too many robots for another one.
    func isFull(for robot: RobotID) -> Bool { pilots[robot] == nil && pilots.count >= 2 * mostRobots }

    /// Forgets the robots of which nothing else is kept, unless they are stopped or move: that must not be forgotten.
    mutating func keep(_ isKept: (RobotID) -> Bool) {
        guard pilots.count > mostRobots else { return }
        for (robot, pilot) in pilots where pilot.mayBeForgotten && !isKept(robot) {
            violationsOfForgotten += pilot.limitViolations
            // One that was released while every robot is stopped is stopped again when it is heard of again.
            if everyRobot != nil { hasStopChanged = true }
            pilots[robot] = nil
        }
    }

    /// When the next command is due; nil where no robot moves.
    func nextTickNs(after nowNs: UInt64) -> UInt64? {
        pilots.values.compactMap { $0.nextTickNs(after: nowNs) }.min()
    }

    /// The commands that are due.
    mutating func commands(nowNs: UInt64) -> [CommandMessage] {
        robots.compactMap { pilots[$0]?.tick(nowNs: nowNs) }
    }

    /// The robots' part of a heartbeat. Where there are more than a message holds, those that are not idle come first.
    func status(nowNs: UInt64) -> [String: StatusMessage.Robot] {
        let most = MessagePackLimits.standard.mapEntries
        let told =
            pilots.count <= most
            ? Array(pilots)
            : Array(
                pilots.sorted {
                    ($0.value.state == .idle ? 1 : 0, $0.key.text) < (
                        $1.value.state == .idle ? 1 : 0, $1.key.text
                    )
                }
                .prefix(most)
            )
        return Dictionary(uniqueKeysWithValues: told.map { ($0.key.text, $0.value.status(nowNs: nowNs)) })
    }

    /// Commands and chunks that limits changed or held back, of every robot.
    var limitViolations: UInt64 { pilots.values.reduce(violationsOfForgotten) { $0 + $1.limitViolations } }

    /// The robots whose state is another than when this was asked last, with what led to it.
    mutating func stateChanges() -> [(robot: RobotID, state: RobotState, reason: String)] {
        robots.compactMap { robot in
            pilots[robot]?.stateChange().map { (robot, $0.state, $0.reason) }
        }
    }
}

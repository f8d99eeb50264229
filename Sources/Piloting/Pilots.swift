import Clocks
import Motion
import Robotics
import RobotDescription

/// Every robot's ``Pilot``, and the next time that one of them has something to say.
///
/// A pilot holds a plan and much else: it is used where it lies, never copied out and back, for that would copy what it
/// holds.
package struct Pilots {
    private let files: [String?: RobotFile]
    private let strategy: ChunkStrategy
    private let policies: [PolicyDescription]
    private let mostRobots: Int
    private var pilots: [Pilot] = []
    /// Where in `pilots` each robot's is.
    private var places: [RobotID: Int] = [:]
    private var violationsOfForgotten: UInt64 = 0
    /// The stop of every robot, those included that have not been heard of; nil if there is none.
    private var everyRobot: Stop?
    private var hasStopChanged = false
    /// The newest stop of every robot, or of a robot that has been forgotten.
    private var everyOrder = StopOrder.none

    /// No robot yet.
    ///
    /// - Parameters:
    ///   - files: the robot files; the one without an id is for all other robots.
    ///   - strategy: how one chunk follows another if the robot file does not say.
    ///   - mostRobots: of so many robots that do not move and are not stopped the state is kept.
    ///   - policies: at least one; of several a robot must name one.
    package init(
        files: [RobotFile],
        strategy: ChunkStrategy,
        mostRobots: Int,
        policies: [PolicyDescription]
    ) {
        self.files = Dictionary(files.map { ($0.robot, $0) }, uniquingKeysWith: { first, _ in first })
        self.strategy = strategy
        self.mostRobots = mostRobots
        self.policies = policies
    }

    /// The robot's pilot; a robot that is heard of for the first time gets one by writing to it.
    package subscript(_ robot: RobotID, now now: MonotonicTime) -> Pilot {
        _read {
            if let place = places[robot] {
                yield pilots[place]
            } else {
                yield pilot(of: robot, now: now)
            }
        }
        _modify {
            let place = places[robot] ?? add(pilot(of: robot, now: now))
            yield &pilots[place]
        }
    }

    /// A pilot for a robot that is heard of for the first time: stopped, if every robot is.
    private func pilot(of robot: RobotID, now: MonotonicTime) -> Pilot {
        var pilot = newPilot(robot, now: now)
        if let everyRobot {
            let reason = "every robot is stopped: \(everyRobot.reason)"
            _ = pilot.stop(reason, withEveryRobot: true, now: now)
        }
        return pilot
    }

    private func newPilot(_ robot: RobotID, now: MonotonicTime) -> Pilot {
        let file = files[robot.text] ?? files[nil]
        return Pilot(
            robot: robot,
            file: file,
            strategy: file?.strategy.flatMap(ChunkStrategy.init) ?? strategy,
            policy: policies[0],
            policyIndex: policies.count == 1 ? 0 : nil,
            now: now
        )
    }

    private mutating func add(_ pilot: Pilot) -> Int {
        pilots.append(pilot)
        places[pilot.robot] = pilots.count - 1
        return pilots.count - 1
    }

    /// Stops every robot, also those that are heard of later. Returns how many had not been stopped.
    package mutating func stopAll(_ reason: String, connection: [UInt8]? = nil, now: MonotonicTime) -> Int {
        everyOrder = StopOrder(now: now, connection: connection)
        if everyRobot == nil {
            everyRobot = Stop(reason: reason, wallNs: Clock.wallNs())
            hasStopChanged = true
        }
        let reason = "every robot is stopped: \(reason)"
        return pilots.indices.count {
            pilots[$0].stop(reason, withEveryRobot: true, connection: connection, now: now)
        }
    }

    /// The newest stop of a robot, or with nil of any.
    package func newestStop(of robot: RobotID?) -> StopOrder {
        let own = robot.map { places[$0].map { [pilots[$0]] } ?? [] } ?? pilots
        return own.reduce(everyOrder) { $1.stopOrder.number > $0.number ? $1.stopOrder : $0 }
    }

    /// The ids of the robots that are known by more than a stop's name, in order.
    package var knownNames: [String] {
        let named = files.keys.compactMap { $0 }
        return Set(named + pilots.filter(\.isKnown).map(\.robot.text)).sorted()
    }

    /// What is wrong with robots and does not keep them from moving. At most ``mostWarnings``, and how many more there are.
    package var warnings: [String] {
        let all = pilots.lazy.compactMap(\.warning)
        let first = Array(all.prefix(Self.mostWarnings))
        guard first.count == Self.mostWarnings else { return first }
        let others = all.count - first.count
        return others > 0
            ? first + ["\(others) more robots' time stamps do not fit their robot files"] : first
    }

    private static let mostWarnings = 8

    /// Releases every robot. Returns how many had been stopped.
    package mutating func resumeAll(now: MonotonicTime) -> Int {
        if everyRobot != nil { hasStopChanged = true }
        everyRobot = nil
        return pilots.indices.count { pilots[$0].resume(now: now) }
    }

    // MARK: What outlives the daemon

    /// Which robots are stopped.
    package var stops: Stops {
        var stops = Stops()
        stops.everyRobot = everyRobot
        for pilot in pilots {
            if pilot.mayMove {
                if everyRobot != nil { stops.released.insert(pilot.robot) }
            } else if let stop = pilot.stop {
                stops.robots[pilot.robot] = stop
            }
        }
        return stops
    }

    /// Whether another robot may be stopped, or released, than when this was asked last.
    package mutating func hasNewStops() -> Bool {
        let isNew = hasStopChanged || pilots.indices.contains { pilots[$0].hasStopChanged }
        guard isNew else { return false }
        hasStopChanged = false
        for place in pilots.indices { pilots[place].hasStopChanged = false }
        return true
    }

    /// Stops the robots that were stopped when the daemon ended.
    package mutating func restore(_ stops: Stops, now: MonotonicTime) {
        everyRobot = stops.everyRobot
        if everyRobot != nil { everyOrder = StopOrder(now: now) }
        for robot in stops.released { _ = add(newPilot(robot, now: now)) }
        for (robot, stop) in stops.robots {
            pilots[add(newPilot(robot, now: now))].restore(stop, now: now)
        }
    }

    /// Whether there are too many robots for another one.
    package func isFull(for robot: RobotID) -> Bool { places[robot] == nil && pilots.count >= 2 * mostRobots }

    /// Forgets the robots of which nothing else is kept, unless they are stopped or move: that must not be forgotten.
    package mutating func keep(_ isKept: (RobotID) -> Bool) {
        guard pilots.count > mostRobots else { return }
        let forgotten = pilots.filter { $0.mayBeForgotten && !isKept($0.robot) }
        guard !forgotten.isEmpty else { return }
        violationsOfForgotten += forgotten.reduce(0) { $0 + $1.limitViolations }
        // One that was released while every robot is stopped is stopped again when it is heard of again.
        if everyRobot != nil { hasStopChanged = true }
        for pilot in forgotten where pilot.stopOrder.number > everyOrder.number {
            everyOrder = pilot.stopOrder
        }
        pilots.removeAll { $0.mayBeForgotten && !isKept($0.robot) }
        places = Dictionary(
            uniqueKeysWithValues: pilots.indices.map { (pilots[$0].robot, $0) }
        )
    }

    /// When the next command is due; nil if no robot moves.
    package func nextTick(after now: MonotonicTime) -> MonotonicTime? {
        pilots.indices.lazy.compactMap { pilots[$0].nextTick(after: now) }.min()
    }

    /// Hands out the commands that are due, each as soon as it is computed.
    ///
    /// - Parameters:
    ///   - now: the monotonic clock, asked for each robot: limits hold by the time at which a command is sent.
    ///   - send: takes a command, and how its robot wants the keys of arrays packed.
    package mutating func sendCommands<Failure: Error>(
        now: () -> MonotonicTime,
        _ send: (RobotCommand, ArrayKeys) throws(Failure) -> Void
    ) throws(Failure) {
        for place in pilots.indices {
            if let command = pilots[place].tick(now: now()) {
                try send(command, pilots[place].arrayKeys)
            }
        }
    }

    /// The robots' part of a heartbeat. If there are more than `most`, those that are not idle come first.
    package func status(most: Int, now: MonotonicTime) -> [String: RobotStatus] {
        let told =
            pilots.count <= most
            ? pilots
            : Array(
                pilots.sorted {
                    ($0.state == .idle ? 1 : 0, $0.robot.text) < ($1.state == .idle ? 1 : 0, $1.robot.text)
                }
                .prefix(most)
            )
        return Dictionary(
            uniqueKeysWithValues: told.map { pilot in
                var status = pilot.status(now: now)
                if policies.count > 1 { status.policy = pilot.policy.map { policies[$0].name } }
                return (pilot.robot.text, status)
            }
        )
    }

    /// Commands and chunks that limits changed or held back, of every robot.
    package var limitViolations: UInt64 { pilots.reduce(violationsOfForgotten) { $0 + $1.limitViolations } }

    /// The robots whose state is another than when this was asked last, with what led to it.
    package mutating func stateChanges() -> [(robot: RobotID, state: RobotState, reason: String)] {
        pilots.indices.compactMap { place in
            pilots[place].stateChange().map { (pilots[place].robot, $0.state, $0.reason) }
        }
    }
}

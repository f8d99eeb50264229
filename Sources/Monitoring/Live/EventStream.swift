import Robotics

/// What one watcher is told, and when: server-sent events
/// (https://html.spec.whatwg.org/multipage/server-sent-events.html), each with one line of JSON. Does no I/O.
///
/// A watcher who is asked for events seldom gets fewer of them: each tells what is newest, and none is kept.
struct EventStream {
    /// The type of an event stream.
    static let contentType = "text/event-stream; charset=utf-8"
    /// Between two times at which a watcher is asked for events, in nanoseconds: 20 a second.
    static let periodNs: UInt64 = 50_000_000
    /// Between two events that tell the states of all robots, in nanoseconds.
    static let statusPeriodNs: UInt64 = 200_000_000
    /// After so long they are told again, also if the daemon sends no heartbeat, in nanoseconds.
    static let longestSilenceNs: UInt64 = 1_000_000_000
    /// Between two frames of a camera, in nanoseconds.
    static let framePeriodNs: UInt64 = 500_000_000

    /// The robot that is watched closely; nil if none is.
    let robot: RobotID?
    private let facts: LivePage.Robot?
    private let takesOrders: Bool
    /// What was told last.
    private var toldPolicies: [ServedPolicy] = []
    private var toldHello = false
    private var toldRobot = false
    private var statusAt: UInt64?
    private var heartbeat: UInt64?
    private var observations: UInt64 = 0
    private var chunks: UInt64 = 0
    private var commands: UInt64 = 0
    private var frames: [String: (number: UInt64, atNs: UInt64)] = [:]

    /// A watcher's stream.
    ///
    /// - Parameters:
    ///   - robot: the robot that is watched closely.
    ///   - facts: what is known of it.
    ///   - takesOrders: whether the page may give orders.
    init(robot: RobotID?, facts: LivePage.Robot?, takesOrders: Bool) {
        (self.robot, self.facts, self.takesOrders) = (robot, facts, takesOrders)
    }

    /// The events that are due; empty if nothing is new.
    ///
    /// - Parameters:
    ///   - entry: what is newest of the robot.
    ///   - nowNs: the monotonic clock, in nanoseconds.
    ///   - snapshot: the daemon; asked only if its state is due.
    mutating func due(
        _ entry: LiveBoard.Entry?,
        nowNs: UInt64,
        thumbnails: Thumbnails,
        snapshot: () -> DaemonSnapshot
    ) -> String {
        var events = ""
        if statusAt.map({ nowNs >= $0 + Self.statusPeriodNs }) ?? true {
            events += status(snapshot(), nowNs: nowNs)
        }
        guard let entry, toldHello else { return events }
        if !toldRobot {
            toldRobot = true
            events += Self.event("robot", LiveEvents.robot(robot, facts))
        }
        if entry.observations != observations, let observation = entry.observation {
            observations = entry.observations
            events += Self.event(
                "observation",
                LiveEvents.observation(observation, receivedNs: entry.receivedNs)
            )
        }
        if entry.chunks != chunks, let chunk = entry.chunk {
            let new = Int(min(entry.chunks - chunks, UInt64(entry.latencies.count)))
            chunks = entry.chunks
            events += Self.event("chunk", LiveEvents.chunk(chunk, latencies: entry.latencies.suffix(new)))
        }
        if entry.commands != commands, let command = entry.command {
            commands = entry.commands
            events += Self.event("command", LiveEvents.command(command))
        }
        return events + frames(of: entry.observation, nowNs: nowNs, thumbnails)
    }

    private mutating func status(_ snapshot: DaemonSnapshot, nowNs: UInt64) -> String {
        var events = ""
        // How far calibrations have come is told with the status.
        let policies = snapshot.policies.map { served in
            var served = served
            served.calibrationPercent = 100
            return served
        }
        if !toldHello || policies != toldPolicies {
            (toldHello, toldPolicies) = (true, policies)
            events += Self.event("hello", LiveEvents.hello(snapshot, takesOrders: takesOrders))
        }
        let isNew = snapshot.status?.monotonicNs != heartbeat
        let isSilent = statusAt.map { nowNs >= $0 + Self.longestSilenceNs } ?? true
        guard isNew || isSilent else { return events }
        (statusAt, heartbeat) = (nowNs, snapshot.status?.monotonicNs)
        return events + Self.event("status", LiveEvents.status(snapshot))
    }

    private mutating func frames(of observation: RobotObservation?, nowNs: UInt64, _ thumbnails: Thumbnails)
        -> String
    {
        guard let observation, !observation.frames.isEmpty else { return "" }
        var events = ""
        for (camera, frame) in observation.frames.sorted(by: { $0.key < $1.key }) {
            if let last = frames[camera],
                last.number == frame.number || nowNs < last.atNs + Self.framePeriodNs
            {
                continue
            }
            guard let picture = thumbnails.picture(of: frame, nowNs: nowNs) else { continue }
            frames[camera] = (frame.number, nowNs)
            events += Self.event("frame", LiveEvents.frame(camera, observation.sequence, picture))
        }
        return events
    }

    /// An event of a stream.
    private static func event(_ name: String, _ json: String) -> String {
        "event: \(name)\ndata: \(json)\n\n"
    }
}

import Clocks
import Policy
import Robotics

/// What is known of each robot, and what is to be planned next. No sockets and no clocks: the rules alone.
///
/// - Observations enter a robot's history in the order of their sequence numbers; a new episode id starts a fresh
///   history, padded with its first observation.
/// - Of the published observations of a robot that ask for a chunk, only the newest waits. Requests to predict wait one
///   and all, up to a bound.
/// - Robots take turns: each turn plans one chunk, or those of several robots together. Robots that get commands come first,
///   and a robot's own observation comes before predictions for it; see ``Turns``.
/// - A robot without commands takes turns with the predictions for it.
/// - Chunks are planned together only by one policy.
package struct Agenda {
    /// What became of an observation that was accepted.
    package enum Reception: Hashable {
        /// It entered the history.
        case new
        /// It was there already.
        case duplicate
    }

    /// How much is kept, and for whom.
    package struct Settings: Sendable, Hashable {
        /// The most robots whose history is kept; beyond, the one heard least recently is forgotten.
        package var maximumRobots: Int
        /// The most predictions that wait, less than `maximumRobots`.
        package var maximumWaitingPredictions: Int
        /// The seed that noise seeds are derived from.
        package var seed: UInt64
        /// How long a camera's newest frame stands in for those that observations leave out, in nanoseconds.
        package var frameHeldNs: UInt64
        /// The ids of robots that get commands.
        package var commandedRobots: Set<String>
        /// Whether every robot gets commands.
        package var isEveryRobotCommanded: Bool

        package init(
            maximumRobots: Int = 256,
            maximumWaitingPredictions: Int = 16,
            seed: UInt64 = 0,
            frameHeldNs: UInt64 = 500_000_000,
            commandedRobots: Set<String> = [],
            isEveryRobotCommanded: Bool = false
        ) {
            self.maximumRobots = maximumRobots
            self.maximumWaitingPredictions = maximumWaitingPredictions
            self.seed = seed
            self.frameHeldNs = frameHeldNs
            self.commandedRobots = commandedRobots
            self.isEveryRobotCommanded = isEveryRobotCommanded
        }
    }

    /// A camera of a robot.
    private struct Eye: Equatable {
        let robot: RobotID
        let camera: Int
    }

    private struct Robot {
        /// The index of its policy.
        var policy: Int
        var episode: EpisodeID
        var newestSequence: UInt64
        var history: ObservationHistory
        /// The newest frame of each camera in the episode, and when it came.
        var newestFrames: [String: (frame: CameraFrame, received: MonotonicTime)] = [:]
        var lastHeard: UInt64 = 0
        var heard = MonotonicTime(nanoseconds: 0)
        /// The episode before, whose late messages must not begin it again.
        var previousEpisode: EpisodeID?
        var waiting: PlanningJob?
        var predictions: [PlanningJob] = []
        /// The last turn was its observation's, so that a prediction is next.
        var isPredictionNext = false

        /// A frame that stands in for a later one keeps the time at which it came.
        mutating func noteFrames(of observation: RobotObservation, received: MonotonicTime) {
            for (camera, frame) in observation.frames where newestFrames[camera]?.frame.number != frame.number
            {
                newestFrames[camera] = (frame, received)
            }
        }
    }

    /// While an episode has been heard within so long, the one before does not begin again.
    private static let episodeHeldNs: UInt64 = 1_000_000_000

    /// Of each policy, what a robot's history begins as.
    private let emptyHistories: [ObservationHistory]
    private let settings: Settings
    private var robots: [RobotID: Robot] = [:]
    /// The robots that have something to plan.
    private var turns = Turns()
    private var heard: UInt64 = 0
    private var waitingPredictions = 0
    /// What is being planned, by robot, and whether anybody still wants it.
    private var inFlight: [RobotID: (job: PlanningJob, isWanted: Bool)] = [:]
    /// The cameras of robots whose newest frames could be encoded, in the order in which they came.
    private var toPrepare: [Eye] = []
    private var isPreparing = false
    /// Published observations that asked for a chunk and were overtaken by a newer one.
    package private(set) var superseded: UInt64 = 0

    /// An agenda that knows no robot.
    ///
    /// - Parameter emptyHistories: of each policy, what a robot's history begins as; at least one.
    package init(emptyHistories: [ObservationHistory], settings: Settings) {
        precondition(!emptyHistories.isEmpty, "no policy")
        precondition(
            settings.maximumRobots > settings.maximumWaitingPredictions,
            "maximumRobots is \(settings.maximumRobots), expected more than maximumWaitingPredictions"
        )
        self.emptyHistories = emptyHistories
        self.settings = settings
    }

    /// The number of robots whose history is kept.
    package var robotCount: Int { robots.count }

    /// The episode of a robot's newest observation; nil: its history is not kept.
    package func episode(of robot: RobotID) -> EpisodeID? { robots[robot]?.episode }

    /// Whether a robot's history is kept.
    package func knows(_ robot: RobotID) -> Bool { robots[robot] != nil }

    /// The observation, with the newest frame of each camera that it lacks: a camera may be slower than the others.
    ///
    /// - Parameter policy: the index of the robot's policy.
    /// - Throws: `MessageError` `stale` for a camera whose newest frame is older than the settings allow.
    package func completing(
        _ observation: RobotObservation,
        policy: Int = 0,
        received: MonotonicTime
    ) throws(MessageError) -> RobotObservation {
        guard let robot = robots[observation.robot], robot.episode == observation.episode else {
            return observation
        }
        var whole = observation
        for camera in emptyHistories[policy].cameras where whole.frames[camera.name] == nil {
            guard let last = robot.newestFrames[camera.name] else { continue }
            let age = received.elapsedNs(since: last.received)
            guard age <= settings.frameHeldNs else {
                throw MessageError(
                    .stale,
                    field: "observation.\(camera.name)",
                    "left out, and the newest frame is \(age / 1_000_000) ms old, "
                        + "expected at most \(settings.frameHeldNs / 1_000_000) ms"
                )
            }
            whole.frames[camera.name] = last.frame
        }
        return whole
    }

    /// Checks that an observation has exactly the features of the histories, each with its count of finite numbers, and their
    /// cameras, each with a frame of its size; and so have those before it. Pictures are not decoded.
    ///
    /// - Parameters:
    ///   - preceding: observations that enter the history before it, oldest first.
    ///   - policy: the index of the robot's policy.
    /// - Throws: `MessageError` that names the feature, what was found and what is expected.
    package func check(
        _ observation: RobotObservation,
        preceding: [Observation] = [],
        policy: Int = 0
    ) throws(MessageError) -> FittingObservation {
        try FittingObservation(
            observation,
            preceding: preceding,
            policy: policy,
            features: emptyHistories[policy].features,
            cameras: emptyHistories[policy].cameras
        )
    }

    /// Takes an observation into the history of its robot.
    ///
    /// - Parameters:
    ///   - fitting: one that ``check(_:preceding:policy:)`` returned.
    ///   - destination: where its chunk would go.
    ///   - received: when it had been read from its socket.
    /// - Throws: `MessageError` `stale`, and `busy` if too many predictions wait; the history is as before then.
    package mutating func receive(
        _ fitting: FittingObservation,
        for destination: PlanningJob.Destination,
        received: MonotonicTime
    ) throws(MessageError) -> Reception {
        if destination != .topic, waitingPredictions >= settings.maximumWaitingPredictions {
            throw MessageError(
                .busy,
                "\(waitingPredictions) predict requests wait already; at most that many are kept"
            )
        }
        return try enter(fitting, received: received)
    }

    /// Has a chunk planned for the observation that was received last.
    ///
    /// - Parameters:
    ///   - destination: where it is to go.
    ///   - committed: what the robot will carry out until the chunk is there; nil if nothing is known.
    ///   - received: when the observation had been read from its socket.
    ///   - queued: now.
    package mutating func ask(
        for observation: RobotObservation,
        destination: PlanningJob.Destination,
        committed: ActionRows?,
        received: MonotonicTime,
        queued: MonotonicTime
    ) {
        guard let robot = robots[observation.robot] else { return }
        let noiseSeed =
            observation.noiseSeed
            ?? NoiseSeed.derived(
                from: settings.seed,
                robot: observation.robot,
                episode: observation.episode,
                sequence: observation.sequence
            )
        add(
            PlanningJob(
                robot: observation.robot,
                policy: robot.policy,
                episode: observation.episode,
                sequence: observation.sequence,
                timeNs: observation.timeNs,
                history: robot.history,
                noiseSeed: noiseSeed,
                frozen: committed?.values ?? [],
                destination: destination,
                arrayKeys: observation.arrayKeys ?? .binary,
                received: received,
                queued: queued
            )
        )
    }

    /// The next chunks to plan together, or the next one, unless some are being planned. At most one for each robot, and all by one
    /// policy.
    ///
    /// - Parameter groupSize: of so many that wait for a policy, which it gets the index of, how many to plan together.
    package mutating func next(
        groupSize: (_ policy: Int, _ waiting: Int) -> Int = { _, _ in 1 }
    ) -> [PlanningJob] {
        guard inFlight.isEmpty, !isPreparing, let line = turns.nextLine() else { return [] }
        let policy = turns.first(line).flatMap { robots[$0]?.policy } ?? 0
        let waiting = turns.countAtHead(of: line) { robots[$0]?.policy == policy }
        let count = groupSize(policy, waiting)
        var jobs: [PlanningJob] = []
        repeat {
            guard let job = takeTurn(in: line) else { break }
            jobs.append(job)
            inFlight[job.robot] = (job, true)
        } while jobs.count < count
            && turns.first(line).map { inFlight[$0] == nil && robots[$0]?.policy == policy } ?? false
        // Those that still wait need their part of the time as well.
        let groups = 1 + (turns.count(waitingFor: line) + jobs.count - 1) / max(jobs.count, 1)
        return jobs.map { job in
            var job = job
            job.groupsWaiting = groups - 1
            return job
        }
    }

    /// Has a robot's newest frames encoded when there is nothing to plan, for the chunks of observations that follow.
    package mutating func askForPreparation(of robot: RobotID) {
        guard let history = robots[robot]?.history, history.nObsSteps > 1 else { return }
        for camera in history.cameras.indices {
            let eye = Eye(robot: robot, camera: camera)
            if !toPrepare.contains(eye) { toPrepare.append(eye) }
        }
    }

    /// The next frame to encode, unless there is something to plan or to wait for. One at a time: a chunk that is asked for
    /// meanwhile waits for it.
    package mutating func nextPreparation() -> PreparationJob? {
        guard inFlight.isEmpty, !isPreparing, turns.nextLine() == nil else { return nil }
        while !toPrepare.isEmpty {
            let eye = toPrepare.removeFirst()
            // The robot may have another policy by now, with fewer cameras.
            guard let robot = robots[eye.robot], robot.history.cameras.indices.contains(eye.camera)
            else { continue }
            isPreparing = true
            return PreparationJob(
                robot: eye.robot,
                policy: robot.policy,
                episode: robot.episode,
                history: robot.history,
                camera: eye.camera
            )
        }
        return nil
    }

    /// Notes that a preparation has ended.
    package mutating func finishPreparation() { isPreparing = false }

    /// Whether a robot gets commands.
    private func isCommanded(_ robot: RobotID) -> Bool {
        settings.isEveryRobotCommanded || settings.commandedRobots.contains(robot.text)
    }

    /// Where a robot waits whose observation asks for a chunk.
    private func line(of robot: RobotID) -> Turns.Line { isCommanded(robot) ? .commanded : .others }

    private mutating func takeTurn(in line: Turns.Line) -> PlanningJob? {
        guard let id = turns.takeFirst(line), var robot = robots[id] else { return nil }
        let observationLine = self.line(of: id)
        let mayObserve = line == observationLine && robot.waiting != nil
        let mayPredict = line == .others && !robot.predictions.isEmpty
        let job: PlanningJob?
        if mayPredict, !mayObserve || robot.isPredictionNext {
            job = robot.predictions.removeFirst()
            waitingPredictions -= 1
            robot.isPredictionNext = false
        } else {
            job = robot.waiting
            robot.waiting = nil
            robot.isPredictionNext = line == .others
        }
        if robot.waiting != nil { turns.add(id, to: observationLine) }
        if !robot.predictions.isEmpty { turns.add(id, to: .others) }
        robots[id] = robot
        return job
    }

    /// Notes that what is planned for a job is answered already. Returns whether anybody still wanted it.
    package mutating func answer(_ job: PlanningJob) -> Bool {
        defer { inFlight[job.robot]?.isWanted = false }
        return inFlight[job.robot]?.isWanted ?? false
    }

    /// Notes that a chunk is there, or will not be. Returns whether anybody still wants it.
    package mutating func finish(_ job: PlanningJob) -> Bool {
        inFlight.removeValue(forKey: job.robot)?.isWanted ?? false
    }

    /// Forgets a robot, what waits for it and what is in flight for it; with an episode, only if that is its episode.
    /// Returns nil if there was nothing to forget, else the jobs that will not be planned, or planned in vain.
    package mutating func reset(_ id: RobotID, episode: EpisodeID?) -> [PlanningJob]? {
        guard let robot = robots[id], episode == nil || episode == robot.episode else { return nil }
        var dropped = robot.predictions
        waitingPredictions -= dropped.count
        forget(id)
        if let planned = inFlight[id], planned.isWanted {
            inFlight[id]?.isWanted = false
            dropped.append(planned.job)
        }
        return dropped
    }

    /// The predictions that wait or are in flight, for the end of the daemon.
    package var unansweredPredictions: [PlanningJob] {
        let waiting = robots.values.flatMap(\.predictions)
        return waiting + inFlight.values.filter { $0.isWanted && $0.job.destination != .topic }.map(\.job)
    }

    private mutating func enter(
        _ fitting: FittingObservation,
        received: MonotonicTime
    ) throws(MessageError) -> Reception {
        heard += 1
        let observation = fitting.observation
        let id = observation.robot
        if var robot = robots[id], robot.episode == observation.episode, robot.policy == fitting.policy {
            robot.lastHeard = heard
            robot.heard = received
            defer { robots[id] = robot }
            if observation.sequence == robot.newestSequence { return .duplicate }
            guard observation.sequence > robot.newestSequence else {
                throw MessageError(
                    .stale,
                    field: "sequence",
                    "found \(observation.sequence), expected at least \(robot.newestSequence) in episode \(robot.episode)"
                )
            }
            robot.history.append(fitting)
            robot.noteFrames(of: observation, received: received)
            robot.newestSequence = observation.sequence
            return .new
        }

        if let robot = robots[id], robot.previousEpisode == observation.episode,
            received.elapsedNs(since: robot.heard) < Self.episodeHeldNs
        {
            throw MessageError(
                .stale,
                field: "episode",
                "found \(observation.episode), which ended when episode \(robot.episode) began; "
                    + "expected that to have been silent for \(Self.episodeHeldNs / 1_000_000) ms"
            )
        }
        var history = emptyHistories[fitting.policy]
        history.append(fitting)
        if robots[id] == nil, robots.count >= settings.maximumRobots {
            try forgetLeastRecent(now: received)
        }
        var robot =
            robots[id]
            ?? Robot(
                policy: fitting.policy,
                episode: observation.episode,
                newestSequence: observation.sequence,
                history: history
            )
        if robot.waiting != nil {
            robot.waiting = nil
            superseded += 1
            let line = line(of: id)
            if line == .commanded || robot.predictions.isEmpty { turns.remove(id, from: line) }
        }
        if robot.episode != observation.episode { robot.previousEpisode = robot.episode }
        robot.policy = fitting.policy
        robot.episode = observation.episode
        robot.newestSequence = observation.sequence
        robot.history = history
        robot.newestFrames = [:]
        robot.noteFrames(of: observation, received: received)
        robot.lastHeard = heard
        robot.heard = received
        robots[id] = robot
        return .new
    }

    private mutating func add(_ job: PlanningJob) {
        guard var robot = robots[job.robot] else { return }
        switch job.destination {
        case .client, .gr00t, .openPI:
            robot.predictions.append(job)
            waitingPredictions += 1
            turns.add(job.robot, to: .others)
        case .topic:
            // The chunk in flight will answer a repeat as well.
            if let planned = inFlight[job.robot], planned.isWanted, job.isRepeat(of: planned.job) { return }
            if let waiting = robot.waiting {
                // A repeat keeps the times of the message that came first.
                if job.isRepeat(of: waiting) { return }
                superseded += 1
            }
            robot.waiting = job
            turns.add(job.robot, to: line(of: job.robot))
        }
        robots[job.robot] = robot
    }

    private mutating func forgetLeastRecent(now: MonotonicTime) throws(MessageError) {
        // Robots with waiting predictions stay: there are fewer of those than robots, so one without is always found.
        let candidates = robots.filter { $0.value.predictions.isEmpty }
        guard let oldest = candidates.min(by: { $0.value.lastHeard < $1.value.lastHeard }) else { return }
        // A sender that makes up robots must not push out those that are at work.
        guard now.elapsedNs(since: oldest.value.heard) >= Self.episodeHeldNs else {
            throw MessageError(
                .busy,
                field: "robot",
                "\(robots.count) robots are at work, which is as many as the daemon keeps"
            )
        }
        forget(oldest.key)
    }

    private mutating func forget(_ id: RobotID) {
        robots[id] = nil
        turns.remove(id, from: .commanded)
        turns.remove(id, from: .others)
    }
}

extension ObservationHistory {
    /// Adds an observation and those before it.
    fileprivate mutating func append(_ fitting: FittingObservation) {
        for values in fitting.preceding { append(values) }
        append(fitting.values)
    }
}

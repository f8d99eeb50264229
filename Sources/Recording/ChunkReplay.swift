import Clocks
import Planning
import Robotics

/// Computes the chunks of a recording again: its observations enter an `Agenda` as they did, and a planner plans each
/// chunk that was sent, from the history that its observation met then.
///
/// One chunk is planned at a time and in the order in which they were sent, which is the daemon's, so that a planner that
/// starts warm finds the same last chunks. A chunk that was planned together with others' is planned together with itself: by
/// the same method, in a batch of another size, so that its last bits may differ.
public struct ChunkReplay<Planner: ChunkPlanner> {
    /// What came of it so far.
    public private(set) var report = ReplayReport()

    /// A policy that plans again.
    private struct Part {
        var planner: Planner
        /// How its chunk before was sampled; nil: there was none.
        var sampling: RecordedEvent.RecordedChunk.Sampling?
        /// How far a chunk that was planned together with others' may lie from the one computed again.
        var groupTolerance: Float

        init(_ planner: Planner) {
            self.planner = planner
            groupTolerance = ReplayReport.groupTolerance(of: planner.sampler)
        }
    }

    /// One for each policy.
    private var parts: [Part]
    private let makePlanner: ((Int, RecordedEvent.RecordedChunk.Sampling) throws -> Planner)?
    private let startsWarm: Bool
    private let tellsWarmChunks: Bool
    private var agenda: Agenda
    private var robots: [RobotID: Robot] = [:]
    private var frames: ReplayedFrames
    /// Gaps so far.
    private var gaps = 0

    private struct Robot {
        /// The index of the policy that it named; nil: it has named none.
        var policy: Int?
        /// Of the last gap that the robot's history has forgotten.
        var clearedGaps = 0
        var observationsSinceGap = 0
        /// Of the last gap that those were counted from.
        var seenGaps = 0
        /// The jobs that chunks may still come for, oldest first.
        private(set) var jobs: [Candidate] = []
        /// Bytes of the frames that came with `jobs`.
        private var frameBytes = 0
        /// With a warm start: the episode in which the robot's last chunk is not known.
        var unknownLastChunk: EpisodeID?

        /// Adds a job. If there are too many, the older half is forgotten.
        mutating func add(_ candidate: Candidate) {
            jobs.append(candidate)
            frameBytes += candidate.frameBytes
            if jobs.count > maximumCandidates || frameBytes > maximumFrameBytes { forgetJobs(jobs.count / 2) }
        }

        /// Forgets the oldest jobs.
        mutating func forgetJobs(_ count: Int) {
            guard count > 0 else { return }
            for candidate in jobs.prefix(count) { frameBytes -= candidate.frameBytes }
            jobs = Array(jobs.dropFirst(count))
        }
    }

    private struct Candidate {
        let job: PlanningJob
        let isWhole: Bool
        /// Bytes of the frames that came with its observation.
        let frameBytes: Int
    }

    /// More than any robot can have asked for while one chunk was planned.
    private static var maximumCandidates: Int { 4096 }
    /// More than a second of four cameras that send 640x480 pixels at 30 Hz, as PNG.
    private static var maximumFrameBytes: Int { 128 << 20 }

    /// A replay from the beginning.
    ///
    /// - Parameters:
    ///   - planners: plan the chunks again, one for each policy of the recording, in that order. Of several each has the name of its
    ///     policy.
    ///   - seed: the one that noise seeds are derived from.
    ///   - startsWarm: whether the planners start a chunk from the robot's last one.
    ///   - tellsWarmChunks: whether each chunk that does so says it, by its quality. One that does not needs no chunk before it.
    ///   - makePlanner: makes the planner of a policy, by its index, for chunks that were sampled in another way than that of `planners`
    ///     samples: a daemon that calibrates itself samples one step after the other first. Nil: `planners` plan every chunk.
    public init(
        planners: [Planner],
        seed: UInt64,
        startsWarm: Bool,
        tellsWarmChunks: Bool = false,
        makePlanner: ((Int, RecordedEvent.RecordedChunk.Sampling) throws -> Planner)? = nil
    ) {
        parts = planners.map { Part($0) }
        self.makePlanner = makePlanner
        self.startsWarm = startsWarm
        self.tellsWarmChunks = tellsWarmChunks
        frames = ReplayedFrames(cameras: planners.flatMap(\.policy.cameras))
        agenda = Agenda(
            emptyHistories: planners.map { $0.makeHistory() },
            settings: Agenda.Settings(seed: seed)
        )
    }

    /// Takes the recording's next event.
    ///
    /// - Throws: `MessageError` for an observation that does not fit the policy, and what the planner throws.
    public mutating func take(_ event: RecordedEvent) throws {
        switch event {
        case .session: break
        case .gap(let lost):
            gaps += 1
            report.lost += lost
            for robot in robots.keys {
                forgetLastChunk(of: robot)
                // It may have named another one.
                robots[robot]?.policy = nil
            }
        case .frame(let frame):
            report.frames += 1
            frames.add(frame)
        case .observation(var observation, var preceding, let numbers, let receivedNs):
            observation.frames = frames.frames(numbers.own)
            for (index, numbers) in zip(preceding.indices, numbers.preceding) {
                preceding[index].frames = frames.frames(numbers)
            }
            try take(observation, preceding: preceding, receivedNs: receivedNs)
        case .chunk(let chunk): try take(chunk)
        case .reset(let robot, let policy):
            _ = agenda.reset(robot, episode: nil)
            robots[robot]?.forgetJobs(.max)
            robots[robot, default: Robot()].policy = policy.flatMap(index)
        case .unsent(let robot, let episode):
            if startsWarm { robots[robot, default: Robot()].unknownLastChunk = episode }
        }
    }

    private func index(ofPolicy name: String) -> Int? {
        parts.firstIndex { $0.planner.policy.name == name }
    }

    private mutating func take(
        _ observation: RobotObservation,
        preceding: [Observation],
        receivedNs: UInt64
    ) throws(MessageError) {
        report.observations += 1
        let received = MonotonicTime(nanoseconds: receivedNs)
        var robot = robots[observation.robot] ?? Robot()
        // Of several policies it is not known after a gap, which may have held the reset that named it, until a chunk tells it.
        guard let index = robot.policy ?? (parts.count == 1 ? 0 : nil) else { return }
        let fitting = try agenda.check(observation, preceding: preceding, policy: index)
        let reception: Agenda.Reception
        do throws(MessageError) {
            reception = try agenda.receive(
                fitting,
                for: .topic,
                received: received
            )
        } catch {
            // Only after a gap, which may have held what made it acceptable.
            return
        }
        // Whatever it asked for, the recorded chunks say what was planned.
        agenda.ask(
            for: observation,
            destination: .topic,
            committed: observation.committed,
            received: received,
            queued: received
        )
        guard let job = agenda.next().first else { return }
        _ = agenda.finish(job)

        if robot.seenGaps != gaps {
            robot.seenGaps = gaps
            robot.observationsSinceGap = 0
        }
        if reception == .new { robot.observationsSinceGap += 1 }
        if robot.observationsSinceGap >= parts[index].planner.policy.nObsSteps {
            robot.clearedGaps = robot.seenGaps
        }
        robot.add(
            Candidate(
                job: job,
                isWhole: robot.clearedGaps == gaps,
                frameBytes: preceding.reduce(observation.observed.frameBytes) { $0 + $1.frameBytes }
            )
        )
        robots[observation.robot] = robot
    }

    private mutating func take(_ chunk: RecordedEvent.RecordedChunk) throws {
        report.chunks += 1
        if let policy = chunk.policy, robots[chunk.robot]?.policy == nil {
            robots[chunk.robot, default: Robot()].policy = index(ofPolicy: policy)
        }
        guard var robot = robots[chunk.robot],
            let candidate = robot.jobs.last(where: { $0.job.isAnswered(by: chunk, sameNoise: true) })
                ?? robot.jobs.last(where: { $0.job.isAnswered(by: chunk, sameNoise: false) })
        else { return skip(chunk, .noObservation) }
        // Chunks come in the order of their observations, but for the few requests that wait side by side.
        if let index = robot.jobs.firstIndex(where: { $0.job.isAnswered(by: chunk, sameNoise: false) }) {
            robot.forgetJobs(max(0, index - 64))
        }
        robots[chunk.robot] = robot
        guard chunk.quality != .coarse else { return skip(chunk, .coarse) }
        guard candidate.isWhole else { return skip(chunk, .gap) }
        if let obstacle = frames.obstacle(of: candidate.job.history) { return skip(chunk, obstacle) }
        let index = candidate.job.policy
        try takePlanner(of: index, for: chunk)
        if robots[chunk.robot]?.unknownLastChunk == chunk.episode {
            guard tellsWarmChunks, chunk.quality != .warm else { return skip(chunk, .warmStart) }
            robots[chunk.robot]?.unknownLastChunk = nil
        }
        let request = request(candidate.job, for: chunk)
        guard chunk.isGrouped else {
            let planned = try parts[index].planner.plan(request)
            report.compare(planned.actions + planned.beyond, with: chunk)
            return
        }
        let identical = report.identical
        let planned = try parts[index].planner.plan(together: [request, request])[0].get()
        report.compare(planned.actions + planned.beyond, with: chunk) { [part = parts[index]] in
            part.planner.deviation(of: $0, from: $1) <= part.groupTolerance
        }
        // What starts warm from one that differs may differ as well.
        if startsWarm, report.identical == identical { robots[chunk.robot]?.unknownLastChunk = chunk.episode }
    }

    /// Replaces a policy's planner if the chunk was sampled in another way than the one before. What robots start warm from is not
    /// known to the new one.
    private mutating func takePlanner(of index: Int, for chunk: RecordedEvent.RecordedChunk) throws {
        guard let makePlanner, let wanted = chunk.sampling, wanted != parts[index].sampling else { return }
        let isFirst = parts[index].sampling == nil
        parts[index].sampling = wanted
        let own = RecordedEvent.RecordedChunk.Sampling(parts[index].planner.sampler)
        if isFirst, wanted == own { return }
        parts[index] = Part(try makePlanner(index, wanted))
        parts[index].sampling = wanted
        guard !isFirst else { return }
        for (id, robot) in robots where parts.count == 1 || robot.policy == index { forgetLastChunk(of: id) }
    }

    /// What the planner was asked for: what the observation says from its job, the rest as the chunk says it was.
    private func request(
        _ job: PlanningJob,
        for chunk: RecordedEvent.RecordedChunk
    ) -> PlanningRequest {
        PlanningRequest(
            robot: job.robot,
            episode: job.episode,
            sequence: job.sequence,
            history: job.history,
            noiseSeed: job.noiseSeed,
            frozen: chunk.frozen
        )
    }

    private mutating func skip(_ chunk: RecordedEvent.RecordedChunk, _ obstacle: ReplayReport.Obstacle) {
        report.count(obstacle)
        if startsWarm { robots[chunk.robot, default: Robot()].unknownLastChunk = chunk.episode }
    }

    private mutating func forgetLastChunk(of id: RobotID) {
        guard startsWarm, let job = robots[id]?.jobs.last?.job else { return }
        robots[id]?.unknownLastChunk = job.episode
    }
}

extension RecordedEvent.RecordedChunk.Sampling {
    /// As a planner samples.
    fileprivate init(_ sampler: SamplerDescription) {
        self.init(method: sampler.method, window: sampler.window, tolerance: sampler.tolerance)
    }
}

extension PlanningJob {
    /// Whether the chunk was planned from this job's observation.
    ///
    /// - Parameter sameNoise: and with its noise, as it is unless another seed was asked for.
    fileprivate func isAnswered(by chunk: RecordedEvent.RecordedChunk, sameNoise: Bool) -> Bool {
        episode == chunk.episode && sequence == chunk.sequence
            && (!sameNoise || noiseSeed == chunk.noiseSeed)
    }
}

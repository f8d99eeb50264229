import Clocks
import Gr00t
import Logging
import Piloting
import Planning
import Recording
import Robotics
import Transport
import Wire

/// Hands the planner its work, and delivers the chunks that come from it.
final class ChunkOutlet {
    private let socket: ZeroMQSocket
    private let mailbox: PlannerMailbox
    private let policies: ServedPolicies
    private let budgetNs: UInt64?
    private let robots: Robots
    private let replies: Replies
    private let telemetry: Telemetry
    private let rejections: Rejections
    private let tap: (any MessageTap)?
    private var watchdog: Watchdog?
    private var interim: InterimWatch?

    /// - Parameter socket: where chunks are published.
    init(socket: ZeroMQSocket, mailbox: PlannerMailbox, context: LoopContext) {
        self.socket = socket
        self.mailbox = mailbox
        policies = context.policies
        robots = context.robots
        replies = context.replies
        telemetry = context.telemetry
        rejections = context.rejections
        budgetNs = context.configuration.budgetNs
        watchdog = context.configuration.watchdog
        tap = context.configuration.tap
    }

    /// Reports to the service manager, unless the planner hangs.
    func beat() { watchdog?.beat(now: .now()) }

    /// When the next report, or a chunk whose time is up, is due, by the monotonic clock.
    func nextTurn(now: MonotonicTime) -> MonotonicTime? {
        guard let beat = watchdog?.nextBeat(now: now) else { return interim?.due }
        return min(beat, interim?.due ?? beat)
    }

    /// Gives the planner the next chunks to plan, if it is at none.
    func dispatch() {
        let jobs = robots.agenda.next { policy, waiting in
            guard waiting > 1 else { return 1 }
            return mailbox.tunings[policy].grouping?.size(waiting: waiting, budgetNs: budgetNs) ?? 1
        }
        let now = MonotonicTime.now()
        guard !jobs.isEmpty else {
            guard let preparation = robots.agenda.nextPreparation() else { return }
            watchdog?.planningBegan(now: now)
            mailbox.put(preparation)
            return
        }
        watchdog?.planningBegan(now: now)
        if let budgetNs, policies[jobs[0].policy].interim != nil, jobs.count == 1 {
            interim = InterimWatch(job: jobs[0], dispatched: now, budgetNs: budgetNs)
        }
        mailbox.put(jobs)
    }

    /// Delivers what has come from the planner.
    ///
    /// - Parameter betweenChunks: called after each, because commands must not wait for several.
    func deliverOutcomes(betweenChunks: () throws(ZeroMQError) -> Void) throws(ZeroMQError) {
        for outcome in mailbox.takeOutcomes() {
            try deliver(outcome)
            try betweenChunks()
        }
        if let outcome = mailbox.takePreparationOutcome() {
            watchdog?.planningEnded(now: .now())
            robots.agenda.finishPreparation()
            if let frame = outcome.badFrame { reject([frame], of: outcome.job.robot, outcome.job.episode) }
        }
    }

    private func deliver(_ outcome: PlanningOutcome) throws(ZeroMQError) {
        let job = outcome.job
        watchdog?.planningEnded(now: .now())
        let isAnswered = interim?.isAnswered ?? false
        interim = nil
        guard robots.agenda.finish(job) else {
            if !isAnswered { tap?.take(TappedMessage(.unsent(job.robot, job.episode))) }
            return
        }
        try send(outcome)
    }

    /// Delivers what the planner has of a chunk whose time is up, because it has stalled in what was to be its last pass. Its
    /// `StallWatch` says so, unless all of its threads are stopped; then the clock does.
    func deliverInterim() throws(ZeroMQError) {
        let hasStalled = mailbox.stallWatch.takeReport()
        guard let watch = interim, let due = watch.due else { return }
        let now = MonotonicTime.now()
        guard hasStalled || now >= due else { return }
        interim?.due = nil
        // A chunk that has become ready since is sent as it is.
        let facts = policies[watch.job.policy]
        guard var chunk = facts.interim?.claim(frozen: watch.job.frozen) else { return }
        guard case .success = PlannerThread.check(chunk, policy: facts.policy),
            robots.agenda.answer(watch.job)
        else { return }
        interim?.isAnswered = true
        chunk.sampleNs = now.elapsedNs(since: watch.dispatched)
        try send(PlanningOutcome(job: watch.job, result: .success(chunk), started: watch.dispatched))
    }

    private func send(_ outcome: PlanningOutcome) throws(ZeroMQError) {
        let planned: PlannedChunk
        do throws(PlanningFailure) {
            planned = try outcome.result.get()
        } catch {
            return try report(error, of: outcome.job)
        }
        let job = outcome.job
        reject(planned.badFrames, of: job.robot, job.episode)
        var chunk = RobotChunk(job: job, planned: planned, policy: policies[job.policy].policy)
        if policies.standard == nil { chunk.policy = policies[job.policy].policy.name }
        let sampled = chunk
        do throws(MessageError) {
            let now = MonotonicTime.now()
            try robots.pilots[job.robot, now: now].receive(
                &chunk,
                isCarriedOut: job.destination == .topic,
                now: now
            )
        } catch {
            return try withhold(job, because: error)
        }
        try pack(&chunk, for: job) { timing in
            timing.complete(job: job, started: outcome.started, planned: planned)
        }
        tap?.take(
            TappedMessage(
                .chunk(
                    chunk,
                    sampled: sampled,
                    isPrediction: job.destination != .topic,
                    isGrouped: planned.isGrouped
                )
            )
        )
    }

    /// Packs a chunk and sends it. Counts it before: whoever has the chunk finds it in the statistics.
    private func pack(
        _ chunk: inout RobotChunk,
        for job: PlanningJob,
        finish: (inout RobotChunk.Timing) -> Void
    ) throws(ZeroMQError) {
        switch job.destination {
        case .topic:
            let message = [
                job.robot.chunkTopic, chunk.encode(arrayKeys: job.arrayKeys, finish: finish),
            ]
            record(chunk, as: \.chunks)
            try socket.send(message)
        case .client(let route, let number):
            let packed = chunk.encode(request: number, arrayKeys: job.arrayKeys, finish: finish)
            record(chunk, as: \.predictions)
            try replies.requests.send(route + [packed])
        case .gr00t(let route, let formCode):
            guard let gr00t = replies.gr00t else { return }
            let packed = gr00t.encode(&chunk, form: .init(code: formCode), finish: finish)
            record(chunk, as: \.predictions)
            try gr00t.socket.send(route + [packed])
        case .openPI(let client):
            guard let openPI = replies.openPI else { return }
            let packed = openPI.encode(&chunk, for: client, finish: finish)
            record(chunk, as: \.predictions)
            openPI.answer(client, packed)
        }
    }

    private func report(_ failure: PlanningFailure, of job: PlanningJob) throws(ZeroMQError) {
        switch failure {
        case .policy(let reason): try report(reason, of: job)
        case .badFrame(let frame):
            // The robot's observation was to blame, not the policy.
            tap?.take(TappedMessage(.unsent(job.robot, job.episode)))
            reject([frame], of: job.robot, job.episode)
            try replies.send(.error(ErrorMessage(MessageError(frame))), to: job.destination)
        }
    }

    /// Counts and logs frames that turned out to be none, as a refused observation's.
    private func reject(_ frames: [BadFrame], of robot: RobotID, _ episode: EpisodeID) {
        for frame in frames {
            rejections.reject(MessageError(frame), from: "frames of \(robot) in episode \(episode)")
        }
    }

    private func report(_ reason: String, of job: PlanningJob) throws(ZeroMQError) {
        let error = MessageError(.planner, reason)
        telemetry.count { $0.plannerErrors += 1 }
        let now = MonotonicTime.now()
        robots.pilots[job.robot, now: now].policyFailed(reason, now: now)
        rejections.log(
            error,
            "no chunk for observation \(job.sequence) of episode \(job.episode) of \(job.robot)"
        )
        try replies.send(.error(ErrorMessage(error)), to: job.destination)
    }

    private func withhold(_ job: PlanningJob, because error: MessageError) throws(ZeroMQError) {
        tap?.take(TappedMessage(.unsent(job.robot, job.episode)))
        rejections.log(
            error,
            "withheld the chunk for observation \(job.sequence) of episode \(job.episode)"
        )
        try replies.send(.error(ErrorMessage(error)), to: job.destination)
    }

    private func record(_ chunk: RobotChunk, as kind: WritableKeyPath<DaemonStatistics, UInt64>) {
        let isLate = budgetNs.map { chunk.timing.stages.total > $0 } ?? false
        telemetry.record(chunk.timing.stages) { statistics in
            statistics[keyPath: kind] += 1
            if isLate { statistics.lateChunks += 1 }
            if chunk.sampling.coarseSteps > 0 { statistics.coarseChunks += 1 }
            if chunk.sampling.quality == .warm { statistics.warmChunks += 1 }
        }
    }
}

/// The job that the planner is at, and when what there is of it is to be sent.
private struct InterimWatch {
    let job: PlanningJob
    let dispatched: MonotonicTime
    /// By the monotonic clock; nil once it has come.
    var due: MonotonicTime?
    /// The chunk has been sent as far as it was.
    var isAnswered = false

    /// What the chunk still takes to its socket, several times over; the planner is to be done earlier by as much again.
    private static let deliveryNs: UInt64 = 500_000

    init(job: PlanningJob, dispatched: MonotonicTime, budgetNs: UInt64) {
        self.job = job
        self.dispatched = dispatched
        due = job.received.advanced(byNanoseconds: budgetNs - min(budgetNs, Self.deliveryNs))
    }
}

extension RobotChunk {
    fileprivate init(job: PlanningJob, planned: PlannedChunk, policy: PolicyDescription) {
        self.init(
            robot: job.robot,
            episode: job.episode,
            sequence: job.sequence,
            timeNs: job.timeNs,
            firstStep: job.sequence,
            actions: planned.actions,
            actionSteps: policy.nActionSteps,
            actionDim: policy.actionDim,
            beyond: planned.beyond,
            frozen: planned.frozen,
            noiseSeed: job.noiseSeed,
            sampling: planned.sampling,
            timing: Timing(receivedNs: job.received.unsignedNs)
        )
    }
}

extension RobotChunk.Timing {
    /// Fills in the stages, now that the chunk is packed.
    fileprivate mutating func complete(job: PlanningJob, started: MonotonicTime, planned: PlannedChunk) {
        let published = MonotonicTime.now()
        publishedNs = published.unsignedNs
        wallNs = Clock.wallNs()
        let sinceStart = published.elapsedNs(since: started)
        let sampling = (planned.visionNs ?? 0) + planned.conditionNs + planned.sampleNs
        stages = RobotChunk.Stages(
            decode: job.queued.elapsedNs(since: job.received),
            queue: started.elapsedNs(since: job.queued),
            vision: planned.visionNs,
            condition: planned.conditionNs,
            sample: planned.sampleNs,
            encode: sinceStart > sampling ? sinceStart - sampling : 0,
            total: published.elapsedNs(since: job.received)
        )
    }
}

extension MessageError {
    /// What a robot is told of a frame that cannot be decoded.
    fileprivate init(_ frame: BadFrame) {
        self.init(.badImage, field: "observation.\(frame.camera)", frame.reason)
    }
}

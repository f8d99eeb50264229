import Logging
import Planning
import Recording
import Robotics
import Transport
import Wire

/// What goes to the planner, and what comes from it.
extension SocketLoop {
    func dispatch() {
        let jobs = agenda.next { planner.grouping?.size(waiting: $0, budgetNs: budgetNs) ?? 1 }
        guard !jobs.isEmpty else { return }
        let nowNs = Clock.monotonicNs()
        watchdog?.planningBegan(nowNs: nowNs)
        if let budgetNs, planner.interim != nil, jobs.count == 1 {
            interim = InterimWatch(job: jobs[0], dispatchedNs: nowNs, budgetNs: budgetNs)
        }
        mailbox.put(jobs)
    }

    /// Delivers what comes from the planner.
    func deliver(_ outcome: PlanningOutcome) throws(ZeroMQError) {
        let job = outcome.job
        watchdog?.planningEnded(nowNs: Clock.monotonicNs())
        let isAnswered = interim?.isAnswered ?? false
        interim = nil
        guard agenda.finish(job) else {
            if !isAnswered { tap?.take(TappedMessage(.unsent(job.robot, job.episode))) }
            return
        }
        try send(outcome)
    }

    /// Delivers what the planner has of a chunk whose time is up: the planner is held up in what was to be its last pass. It says
    /// so itself, unless all of its threads are stopped.
    func deliverInterim() throws(ZeroMQError) {
        let isHeldUp = mailbox.takeHeldUp()
        guard let watch = interim, let dueNs = watch.dueNs else { return }
        let nowNs = Clock.monotonicNs()
        guard isHeldUp || nowNs >= dueNs else { return }
        interim?.dueNs = nil
        // A chunk that has become ready since is sent as it is.
        guard var chunk = planner.interim?.claim(frozen: watch.job.frozen) else { return }
        guard case .success = PlannerThread.check(chunk, policy: planner.policy), agenda.answer(watch.job)
        else {
            return
        }
        interim?.isAnswered = true
        chunk.sampleNs = nowNs - watch.dispatchedNs
        try send(PlanningOutcome(job: watch.job, result: .success(chunk), startedNs: watch.dispatchedNs))
    }

    private func send(_ outcome: PlanningOutcome) throws(ZeroMQError) {
        let job = outcome.job
        let planned: PlannedChunk
        do throws(PlanningFailure) {
            planned = try outcome.result.get()
        } catch {
            let failure = MessageError(.planner, error.reason)
            telemetry.count { $0.plannerErrors += 1 }
            let nowNs = Clock.monotonicNs()
            pilots[job.robot, nowNs: nowNs].policyFailed(error.reason, nowNs: nowNs)
            log(failure, "no chunk for observation \(job.sequence) of episode \(job.episode) of \(job.robot)")
            try reply(.error(ErrorMessage(failure)), to: job.destination)
            return
        }
        var chunk = RobotChunk(job: job, planned: planned, policy: planner.policy)
        let sampled = chunk
        do throws(MessageError) {
            try pilot(&chunk, isCarriedOut: job.destination == .topic)
        } catch {
            tap?.take(TappedMessage(.unsent(job.robot, job.episode)))
            log(error, "withheld the chunk for observation \(job.sequence) of episode \(job.episode)")
            try reply(.error(ErrorMessage(error)), to: job.destination)
            return
        }
        let finish = { (timing: inout RobotChunk.Timing) in
            timing.complete(job: job, startedNs: outcome.startedNs, planned: planned)
        }
        // Counted before it is sent: whoever has the chunk finds it in the statistics.
        switch job.destination {
        case .topic:
            let message = [job.robot.chunkTopic, chunk.encode(arrayKeys: job.arrayKeys, finish: finish)]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.chunks, in: &$0) }
            try chunks.send(message)
        case .client(let route, let number):
            let packed = chunk.encode(request: number, arrayKeys: job.arrayKeys, finish: finish)
            let message = route + [packed]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.predictions, in: &$0) }
            try requests.send(message)
        case .gr00t(let route, let formCode):
            guard let gr00t else { return }
            let message = route + [gr00t.encode(&chunk, form: .init(code: formCode), finish: finish)]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.predictions, in: &$0) }
            try gr00t.socket.send(message)
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

    func pilot(_ chunk: inout RobotChunk, isCarriedOut: Bool) throws(MessageError) {
        let nowNs = Clock.monotonicNs()
        try pilots[chunk.robot, nowNs: nowNs].receive(&chunk, isCarriedOut: isCarriedOut, nowNs: nowNs)
    }

    func count(
        _ chunk: RobotChunk,
        as kind: WritableKeyPath<DaemonStatistics, UInt64>,
        in statistics: inout DaemonStatistics
    ) {
        statistics[keyPath: kind] += 1
        if let budgetNs, chunk.timing.stages.total > budgetNs { statistics.lateChunks += 1 }
        if chunk.sampling.coarseSteps > 0 { statistics.coarseChunks += 1 }
    }
}

/// The job that the planner is at, and when what there is of it is to be sent.
struct InterimWatch {
    let job: PlanningJob
    let dispatchedNs: UInt64
    /// By the monotonic clock; nil once it has come.
    var dueNs: UInt64?
    /// The chunk has been sent as far as it was.
    var isAnswered = false

    /// What the chunk still takes to its socket, several times over; the planner is to be done earlier by as much again.
    private static let deliveryNs: UInt64 = 500_000

    init(job: PlanningJob, dispatchedNs: UInt64, budgetNs: UInt64) {
        self.job = job
        self.dispatchedNs = dispatchedNs
        dueNs = job.receivedNs + budgetNs - min(budgetNs, Self.deliveryNs)
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
            timing: Timing(receivedNs: job.receivedNs)
        )
    }
}

extension RobotChunk.Timing {
    /// Fills in the stages, now that the chunk is packed.
    fileprivate mutating func complete(job: PlanningJob, startedNs: UInt64, planned: PlannedChunk) {
        publishedNs = Clock.monotonicNs()
        wallNs = Clock.wallNs()
        let sinceStart = publishedNs - startedNs
        let sampling = planned.conditionNs + planned.sampleNs
        stages = RobotChunk.Stages(
            decode: job.queuedNs - job.receivedNs,
            queue: startedNs - job.queuedNs,
            condition: planned.conditionNs,
            sample: planned.sampleNs,
            encode: sinceStart > sampling ? sinceStart - sampling : 0,
            total: publishedNs - job.receivedNs
        )
    }
}

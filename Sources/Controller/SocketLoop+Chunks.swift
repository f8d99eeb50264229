import Logging
import Wire

/// What goes to the planner, and what comes from it.
extension SocketLoop {
    func dispatch() {
        let jobs = agenda.next { planner.grouping?.size(waiting: $0, budgetNs: budgetNs) ?? 1 }
        guard !jobs.isEmpty else { return }
        watchdog?.planningBegan(nowNs: Clock.monotonicNs())
        mailbox.put(jobs)
    }

    func deliver(_ outcome: PlanningOutcome) throws(ZeroMQError) {
        let job = outcome.job
        watchdog?.planningEnded(nowNs: Clock.monotonicNs())
        guard agenda.finish(job) else {
            tap?.take(TappedMessage(.unsent(job.robot, job.episode)))
            return
        }
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
        var chunk = ChunkMessage(job: job, planned: planned, policy: planner.policy)
        let sampled = chunk
        do throws(MessageError) {
            try pilot(&chunk, isCarriedOut: job.destination == .topic)
        } catch {
            tap?.take(TappedMessage(.unsent(job.robot, job.episode)))
            log(error, "withheld the chunk for observation \(job.sequence) of episode \(job.episode)")
            try reply(.error(ErrorMessage(error)), to: job.destination)
            return
        }
        let finish = { (timing: inout ChunkMessage.Timing) in
            timing.complete(job: job, startedNs: outcome.startedNs, planned: planned)
        }
        // Counted before it is sent: whoever has the chunk finds it in the statistics.
        switch job.destination {
        case .topic:
            let message = [job.robot.chunkTopic, chunk.encode(finish: finish)]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.chunks, in: &$0) }
            try chunks.send(message)
        case .client(let route, let number):
            let message = route + [chunk.encode(request: number, finish: finish)]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.predictions, in: &$0) }
            try requests.send(message)
        case .gr00t(let route, let form):
            guard let gr00t else { return }
            let message = route + [gr00t.encode(&chunk, form: form, finish: finish)]
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

    func pilot(_ chunk: inout ChunkMessage, isCarriedOut: Bool) throws(MessageError) {
        let nowNs = Clock.monotonicNs()
        try pilots[chunk.robot, nowNs: nowNs].receive(&chunk, isCarriedOut: isCarriedOut, nowNs: nowNs)
    }

    func count(
        _ chunk: ChunkMessage,
        as kind: WritableKeyPath<DaemonStatistics, UInt64>,
        in statistics: inout DaemonStatistics
    ) {
        statistics[keyPath: kind] += 1
        if let budgetNs, chunk.timing.stages.total > budgetNs { statistics.lateChunks += 1 }
        if chunk.sampling.coarseSteps > 0 { statistics.coarseChunks += 1 }
    }
}

extension ChunkMessage {
    fileprivate init(job: PlanningJob, planned: PlannedChunk, policy: InfoMessage.Policy) {
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

extension ChunkMessage.Timing {
    /// Fills in the stages, now that the chunk is packed.
    fileprivate mutating func complete(job: PlanningJob, startedNs: UInt64, planned: PlannedChunk) {
        publishedNs = Clock.monotonicNs()
        wallNs = Clock.wallNs()
        let sinceStart = publishedNs - startedNs
        let sampling = planned.conditionNs + planned.sampleNs
        stages = ChunkMessage.Stages(
            decode: job.queuedNs - job.receivedNs,
            queue: startedNs - job.queuedNs,
            condition: planned.conditionNs,
            sample: planned.sampleNs,
            encode: sinceStart > sampling ? sinceStart - sampling : 0,
            total: publishedNs - job.receivedNs
        )
    }
}

import CLinux
import Clocks
import Foundation
import Policy
import Robotics
import Stalls

/// What a planner samples by, and how far it has come in measuring what makes chunks faster.
package struct PlannerTuning: Sendable, Hashable {
    /// How chunks are sampled.
    package var sampler: SamplerDescription
    /// When chunks are planned together.
    package var grouping: Grouping?
    /// How far the calibration has come, in hundredths; 100: it is done, or there is nothing to measure.
    package var calibratedHundredths: Int
    /// Why the calibration failed; nil: it did not.
    package var failure: String?

    init(_ planner: some ChunkPlanner, failure: String? = nil) {
        sampler = planner.sampler
        grouping = planner.grouping
        calibratedHundredths = planner.isTuned || failure != nil ? 100 : 0
        self.failure = failure
    }
}

/// The thread that makes a planner of each policy, and gives them one job after the other.
package enum PlannerThread {
    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - budgetNs: from an observation's receipt to its chunk, in nanoseconds; nil: as long as it takes.
    ///   - ready: gets what is to be known of the policies, or the error with which a planner could not be made.
    ///   - ended: set as the thread's last act.
    ///   - makePlanners: called on the thread, with what watches the planners' passes; returns at least one.
    package static func start<Planner: ChunkPlanner>(
        mailbox: PlannerMailbox,
        budgetNs: UInt64?,
        ready: OneShot<Result<ServedPolicies, any Error>>,
        ended: OneShot<Void>,
        makePlanners: @escaping @Sendable (StallWatch) throws -> [Planner]
    ) {
        let thread = Thread {
            dn_name_this_thread("planner")
            do {
                var planners = try makePlanners(mailbox.stallWatch)
                let policies = ServedPolicies(planners.map { PlannerFacts($0) })
                mailbox.note(planners)
                ready.set(.success(policies))
                for index in planners.indices where !planners[index].isTuned {
                    tune(index, of: &planners, mailbox: mailbox, budgetNs: budgetNs)
                }
                while let work = mailbox.takeWork() {
                    carryOut(work, with: &planners[work.policy], mailbox: mailbox, budgetNs: budgetNs)
                }
            } catch {
                ready.set(.failure(error))
            }
            ended.set(())
        }
        thread.stackSize = 8 << 20
        thread.start()
    }

    private static func carryOut(
        _ work: PlannerMailbox.Work,
        with planner: inout some ChunkPlanner,
        mailbox: PlannerMailbox,
        budgetNs: UInt64?
    ) {
        switch work {
        case .plan(let jobs): plan(jobs, with: &planner, mailbox: mailbox, budgetNs: budgetNs)
        case .prepare(let job):
            let badFrame = planner.prepare(job.history, camera: job.camera)
            mailbox.put(PreparationOutcome(job: job, badFrame: badFrame))
        }
    }

    /// Tunes a planner, and gives it and the others whatever jobs come meanwhile.
    private static func tune<Planner: ChunkPlanner>(
        _ index: Int,
        of planners: inout [Planner],
        mailbox: PlannerMailbox,
        budgetNs: UInt64?
    ) {
        let turns = IdleTurns(interruption: mailbox.interruption) {
            mailbox.note(calibratedHundredths: $0, at: index)
        }
        // Out of the array: while it is tuned the others there are in use.
        var tuned = planners[index]
        do {
            try tuned.tune(turns) { tuned in
                var nanoseconds = 0.0
                while true {
                    switch mailbox.takeWaitingWork() {
                    case .closed: return .ended
                    case .nothing: return .served(nanoseconds: nanoseconds)
                    case .work(let work):
                        let begun = MonotonicTime.now()
                        if work.policy == index {
                            carryOut(work, with: &tuned, mailbox: mailbox, budgetNs: budgetNs)
                        } else {
                            carryOut(work, with: &planners[work.policy], mailbox: mailbox, budgetNs: budgetNs)
                        }
                        nanoseconds += Double(MonotonicTime.now().nanoseconds(since: begun))
                    }
                }
            }
            mailbox.note(tuned, at: index)
        } catch {
            mailbox.note(tuned, at: index, failure: "\(error)")
        }
        planners[index] = tuned
    }

    private static func plan(
        _ jobs: [PlanningJob],
        with planner: inout some ChunkPlanner,
        mailbox: PlannerMailbox,
        budgetNs: UInt64?
    ) {
        let policy = planner.policy
        let started = MonotonicTime.now()
        let requests = jobs.map { PlanningRequest($0, budgetNs: budgetNs, started: started) }
        let planned =
            requests.count == 1
            ? [Result { try planner.plan(requests[0]) }] : planner.plan(together: requests)
        mailbox.put(
            zip(jobs, planned).map { job, planned in
                let result = planned.mapError(PlanningFailure.init).flatMap { check($0, policy: policy) }
                return PlanningOutcome(job: job, result: result, started: started)
            },
            isUrgent: budgetNs != nil
        )
    }

    /// Lets through only a chunk of the policy's shape whose numbers are all finite: others must not reach a robot.
    package static func check(
        _ chunk: PlannedChunk,
        policy: PolicyDescription
    ) -> Result<PlannedChunk, PlanningFailure> {
        guard chunk.actions.count == policy.nActionSteps * policy.actionDim else {
            return .failure(
                PlanningFailure.policy(
                    reason: "the policy's chunk has \(chunk.actions.count) numbers, "
                        + "expected [\(policy.nActionSteps), \(policy.actionDim)]"
                )
            )
        }
        guard chunk.beyond.count.isMultiple(of: policy.actionDim) else {
            return .failure(
                PlanningFailure.policy(
                    reason: "the policy's chunk has \(chunk.beyond.count) numbers beyond its actions, "
                        + "expected a multiple of \(policy.actionDim)"
                )
            )
        }
        guard chunk.frozen.count.isMultiple(of: policy.actionDim),
            chunk.frozen.allSatisfy(\.isFinite)
        else {
            return .failure(
                PlanningFailure.policy(
                    reason: "the policy's chunk has \(chunk.frozen.count) frozen numbers, "
                        + "expected finite ones, a multiple of \(policy.actionDim)"
                )
            )
        }
        let numbers = chunk.actions + chunk.beyond
        guard let index = numbers.firstIndex(where: { !$0.isFinite }) else { return .success(chunk) }
        return .failure(
            PlanningFailure.policy(
                reason: "action \(index / policy.actionDim) has \(numbers[index]) in dimension "
                    + "\(index % policy.actionDim); the chunk is dropped"
            )
        )
    }
}

extension PlanningRequest {
    /// What a chunk still takes once it is planned, in nanoseconds: several times what handing over, packing and sending take
    /// at the 99th percentile.
    private static let deliveryNs: UInt64 = 1_000_000

    /// A job's request, which has its share of the time until it is due: as much as each group that waits behind it.
    fileprivate init(_ job: PlanningJob, budgetNs: UInt64?, started: MonotonicTime) {
        self.init(
            robot: job.robot,
            episode: job.episode,
            sequence: job.sequence,
            history: job.history,
            noiseSeed: job.noiseSeed,
            frozen: job.frozen,
            deadline: budgetNs.map { budgetNs in
                let due = job.received.advanced(byNanoseconds: budgetNs - min(budgetNs, Self.deliveryNs))
                guard due > started else { return due }
                return started.advanced(
                    byNanoseconds: due.elapsedNs(since: started) / UInt64(1 + job.groupsWaiting)
                )
            }
        )
    }
}

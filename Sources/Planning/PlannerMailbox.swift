import Clocks
import Dispatch
import Robotics
import Stalls
import Synchronization

/// Where the socket thread and the planner thread meet: jobs go in, their outcomes come out.
package final class PlannerMailbox: Sendable {
    /// What the planner is to do.
    package enum Work: Sendable {
        /// Chunks to plan together, at least one, all by one policy.
        case plan([PlanningJob])
        case prepare(PreparationJob)

        /// The index of the policy that it is for.
        var policy: Int {
            switch self {
            case .plan(let jobs): jobs[0].policy
            case .prepare(let job): job.policy
            }
        }
    }

    /// What there is to do at the moment.
    package enum Waiting: Sendable {
        case work(Work)
        case nothing
        case closed
    }

    private struct State {
        var jobs: [PlanningJob] = []
        var preparation: PreparationJob?
        var outcomes: [PlanningOutcome] = []
        var preparationOutcome: PreparationOutcome?
        var isClosed = false
        var busySince: MonotonicTime?
        var tunings: [PlannerTuning] = []
    }

    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)
    private let wakeUp: @Sendable () -> Void
    /// Watches the planner's passes; its rescuer is the socket thread.
    package let stallWatch: StallWatch
    /// Asked for while there is work: what the planner does besides is to wait.
    package let interruption = Interruption()

    /// A mailbox that calls `wakeUp` when outcomes are there, on the planner's thread, or when the planner has stalled.
    package init(wakeUp: @escaping @Sendable () -> Void) {
        self.wakeUp = wakeUp
        stallWatch = StallWatch(wakeRescuer: wakeUp)
    }

    /// Hands jobs to the planner, to be planned together; there are none in the mailbox.
    package func put(_ jobs: [PlanningJob]) {
        let now = MonotonicTime.now()
        stallWatch.dropReport()
        state.withLock { state in
            precondition(state.busySince == nil, "the planner has jobs already")
            state.jobs = jobs
            state.busySince = now
        }
        interruption.ask()
        news.signal()
    }

    /// Hands the planner a history to prepare; there is nothing in the mailbox.
    package func put(_ preparation: PreparationJob) {
        let now = MonotonicTime.now()
        state.withLock { state in
            precondition(state.busySince == nil, "the planner has jobs already")
            state.preparation = preparation
            state.busySince = now
        }
        interruption.ask()
        news.signal()
    }

    /// Ends the planner thread after the jobs it is at.
    package func close() {
        state.withLock { $0.isClosed = true }
        interruption.ask()
        news.signal()
    }

    /// Waits for work; nil once the mailbox is closed.
    package func takeWork() -> Work? {
        while true {
            news.wait()
            switch take() {
            case .work(let work): return work
            case .nothing: continue
            case .closed: return nil
            }
        }
    }

    /// The work that is there; waits for none.
    package func takeWaitingWork() -> Waiting {
        guard news.wait(timeout: .now()) == .success else { return .nothing }
        let waiting = take()
        // It stays closed for whoever waits next.
        if case .closed = waiting { news.signal() }
        return waiting
    }

    private func take() -> Waiting {
        // Nothing else comes before this work is done.
        interruption.clear()
        let (jobs, preparation, isClosed) = state.withLock { state in
            defer {
                state.jobs = []
                state.preparation = nil
            }
            return (state.jobs, state.preparation, state.isClosed)
        }
        if isClosed { return .closed }
        if !jobs.isEmpty { return .work(.plan(jobs)) }
        if let preparation { return .work(.prepare(preparation)) }
        return .nothing
    }

    /// How each policy's planner samples; empty until they have been made. For any thread.
    package var tunings: [PlannerTuning] { state.withLock { $0.tunings } }

    /// Notes how planners sample that have been made, in the order of their policies.
    func note(_ planners: [some ChunkPlanner]) {
        let tunings = planners.map { PlannerTuning($0) }
        state.withLock { $0.tunings = tunings }
    }

    /// Notes how a planner samples that has been tuned.
    ///
    /// - Parameters:
    ///   - index: that of its policy.
    ///   - failure: why it could not be tuned.
    func note(_ planner: some ChunkPlanner, at index: Int, failure: String? = nil) {
        let tuning = PlannerTuning(planner, failure: failure)
        state.withLock { $0.tunings[index] = tuning }
    }

    /// Notes how far the calibration of a policy has come; its end is told with the planner.
    func note(calibratedHundredths: Int, at index: Int) {
        state.withLock { $0.tunings[index].calibratedHundredths = min(calibratedHundredths, 99) }
    }

    /// Hands outcomes back.
    ///
    /// - Parameter isUrgent: brings the socket thread to the core of the planner, which is about to be free, and works.
    package func put(_ outcomes: [PlanningOutcome], isUrgent: Bool) {
        state.withLock { state in
            state.outcomes = outcomes
            state.busySince = nil
        }
        if isUrgent { stallWatch.wakeRescuerHere() } else { wakeUp() }
    }

    /// Hands back what became of a preparation.
    package func put(_ outcome: PreparationOutcome) {
        state.withLock { state in
            state.preparationOutcome = outcome
            state.busySince = nil
        }
        wakeUp()
    }

    /// What became of the last preparation, if it has ended since this was asked last.
    package func takePreparationOutcome() -> PreparationOutcome? {
        state.withLock { state in
            defer { state.preparationOutcome = nil }
            return state.preparationOutcome
        }
    }

    /// Since when the planner has had the jobs that it is at; nil if it has none.
    package var busySince: MonotonicTime? { state.withLock { $0.busySince } }

    /// The outcomes that are there.
    package func takeOutcomes() -> [PlanningOutcome] {
        state.withLock { state in
            defer { state.outcomes = [] }
            return state.outcomes
        }
    }
}

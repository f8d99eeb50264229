import Clocks
import Dispatch
import Robotics
import Stalls
import Synchronization

/// Where the socket thread and the planner thread meet: jobs go in, their outcomes come out.
package final class PlannerMailbox: Sendable {
    /// What the planner is to do.
    package enum Work: Sendable {
        case plan([PlanningJob])
        case prepare(PreparationJob)
    }

    private struct State {
        var jobs: [PlanningJob] = []
        var preparation: PreparationJob?
        var outcomes: [PlanningOutcome] = []
        var preparationOutcome: PreparationOutcome?
        var isClosed = false
        var busySince: MonotonicTime?
    }

    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)
    private let wakeUp: @Sendable () -> Void
    /// Watches the planner's passes; its rescuer is the socket thread.
    package let stallWatch: StallWatch

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
        news.signal()
    }

    /// Ends the planner thread after the jobs it is at.
    package func close() {
        state.withLock { $0.isClosed = true }
        news.signal()
    }

    /// Waits for work; nil once the mailbox is closed.
    package func takeWork() -> Work? {
        while true {
            news.wait()
            let (jobs, preparation, isClosed) = state.withLock { state in
                defer {
                    state.jobs = []
                    state.preparation = nil
                }
                return (state.jobs, state.preparation, state.isClosed)
            }
            if isClosed { return nil }
            if !jobs.isEmpty { return .plan(jobs) }
            if let preparation { return .prepare(preparation) }
        }
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

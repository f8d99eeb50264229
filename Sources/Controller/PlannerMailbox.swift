import Dispatch
import Synchronization
import Wire

/// Where the socket thread and the planner thread meet: one job goes in, its outcome comes out.
final class PlannerMailbox: Sendable {
    private struct State {
        var job: PlanningJob?
        var outcome: PlanningOutcome?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)
    private let wakeUp: WakeUp

    /// A mailbox that signals `wakeUp` when an outcome is there.
    init(wakeUp: WakeUp) {
        self.wakeUp = wakeUp
    }

    /// Hands a job to the planner; there is none in the mailbox.
    func put(_ job: PlanningJob) {
        state.withLock { state in
            precondition(state.job == nil, "the planner has a job already")
            state.job = job
        }
        news.signal()
    }

    /// Ends the planner thread after the job it is at.
    func close() {
        state.withLock { $0.isClosed = true }
        news.signal()
    }

    /// Waits for a job; nil once the mailbox is closed.
    func takeJob() -> PlanningJob? {
        while true {
            news.wait()
            let (job, isClosed) = state.withLock { state in
                defer { state.job = nil }
                return (state.job, state.isClosed)
            }
            if isClosed { return nil }
            if let job { return job }
        }
    }

    /// Hands an outcome back.
    func put(_ outcome: PlanningOutcome) {
        state.withLock { $0.outcome = outcome }
        wakeUp.signal()
    }

    /// The outcome, where there is one.
    func takeOutcome() -> PlanningOutcome? {
        state.withLock { state in
            defer { state.outcome = nil }
            return state.outcome
        }
    }
}

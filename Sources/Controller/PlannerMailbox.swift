import Dispatch
import Synchronization
import Wire

/// Where the socket thread and the planner thread meet: jobs go in, their outcomes come out.
final class PlannerMailbox: Sendable {
    private struct State {
        var jobs: [PlanningJob] = []
        var outcomes: [PlanningOutcome] = []
        var isClosed = false
        var busySinceNs: UInt64?
    }

    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)
    /// The planner has said so since it got its jobs. No part of `state`: nobody may wait for a thread that could be stopped.
    private let isHeldUp = Atomic<Bool>(false)
    private let wakeUp: WakeUp
    /// Where the socket thread runs.
    let socketPlace = ThreadPlace()

    /// A mailbox that signals `wakeUp` when outcomes are there.
    init(wakeUp: WakeUp) {
        self.wakeUp = wakeUp
    }

    /// Hands jobs to the planner, to be planned together; there are none in the mailbox.
    func put(_ jobs: [PlanningJob]) {
        let nowNs = Clock.monotonicNs()
        isHeldUp.store(false, ordering: .relaxed)
        state.withLock { state in
            precondition(state.jobs.isEmpty, "the planner has jobs already")
            state.jobs = jobs
            state.busySinceNs = nowNs
        }
        news.signal()
    }

    /// Ends the planner thread after the jobs it is at.
    func close() {
        state.withLock { $0.isClosed = true }
        news.signal()
    }

    /// Waits for jobs; nil once the mailbox is closed.
    func takeJobs() -> [PlanningJob]? {
        while true {
            news.wait()
            let (jobs, isClosed) = state.withLock { state in
                defer { state.jobs = [] }
                return (state.jobs, state.isClosed)
            }
            if isClosed { return nil }
            if !jobs.isEmpty { return jobs }
        }
    }

    /// Hands outcomes back.
    ///
    /// - Parameter isUrgent: brings the socket thread to the core of the planner, which is about to be free, and works.
    func put(_ outcomes: [PlanningOutcome], isUrgent: Bool) {
        state.withLock { state in
            state.outcomes = outcomes
            state.busySinceNs = nil
        }
        if isUrgent { socketPlace.bringHere() }
        wakeUp.signal()
    }

    /// The time of the jobs is up, and the planner is held up: wakes the socket thread, on the core of the thread that calls.
    func reportHeldUp() {
        isHeldUp.store(true, ordering: .relaxed)
        socketPlace.bringHere()
        wakeUp.signal()
    }

    /// Whether the planner has been held up since this was asked last.
    func takeHeldUp() -> Bool { isHeldUp.exchange(false, ordering: .relaxed) }

    /// Since when the planner has had the jobs that it is at, by the monotonic clock in nanoseconds; nil where it has none.
    var busySinceNs: UInt64? { state.withLock { $0.busySinceNs } }

    /// The outcomes that are there.
    func takeOutcomes() -> [PlanningOutcome] {
        state.withLock { state in
            defer { state.outcomes = [] }
            return state.outcomes
        }
    }
}

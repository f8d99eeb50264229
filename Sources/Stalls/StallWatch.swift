import Clocks
import Synchronization

/// Copes with a core that stops in the middle of a forward pass.
///
/// The machine under a virtual machine may stop one of its cores for milliseconds, and with it the thread that runs there. A
/// pass of the network then lasts until that thread runs again, and its chunk is late. This is a stall. A stall cannot be
/// ended from outside. But the sampler keeps what each pass predicts, so another thread can send that in time:
///
/// 1. Before a pass the planner's thread says when it is due (`passBegins(due:)`).
/// 2. The threads of the pass wait for each other after every stage. A thread that waits long calls `checkWhileWaiting()`.
///    The first that finds the time over has found the stall, and reports it (`report()`).
/// 3. The report brings the rescuer to the core of the thread that reports, which runs, and wakes it there. The rescuer is the
///    one thread that delivers chunks; it says so by `beRescuer(_:)`. By itself it might sleep on: its timer is often on the
///    core that is stopped, and the kernel mostly wakes a thread on the core where it ran last.
/// 4. The rescuer takes the report (`takeReport()`), claims the chunk as far as it has come and sends it. What the planner
///    makes of that chunk afterwards is dropped.
///
/// All threads of the pass may be stopped at once, and then nobody reports. So the rescuer also looks at the clock.
///
/// The daemon makes one watch. The planner gets it when it is made, and hands it down to the network's threads. Nothing here
/// allocates or locks, and nobody waits for a thread that could be stopped.
public final class StallWatch: Sendable {
    /// When the present pass is due, in nanoseconds of the monotonic clock. `Int64.max` if it never is, or if its stall has
    /// been reported.
    private let dueNs = Atomic<Int64>(.max)
    /// A stall was reported, and nobody has taken the report.
    private let isReported = Atomic<Bool>(false)
    private let rescuer = ThreadPlace()
    private let wakeRescuer: @Sendable () -> Void

    /// - Parameter wakeRescuer: wakes the rescuer; called on any thread, and must not wait for anything.
    public init(wakeRescuer: @escaping @Sendable () -> Void) { self.wakeRescuer = wakeRescuer }

    // MARK: - On the planner's side

    /// Begins to watch a pass; forgets the one before.
    ///
    /// - Parameter due: when the pass must have ended; nil: it takes the time it takes.
    package func passBegins(due: MonotonicTime?) {
        dueNs.store(due?.nanoseconds ?? .max, ordering: .relaxed)
    }

    /// Reports a stall if the pass's time is over, once for each pass. A thread calls it that waits for another thread's work.
    package func checkWhileWaiting() {
        let due = dueNs.load(ordering: .relaxed)
        guard due != .max, MonotonicTime.now().nanoseconds >= due,
            dueNs.compareExchange(expected: due, desired: .max, ordering: .relaxed).exchanged
        else { return }
        report()
    }

    /// Reports a stall: wakes the rescuer on the core of the thread that calls.
    package func report() {
        isReported.store(true, ordering: .relaxed)
        wakeRescuerHere()
    }

    /// Wakes the rescuer on the core of the thread that calls, because a chunk is ready and that core is about to be free.
    package func wakeRescuerHere() {
        rescuer.bringHere()
        wakeRescuer()
    }

    // MARK: - On the rescuer's side

    /// Makes the thread that calls the rescuer, for as long as `body` runs.
    package func beRescuer<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        try rescuer.place(body)
    }

    /// Lets the rescuer, which calls whenever it has been woken, run on any core again.
    package func releaseRescuer() { rescuer.release() }

    /// Drops a report that came too late for its chunk. The rescuer calls it before it hands the planner the next one.
    package func dropReport() { isReported.store(false, ordering: .relaxed) }

    /// Takes the report of a stall.
    ///
    /// - Returns: whether there was one since the last call.
    package func takeReport() -> Bool { isReported.exchange(false, ordering: .relaxed) }
}

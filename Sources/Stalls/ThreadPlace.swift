import CLinux
import Synchronization

/// Where a thread runs, for another to bring it to its own core before waking it.
///
/// The kernel mostly wakes a thread on the core where it ran last. If the machine under a virtual one has stopped that core,
/// the thread waits for it, though another core works.
///
/// `@unchecked Sendable`: `processors` is used by the placed thread alone, the others are atomics.
final class ThreadPlace: @unchecked Sendable {
    /// The placed thread's number, 0 if there is none.
    private let thread = Atomic<Int32>(0)
    /// What the placed thread may run on by itself.
    private var processors = dn_processors()
    private let isBrought = Atomic<Bool>(false)

    /// Begins to place the thread that calls, for as long as `body` runs. What it may run on is then again what it is now.
    func place<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        // Without knowing where to let it run afterwards it is not brought anywhere.
        guard dn_get_processors(&processors) else { return try body() }
        thread.store(dn_this_thread(), ordering: .relaxed)
        defer {
            thread.store(0, ordering: .relaxed)
            release()
        }
        try body()
    }

    /// Brings the placed thread, which is woken next, to the core of the thread that calls. If the system does not allow it, it
    /// runs on any core.
    func bringHere() {
        let number = thread.load(ordering: .relaxed)
        guard number != 0, dn_bring_to_this_processor(number) else { return }
        isBrought.store(true, ordering: .releasing)
    }

    /// Lets the placed thread, which calls whenever it has been woken, run anywhere again.
    func release() {
        guard isBrought.exchange(false, ordering: .acquiring) else { return }
        _ = dn_set_processors(0, &processors)
    }
}

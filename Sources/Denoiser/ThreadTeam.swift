import CKernels
import Foundation
import Glibc
import Synchronization

/// A fixed set of threads that run one function together, again and again, with as little ceremony as the hardware
/// allows.
///
/// The caller is thread 0. The others wait for the next run by spinning, because in a denoising loop it comes within
/// microseconds, and park on a condition variable when it does not. Threads meet at barriers by spinning as well; where
/// they do not get a core each, waiting turns into yielding. Nothing here allocates after the team was made.
///
/// `@unchecked Sendable`: everything is an atomic, a constant, or the mutex and condition that guard parking.
final class ThreadTeam: @unchecked Sendable {
    /// Threads, the caller included.
    let count: Int

    private let body: @Sendable (Int) -> Void
    private let generation = Atomic<UInt32>(0)
    private let unfinished = Atomic<Int>(0)
    private let arrived = Atomic<Int>(0)
    private let phase = Atomic<UInt32>(0)
    private let parked = Atomic<Int>(0)
    private let running = Atomic<Int>(0)
    private let isEnding = Atomic<Bool>(false)
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// About a tenth of a millisecond: longer than the solver needs between two forward passes, much shorter than a
    /// control period.
    private static let spinsBeforeParking = 20_000
    private static let spinsBeforeYielding = 4_000

    /// - Parameters:
    ///   - count: at least 1.
    ///   - body: what a run does on each thread, given the thread's number in 0..<count.
    init(count: Int, body: @escaping @Sendable (Int) -> Void) {
        precondition(count >= 1)
        self.count = count
        self.body = body
        self.mutex = .allocate(capacity: 1)
        self.condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        for number in 1..<max(count, 1) {
            running.wrappingAdd(1, ordering: .relaxed)
            let loop = WorkerLoop(team: self)
            let thread = Thread { loop.run(number: number) }
            thread.name = "denoiser-\(number)"
            thread.qualityOfService = .userInteractive
            thread.start()
        }
    }

    /// Ends the threads. Must be called before the team is released; runs after it are a programmer's error.
    func stop() {
        isEnding.store(true, ordering: .sequentiallyConsistent)
        announce()
        while running.load(ordering: .acquiring) > 0 { sched_yield() }
    }

    deinit {
        precondition(running.load(ordering: .acquiring) == 0, "a team is stopped before it is released")
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs the body on every thread and returns when all are done.
    func run() {
        guard count > 1 else { return body(0) }
        unfinished.store(count - 1, ordering: .relaxed)
        announce()
        body(0)
        spin { unfinished.load(ordering: .acquiring) == 0 }
    }

    /// Waits, inside a run, until every thread of the team is here.
    func barrier() {
        guard count > 1 else { return }
        let current = phase.load(ordering: .relaxed)
        if arrived.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue == count {
            arrived.store(0, ordering: .relaxed)
            phase.store(current &+ 1, ordering: .releasing)
        } else {
            spin { phase.load(ordering: .acquiring) != current }
        }
    }

    private func announce() {
        generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
        // A thread counts itself as parked before it looks at the generation for the last time, so either it sees this
        // generation or this sees the thread.
        if parked.load(ordering: .sequentiallyConsistent) > 0 {
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
    }

    @inline(__always)
    private func spin(until isDone: () -> Bool) {
        var spins = 0
        while !isDone() {
            dn_relax()
            spins += 1
            if spins > Self.spinsBeforeYielding { sched_yield() }
        }
    }

    /// What a thread other than the caller's does: it holds the team unowned, so that the team can end it.
    private struct WorkerLoop: Sendable {
        unowned let team: ThreadTeam

        func run(number: Int) {
            var seen: UInt32 = 0
            while true {
                seen = team.nextGeneration(after: seen)
                if team.isEnding.load(ordering: .acquiring) { break }
                team.body(number)
                team.unfinished.wrappingSubtract(1, ordering: .releasing)
            }
            team.running.wrappingSubtract(1, ordering: .releasing)
        }
    }

    private func nextGeneration(after seen: UInt32) -> UInt32 {
        for _ in 0..<Self.spinsBeforeParking {
            let current = generation.load(ordering: .acquiring)
            if current != seen { return current }
            dn_relax()
        }
        pthread_mutex_lock(mutex)
        parked.wrappingAdd(1, ordering: .sequentiallyConsistent)
        var current = generation.load(ordering: .sequentiallyConsistent)
        while current == seen {
            pthread_cond_wait(condition, mutex)
            current = generation.load(ordering: .sequentiallyConsistent)
        }
        parked.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
        return current
    }
}

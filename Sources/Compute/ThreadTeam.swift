import CKernels
import CLinux
import Clocks
import Foundation
import Glibc
import Stalls
import Synchronization

/// A fixed set of threads that work through a list of stages together, each stage cut into as many parts as there are
/// threads.
///
/// A thread takes its own part of a stage first, always the same one, so that each core streams its own weights. It then
/// takes any part that nobody has begun: other threads may have lost their core or may not have woken up yet. Then it spins
/// until all parts of the stage are done, because the next stage is microseconds away. Between passes threads spin for a
/// moment, unless told to `rest`, and then park. The team allocates nothing after its creation. Within a pass there is no
/// system call, unless a thread that holds a part has lost its core.
///
/// A pass can be given up, when its time is over or when it is interrupted. Every thread looks before each part that it computes.
/// The remaining parts are then taken and counted as always, but not computed.
/// If a thread loses its core within a part, the pass lasts until that thread runs again. The threads that wait for it tell
/// the `StallWatch`.
///
/// Stages are numbered through the team's whole life. So a thread that is late, by one stage or by many passes, finds every
/// part that it missed taken, and catches up without computing anything.
///
/// `@unchecked Sendable`: everything is an atomic, a constant, the mutex and condition that guard parking, or an end of the
/// present pass. The ends are written between two passes, and read only by a thread that holds a part of the present one.
final class ThreadTeam: @unchecked Sendable {
    /// Threads, the caller's included; also the parts of a stage.
    let count: Int

    private let stageCount: Int
    private let work: @Sendable (_ stage: Int, _ part: Int) -> Void
    /// Passes begun.
    private let pass = Atomic<Int>(0)
    /// Parts done since the beginning.
    private let done = Atomic<Int>(0)
    /// For each part, the stages in which it has been taken, a cache line apart.
    private let taken: UnsafeMutablePointer<PaddedCounter>
    /// Number of the pass after which `rest` was called: threads need not spin after it.
    private let restsAfter = Atomic<Int>(0)
    private let parked = Atomic<Int>(0)
    private let running = Atomic<Int>(0)
    private let isEnding = Atomic<Bool>(false)
    /// A part of the present pass was left out, and so is every part that is taken from now on.
    private let isGivenUp = Atomic<Bool>(false)
    /// When the present pass is given up.
    private var end: MonotonicTime?
    /// What the present pass is given up for. The caller of `run` owns it: threads that counted references to it would contend.
    private var interruption: Unmanaged<Interruption>?
    private let stallWatch: StallWatch?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    private struct PaddedCounter: ~Copyable {
        let stages = Atomic<Int>(0)
        private let padding: (Int, Int, Int, Int, Int, Int, Int) = (0, 0, 0, 0, 0, 0, 0)
    }

    /// Some tens of microseconds or more: longer than the solver needs between two passes.
    private static let spinsBeforeParking = 4_000
    private static let spinsBeforeYielding = 4_000

    /// - Parameters:
    ///   - count: at least 1.
    ///   - stageCount: stages of a pass, at least 1.
    ///   - stallWatch: watches the passes that have a time.
    ///   - work: does one part of one stage.
    init(
        count: Int,
        stageCount: Int,
        stallWatch: StallWatch? = nil,
        work: @escaping @Sendable (_ stage: Int, _ part: Int) -> Void
    ) {
        precondition(count >= 1 && stageCount >= 1)
        self.count = count
        self.stageCount = stageCount
        self.stallWatch = stallWatch
        self.work = work
        self.taken = .allocate(capacity: count)
        for part in 0..<count { (taken + part).initialize(to: PaddedCounter()) }
        self.mutex = .allocate(capacity: 1)
        self.condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        for number in 1..<max(count, 1) {
            let loop = WorkerLoop(team: self)
            let thread = Thread {
                dn_name_this_thread("denoiser-\(number)")
                loop.run(number: number)
            }
            thread.start()
        }
        // A thread's start allocates, and must not fall into a pass.
        while running.load(ordering: .acquiring) < count - 1 { sched_yield() }
    }

    /// Ends the threads. Must be called before the team is released; passes after it are a programmer's error.
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
        taken.deinitialize(count: count)
        taken.deallocate()
    }

    /// Lets the threads park at once, because no pass follows soon and other programs want the cores.
    func rest() { restsAfter.store(pass.load(ordering: .relaxed), ordering: .relaxed) }

    /// Runs a pass: every part of every stage, each stage after the one before it.
    ///
    /// - Parameters:
    ///   - instant: when to give it up; nil: it takes the time it takes.
    ///   - interruption: gives it up when it is asked for.
    /// - Returns: whether all the work was done.
    @discardableResult
    func run(until instant: MonotonicTime? = nil, unless interruption: Interruption? = nil) -> Bool {
        let current = pass.load(ordering: .relaxed)
        isGivenUp.store(false, ordering: .relaxed)
        (end, self.interruption) = (instant, interruption.map { .passUnretained($0) })
        stallWatch?.passBegins(due: instant)
        if count > 1 { announce() } else { pass.store(current + 1, ordering: .relaxed) }
        withExtendedLifetime(interruption) { runStages(pass: current, as: 0) }
        self.interruption = nil
        return !isGivenUp.load(ordering: .relaxed)
    }

    private func runStages(pass: Int, as thread: Int) {
        for stage in 0..<stageCount {
            let number = pass * stageCount + stage
            for offset in 0..<count {
                let part = (thread + offset) % count
                if take(part, of: number) {
                    if isDue() { isGivenUp.store(true, ordering: .relaxed) } else { work(stage, part) }
                    done.wrappingAdd(1, ordering: .releasing)
                }
            }
            let wanted = (number + 1) * count
            var spins = 0
            while done.load(ordering: .acquiring) < wanted {
                dn_relax()
                spins += 1
                if spins > Self.spinsBeforeYielding {
                    stallWatch?.checkWhileWaiting()
                    sched_yield()
                }
            }
        }
    }

    /// Whether the present pass has been given up, or is to be now. For a thread that holds a part of it.
    private func isDue() -> Bool {
        if isGivenUp.load(ordering: .relaxed) { return true }
        if let interruption, interruption._withUnsafeGuaranteedRef({ $0.isAsked }) { return true }
        guard let end else { return false }
        return .now() >= end
    }

    private func take(_ part: Int, of stage: Int) -> Bool {
        let counter = taken + part
        // Reads before it exchanges. The part is nearly always taken, and a read keeps the cache line shared.
        guard counter.pointee.stages.load(ordering: .relaxed) == stage else { return false }
        return counter.pointee.stages.compareExchange(
            expected: stage,
            desired: stage + 1,
            ordering: .acquiring
        ).exchanged
    }

    private func announce() {
        pass.wrappingAdd(1, ordering: .sequentiallyConsistent)
        // A thread counts itself as parked before it looks at the pass for the last time, so either it sees this pass or
        // this sees the thread.
        if parked.load(ordering: .sequentiallyConsistent) > 0 {
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
    }

    /// What a thread other than the caller's does: it holds the team unowned, so that the team can end it.
    private struct WorkerLoop: Sendable {
        unowned let team: ThreadTeam

        func run(number: Int) {
            team.running.wrappingAdd(1, ordering: .releasing)
            var seen = 0
            while true {
                seen = team.nextPass(after: seen)
                if team.isEnding.load(ordering: .acquiring) { break }
                team.runStages(pass: seen - 1, as: number)
            }
            team.running.wrappingSubtract(1, ordering: .releasing)
        }
    }

    private func nextPass(after seen: Int) -> Int {
        for _ in 0..<Self.spinsBeforeParking {
            let current = pass.load(ordering: .acquiring)
            if current != seen { return current }
            if restsAfter.load(ordering: .relaxed) == seen { break }
            dn_relax()
        }
        pthread_mutex_lock(mutex)
        parked.wrappingAdd(1, ordering: .sequentiallyConsistent)
        var current = pass.load(ordering: .sequentiallyConsistent)
        while current == seen {
            pthread_cond_wait(condition, mutex)
            current = pass.load(ordering: .sequentiallyConsistent)
        }
        parked.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
        return current
    }
}

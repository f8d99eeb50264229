import Synchronization

/// What a sampler that is short of time has so far: a sample at every coarse step but the last, for another thread to take
/// where the result itself would come too late. A pass is given up when its time is over, but the machine may stop the thread
/// that is at it.
///
/// Neither thread waits for the other. There are two places for a sample: the sampling thread writes to the one that is not
/// offered and then offers that instead; whoever claims what is offered has it for itself until it is copied.
///
/// Sendable is unchecked because of the places and `base`. The sampling thread writes `base` only while nothing can be claimed,
/// and a place only while it is not the offered one; the claiming thread reads them after an exchange that acquires what was
/// written before the offer, and until it has read them `open` offers nothing.
public final class InterimSample: @unchecked Sendable {
    private struct Place {
        var x0: [Float]
        var coarseSteps = 0
    }

    private enum State {
        /// Nothing can be claimed.
        static let closed = -1
        /// Something can, once it is there.
        static let empty = -2
        /// Somebody is about to copy a place.
        static let claimed = -3
    }

    /// The number of the place that is offered, or a `State`.
    private let state = Atomic<Int>(State.closed)
    // Two properties, no array: each is a memory of its own.
    private var first: Place
    private var second: Place
    private var base = SamplingReport.nothing

    init(sampleCount: Int) {
        first = Place(x0: [Float](repeating: 0, count: sampleCount))
        second = first
    }

    /// Takes what is offered, which then is offered no longer; sampling goes on. For any thread.
    ///
    /// - Returns: the sample, [sampleCount], and how it was computed; nil where nothing is offered.
    public func claim() -> (sample: [Float], report: SamplingReport)? {
        var offered = state.load(ordering: .relaxed)
        while offered >= 0 {
            let (isClaimed, found) = state.compareExchange(
                expected: offered,
                desired: State.claimed,
                ordering: .acquiringAndReleasing
            )
            guard isClaimed else {
                offered = found
                continue
            }
            let copy = offered == 0 ? copied(first) : copied(second)
            state.store(State.closed, ordering: .releasing)
            return copy
        }
        return nil
    }

    /// With an array of its own: were the place's shared, the next offer would have to allocate.
    private func copied(_ place: borrowing Place) -> (sample: [Float], report: SamplingReport) {
        (place.x0.map { $0 }, base.finished(coarseSteps: place.coarseSteps))
    }

    /// From now on samples can be offered.
    ///
    /// - Parameter base: how the steps before the coarse ones were sampled.
    func open(after base: SamplingReport) {
        guard state.load(ordering: .acquiring) == State.closed else { return }
        self.base = base
        state.store(State.empty, ordering: .relaxed)
    }

    /// Offers a sample, in the place of the one before.
    ///
    /// - Parameter coarseSteps: the coarse steps that it took, at least 1.
    func offer(_ x0: Span<Float>, coarseSteps: Int) {
        let offered = state.load(ordering: .relaxed)
        guard offered >= 0 || offered == State.empty else { return }
        if offered == 0 {
            Self.fill(&second, with: x0, coarseSteps: coarseSteps)
        } else {
            Self.fill(&first, with: x0, coarseSteps: coarseSteps)
        }
        // Where it has been claimed meanwhile, the sample has been given up.
        _ = state.compareExchange(
            expected: offered,
            desired: offered == 0 ? 1 : 0,
            ordering: .acquiringAndReleasing
        )
    }

    /// The result is there: nothing can be claimed any more.
    func close() {
        var found = state.load(ordering: .relaxed)
        while found != State.closed && found != State.claimed {
            let (isClosed, now) = state.compareExchange(
                expected: found,
                desired: State.closed,
                ordering: .acquiringAndReleasing
            )
            if isClosed { return }
            found = now
        }
    }

    private static func fill(_ place: inout Place, with x0: Span<Float>, coarseSteps: Int) {
        for element in x0.indices { place.x0[element] = x0[element] }
        place.coarseSteps = coarseSteps
    }
}

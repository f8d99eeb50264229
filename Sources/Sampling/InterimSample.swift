import Synchronization

/// What a sampler with a deadline has so far: the clean sample that its last pass predicted, for another thread to take where
/// the result itself would come too late. A pass is given up when its time is over, but the machine may stop the thread that
/// is at it.
///
/// Neither thread waits for the other. There are two places for a sample: the sampling thread writes to the one that is not
/// offered and then offers that instead; whoever claims what is offered has it for itself until it is copied.
///
/// Sendable is unchecked because of the places. The sampling thread writes a place only while it is not the offered one; the
/// claiming thread reads it after an exchange that acquires what was written before the offer, and until it has read it `open`
/// offers nothing. The other variables are the sampling thread's.
public final class InterimSample: @unchecked Sendable {
    private struct Place {
        var x0: [Float]
        var report = SamplingReport.nothing
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
    private var firstStep = 0
    /// Which place has the sample that was offered last; nil where none has been since `open`.
    private var latest: Int?

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
        (place.x0.map { $0 }, place.report)
    }

    /// From now on samples can be offered.
    ///
    /// - Parameters:
    ///   - base: the window and the tolerance of the sample.
    ///   - firstStep: the first of the solver's steps whose clean sample is worth anything.
    func open(as base: SamplingReport, from firstStep: Int) {
        latest = nil
        guard state.load(ordering: .acquiring) == State.closed else { return }
        self.base = base
        self.firstStep = firstStep
        state.store(State.empty, ordering: .relaxed)
    }

    /// Whether there is a sample to fall back on, claimed or not. For the sampling thread.
    var hasSample: Bool { latest != nil }

    /// Offers the clean sample that a step predicts, in the place of the one before; before the first step that counts, nothing.
    ///
    /// - Parameters:
    ///   - step: index of the solver's step.
    ///   - frozen: elements that the sample gets its known values in.
    ///   - progress: what was done before the coarse steps.
    ///   - coarseSteps: those that the sample took, at least 1.
    func offer(
        _ x0: Span<Float>,
        of step: Int,
        frozen: borrowing FrozenElements,
        after progress: SamplingProgress,
        coarseSteps: Int
    ) {
        let offered = state.load(ordering: .relaxed)
        guard step >= firstStep, offered >= 0 || offered == State.empty else { return }
        let report = base.after(progress).finished(coarseSteps: coarseSteps)
        let place = offered == 0 ? 1 : 0
        if place == 1 {
            Self.fill(&second, with: x0, frozen: frozen, report: report)
        } else {
            Self.fill(&first, with: x0, frozen: frozen, report: report)
        }
        latest = place
        // Where it has been claimed meanwhile, the sample has been given up.
        _ = state.compareExchange(expected: offered, desired: place, ordering: .acquiringAndReleasing)
    }

    /// Copies the sample that was offered last, of which there is one. For the sampling thread.
    func copyLatest(into sample: inout MutableSpan<Float>) -> SamplingReport {
        guard let latest else { preconditionFailure("a sample is offered before it is copied") }
        return latest == 0 ? Self.copy(first, into: &sample) : Self.copy(second, into: &sample)
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

    private static func fill(
        _ place: inout Place,
        with x0: Span<Float>,
        frozen: borrowing FrozenElements,
        report: SamplingReport
    ) {
        for element in x0.indices { place.x0[element] = x0[element] }
        var sample = place.x0.mutableSpan
        frozen.restore(in: &sample)
        place.report = report
    }

    private static func copy(_ place: borrowing Place, into sample: inout MutableSpan<Float>)
        -> SamplingReport
    {
        for element in sample.indices { sample[element] = place.x0[element] }
        return place.report
    }
}

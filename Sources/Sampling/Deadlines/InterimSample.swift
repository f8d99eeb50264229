import Synchronization

/// The best result so far of a sampler with a deadline: the clean sample that its last pass predicted, or several that are
/// drawn together. Another thread takes
/// it if the result itself would be late, for example because the machine has stopped the sampling thread in the middle of
/// a pass.
///
/// Neither thread waits for the other. There are two buffers. The sampling thread writes the one that is not offered, then
/// offers it instead. A thread that claims the offered buffer owns it until it has copied it.
///
/// `@unchecked Sendable` because of the buffers. The sampling thread writes a buffer only while it is not offered. The
/// claiming thread reads it after an exchange with acquire semantics, and `open` offers nothing until that read is done.
/// Only the sampling thread uses the other variables.
public final class InterimSample: @unchecked Sendable {
    private struct Place {
        /// The first `count` elements are in use.
        var x0: [Float]
        var count = 0
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
    // Two properties instead of an array, so that each buffer is an allocation of its own.
    private var first: Place
    private var second: Place
    private var firstStep = 0
    /// Which place has the sample that was offered last; nil if none has been since `open`.
    private var latest: Int?

    init(sampleCount: Int) {
        first = Place(x0: [Float](repeating: 0, count: sampleCount))
        second = first
    }

    /// Claims the offered sample, which is then no longer offered. Sampling continues. May be called from any thread.
    ///
    /// - Returns: the sample, [sampleCount], and how it was computed; nil if none is offered.
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

    /// Copies into a new array. If the buffer's storage were shared, the next offer would have to allocate.
    private func copied(_ place: borrowing Place) -> (sample: [Float], report: SamplingReport) {
        (place.x0[..<place.count].map { $0 }, place.report)
    }

    /// From now on samples can be offered.
    ///
    /// - Parameter firstStep: index of the first step whose clean sample is meaningful.
    func open(from firstStep: Int) {
        latest = nil
        guard state.load(ordering: .acquiring) == State.closed else { return }
        self.firstStep = firstStep
        state.store(State.empty, ordering: .relaxed)
    }

    /// Whether there is a sample to fall back on, claimed or not. For the sampling thread.
    var hasSample: Bool { latest != nil }

    /// Offers the clean sample that a step predicts, and replaces the earlier offer. Ignored before `firstStep`.
    ///
    /// - Parameters:
    ///   - x0: at most as many elements as the interim sample was made for.
    ///   - step: index of the solver's step.
    ///   - frozen: elements that the sample gets its known values in.
    ///   - report: how the sample was computed, should it become the result.
    func offer(
        _ x0: Span<Float>,
        of step: Int,
        frozen: borrowing FrozenElements,
        as report: SamplingReport
    ) {
        let offered = state.load(ordering: .relaxed)
        guard step >= firstStep, offered >= 0 || offered == State.empty else { return }
        let place = offered == 0 ? 1 : 0
        if place == 1 {
            Self.fill(&second, with: x0, frozen: frozen, report: report)
        } else {
            Self.fill(&first, with: x0, frozen: frozen, report: report)
        }
        latest = place
        // A claim in the meantime means that this sample was given up.
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
        place.count = x0.count
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

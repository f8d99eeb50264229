import Synchronization

/// The best result so far of a sampler with a deadline: the clean sample that its last pass predicted, or several that are
/// drawn together. Another thread takes it if the result itself would be late, for example because the machine has stopped the
/// sampling thread in the middle of a pass.
///
/// Neither thread waits for the other. There are two buffers. The sampling thread writes the one that is not offered, then
/// offers it instead. A thread that claims the offered buffer owns it until it has copied it.
///
/// `@unchecked Sendable` because of the buffers. The sampling thread writes a buffer only while it is not offered. The
/// claiming thread reads it after an exchange with acquire semantics, and `open` offers nothing until that read is done.
/// Only the sampling thread uses the other variables.
public final class InterimSample: @unchecked Sendable {
    private struct Place {
        /// The samples, [maximumSamples, sampleSize]; the first `samples` are in use.
        var x0: [Float]
        /// How each was computed, [maximumSamples].
        var reports: [SamplingReport]
        var samples = 0
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

    private let sampleSize: Int

    /// - Parameters:
    ///   - sampleSize: the elements of a sample.
    ///   - maximumSamples: the most samples that are drawn together.
    init(sampleSize: Int, maximumSamples: Int = 1) {
        self.sampleSize = sampleSize
        func place() -> Place {
            Place(
                x0: [Float](repeating: 0, count: maximumSamples * sampleSize),
                reports: [SamplingReport](repeating: .nothing, count: maximumSamples)
            )
        }
        first = place()
        second = place()
    }

    /// Claims the offered samples, which are then no longer offered. Sampling continues. May be called from any thread.
    ///
    /// - Returns: the samples, [samples, sampleSize], and how each was computed; nil if none is offered.
    public func claim() -> (samples: [Float], reports: [SamplingReport])? {
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

    /// Copies into new arrays. If the buffer's storage were shared, the next offer would have to allocate.
    private func copied(_ place: borrowing Place) -> (samples: [Float], reports: [SamplingReport]) {
        (
            place.x0[..<(place.samples * sampleSize)].map { $0 },
            place.reports[..<place.samples].map { $0 }
        )
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

    /// Offers the clean samples that a step predicts, and replaces the earlier offer. Ignored before `firstStep`.
    ///
    /// - Parameters:
    ///   - x0: [samples, sampleSize].
    ///   - step: index of the solver's step; of several samples the earliest.
    ///   - frozen: elements that each sample gets its known values in.
    ///   - reports: how each sample was computed, should it become the result.
    ///   - samples: at most as many as the interim sample was made for.
    func offer(
        _ x0: Span<Float>,
        of step: Int,
        frozen: [FrozenElements],
        as reports: [SamplingReport],
        samples: Int
    ) {
        let offered = state.load(ordering: .relaxed)
        guard step >= firstStep, offered >= 0 || offered == State.empty else { return }
        let place = offered == 0 ? 1 : 0
        if place == 1 {
            Self.fill(&second, with: x0, frozen: frozen, reports: reports, samples: samples)
        } else {
            Self.fill(&first, with: x0, frozen: frozen, reports: reports, samples: samples)
        }
        latest = place
        // A claim in the meantime means that this sample was given up.
        _ = state.compareExchange(expected: offered, desired: place, ordering: .acquiringAndReleasing)
    }

    /// Gives samples that are not finished what was offered last; something was. For the sampling thread.
    ///
    /// - Parameter samples: [samples, sampleSize].
    func copyLatest(into samples: inout MutableSpan<Float>, progress: SamplingProgress) {
        guard let latest else { preconditionFailure("a sample is offered before it is copied") }
        for sample in 0..<progress.samples where !progress.isFinished(sample) {
            let cells = sample * sampleSize..<(sample + 1) * sampleSize
            if latest == 0 {
                for cell in cells { samples[cell] = first.x0[cell] }
                progress.reports[sample] = first.reports[sample]
            } else {
                for cell in cells { samples[cell] = second.x0[cell] }
                progress.reports[sample] = second.reports[sample]
            }
        }
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
        frozen: [FrozenElements],
        reports: [SamplingReport],
        samples: Int
    ) {
        for element in x0.indices { place.x0[element] = x0[element] }
        place.samples = samples
        for sample in 0..<samples { place.reports[sample] = reports[sample] }
        var span = place.x0.mutableSpan
        for sample in 0..<samples { frozen[sample].restore(in: &span, row: sample) }
    }
}

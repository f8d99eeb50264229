/// Elements of a sample whose clean values are known before it is drawn.
///
/// For them the network's output m is replaced by the one that implies the known value k,
///
///     m = (k / scale - fromSample x) / fromOutput        so that x_0 = k
///
/// and the solver does the rest. Its recurrence takes the known part from the initial noise through every noise level, and
/// the network sees it beside the part that is sampled. For DDPM each step then draws from q(x_t-1 | x_t, x_0 = k) (Ho et
/// al., arXiv 2006.11239, equation 6). That re-noises the known part to each timestep, as in Lugmayr et al. (*RePaint*,
/// arXiv 2201.09865, equation 8), but with noise that is consistent from step to step.
public struct FrozenElements: Sendable {
    /// The elements, a contiguous range of the sample's; empty if none is known.
    public private(set) var range = 0..<0
    /// Their values, at their place in the sample; [sampleSize].
    private var x0: [Float]
    /// The largest distance of a value from 0.
    private let limit: Float

    /// None yet. `Sampler.makeFrozenElements` makes those that fit a sampler.
    init(sampleSize: Int, limit: Float = .infinity) {
        x0 = [Float](repeating: 0, count: sampleSize)
        self.limit = limit
    }

    /// Makes `values` the known values, in the place of those before. Allocates nothing.
    ///
    /// - Parameters:
    ///   - values: the clean values of the elements `first` ..< `first` + values.count, clipped to the clip range; finite. Empty:
    ///     nothing is known.
    ///   - first: from 0; the elements must be those of a sample.
    public mutating func set(_ values: Span<Float>, from first: Int = 0) {
        precondition(
            first >= 0 && values.count <= x0.count - first,
            "\(values.count) elements from \(first) on are frozen of \(x0.count)"
        )
        for index in values.indices { x0[first + index] = min(max(values[index], -limit), limit) }
        range = first..<first + values.count
    }

    /// Nothing is known any more.
    public mutating func clear() { range = 0..<0 }

    /// The number of elements of a sample.
    var sampleSize: Int { x0.count }

    /// The clean value of an element; nil if it is not known.
    func knownValue(_ element: Int) -> Float? { range.contains(element) ? x0[element] : nil }

    /// The output of `step` that implies an element's known value for the sample given.
    @inline(__always)
    func modelOutput(of step: SolverStep, sample: Float, element: Int) -> Float {
        step.modelOutput(sample: sample, x0: x0[element])
    }

    /// Puts the known elements' outputs in the place of the network's, in a row of a batch that is of this sample.
    func replaceOutput(of batch: inout Batch, row: Int, steps: [SolverStep]) {
        guard !range.isEmpty else { return }
        let step = steps[batch.steps[row]]
        for element in range {
            let cell = row * batch.sampleSize + element
            batch.outputs[cell] = modelOutput(of: step, sample: batch.samples[cell], element: element)
        }
    }

    /// Overwrites the known elements of a result with their exact values.
    ///
    /// - Parameters:
    ///   - samples: [samples, sampleSize].
    ///   - row: which of them is this one.
    func restore(in samples: inout MutableSpan<Float>, row: Int) {
        let first = row * sampleSize
        for element in range { samples[first + element] = x0[element] }
    }
}

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
struct FrozenElements {
    /// The elements, a contiguous range of the sample's; empty if none is known.
    private(set) var range = 0..<0
    /// Their values, at their place in the sample; [sampleCount].
    private var x0: [Float]

    init(sampleCount: Int) {
        x0 = [Float](repeating: 0, count: sampleCount)
    }

    /// Makes `values` the known values of the elements from `first` on, clipped to `limit` from 0.
    mutating func set(_ values: Span<Float>, from first: Int, limit: Float) {
        for index in values.indices { x0[first + index] = min(max(values[index], -limit), limit) }
        range = first..<first + values.count
    }

    /// Nothing is known any more.
    mutating func clear() { range = 0..<0 }

    /// The output of `step` that implies an element's known value for the sample given.
    @inline(__always)
    func modelOutput(of step: SolverStep, sample: Float, element: Int) -> Float {
        step.modelOutput(sample: sample, x0: x0[element])
    }

    /// Puts the known elements' outputs in the place of the network's.
    func replaceOutputs(of batch: inout Batch, steps: [SolverStep]) {
        guard !range.isEmpty else { return }
        for row in 0..<batch.count {
            let step = steps[batch.steps[row]]
            for element in range {
                let cell = row * batch.sampleCount + element
                batch.outputs[cell] = modelOutput(
                    of: step,
                    sample: batch.samples[cell],
                    element: element
                )
            }
        }
    }

    /// Overwrites the known elements of a result with their exact values.
    func restore(in sample: inout MutableSpan<Float>) {
        for element in range { sample[element] = x0[element] }
    }
}

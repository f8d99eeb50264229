/// A pass of the network that had a part in a sample: which of the solver's steps it evaluated, and how long it took.
public struct NetworkPass: Hashable, Sendable {
    /// The window: from the earliest step that was evaluated up to the latest. Step 0 starts from the initial noise.
    public let steps: Range<Int>
    /// How many of them were evaluated: fewer than `steps` has if some were left out, as quasi-Newton sampling may.
    public let evaluations: Int
    /// How long the pass took, with the other samples that it was for.
    public let duration: Duration

    /// A pass over some of the solver's steps.
    public init(steps: Range<Int>, evaluations: Int, duration: Duration) {
        self.steps = steps
        self.evaluations = evaluations
        self.duration = duration
    }
}

import Sampling

/// What the quasi-Newton sampler has to know of a policy and of the machine it runs on, measured once.
public struct Calibration: Codable, Hashable, Sendable {
    /// What a chunk costs with a window.
    public struct Window: Codable, Hashable, Sendable {
        /// Denoising steps evaluated in one pass.
        public let window: Int
        /// The mean number of passes for a chunk.
        public let iterations: Double
        /// The mean number of (sample, timestep) pairs evaluated for a chunk.
        public let evaluations: Double
        /// The time of those passes when nothing disturbs them.
        public let milliseconds: Double
        /// The chunks that were sampled: the batch size of each of their passes, in their order.
        public let chunks: [[Int]]

        package init(
            window: Int,
            iterations: Double,
            evaluations: Double,
            milliseconds: Double,
            chunks: [[Int]] = []
        ) {
            self.window = window
            self.iterations = iterations
            self.evaluations = evaluations
            self.milliseconds = milliseconds
            self.chunks = chunks
        }
    }

    /// How the network's output follows its sample.
    public let linearization: OutputLinearization
    /// What a chunk is likely to be; nil if every chunk is guessed alike.
    package let firstGuess: FirstGuess?
    /// What passes take, up to the widest window.
    public let forwardTimes: ForwardTimes
    /// What chunks take, by window; those that are far from the fastest are left out.
    public let windows: [Window]

    package init(
        linearization: OutputLinearization,
        firstGuess: FirstGuess?,
        forwardTimes: ForwardTimes,
        windows: [Window]
    ) {
        self.linearization = linearization
        self.firstGuess = firstGuess
        self.forwardTimes = forwardTimes
        self.windows = windows
    }

    /// The window with which a chunk takes the least time.
    public var fastestWindow: Int {
        windows.min { $0.milliseconds < $1.milliseconds }?.window ?? 1
    }

    /// What was measured of the window that is nearest to one; nil if nothing was.
    public func window(nearest wanted: Int) -> Window? {
        windows.min { abs($0.window - wanted) < abs($1.window - wanted) }
    }

    /// Wider windows evaluate more than they save, on any machine whose passes cost more for larger batches.
    package static let widestWindow = 32
}

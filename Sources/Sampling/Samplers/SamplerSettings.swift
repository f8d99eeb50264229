/// How a policy's samples are drawn.
public struct SamplerSettings: Hashable, Sendable {
    /// How the solver's steps are carried out.
    public enum Method: Hashable, Sendable {
        /// One step after the other.
        case sequential
        /// ParaDiGMS, as published (arXiv 2305.16317, algorithm 1).
        ///
        /// `window` is the number of timesteps evaluated in one batch, at least 1; a window larger than the number of
        /// steps means all of them. `tolerance` is in standard deviations of a step's noise, finite and not negative;
        /// at 0 the result is the sequential sampler's.
        case paradigms(window: Int, tolerance: Float)
        /// Quasi-Newton sweeps over a window: several times fewer evaluations than ParaDiGMS.
        ///
        /// `window` as for ParaDiGMS, or nil for the one that is fastest on this machine, which `DiffusionPolicy` finds
        /// out; a `Sampler` by itself takes 8. `tolerance` is the deviation from the sequential sample that is aimed at, in the
        /// sample's own normalised units, finite and not negative; at 0 the result is the sequential sampler's.
        case quasiNewton(window: Int?, tolerance: Float)

        /// The window asked for, if any; 1 if there is none to slide.
        public var window: Int? {
            switch self {
            case .sequential: 1
            case .paradigms(let window, _): window
            case .quasiNewton(let window, _): window
            }
        }

        /// The tolerance asked for; 0 if nothing is left out.
        public var tolerance: Float {
            switch self {
            case .sequential: 0
            case .paradigms(_, let tolerance), .quasiNewton(_, let tolerance): tolerance
            }
        }

        /// What the command line and messages call it.
        public var name: String {
            switch self {
            case .sequential: "sequential"
            case .paradigms: "paradigms"
            case .quasiNewton: "quasi-newton"
            }
        }
    }

    /// The solver.
    public var solver: Solver
    /// N, the number of solver steps, from 1 to the policy's number of training timesteps.
    public var numInferenceSteps: Int
    /// How the steps are carried out.
    public var method: Method
    /// The last steps, which alone are taken by a sample that starts from a re-noised guess: 1 to `numInferenceSteps`. Nil: every
    /// sample starts from noise alone.
    public var warmSteps: Int?

    /// Creates settings; they are checked where a `Sampler` is made from them.
    public init(
        solver: Solver,
        numInferenceSteps: Int,
        method: Method = .sequential,
        warmSteps: Int? = nil
    ) {
        self.solver = solver
        self.numInferenceSteps = numInferenceSteps
        self.method = method
        self.warmSteps = warmSteps
    }
}

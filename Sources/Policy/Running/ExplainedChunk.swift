import Sampling

/// A chunk, and how it came about pass by pass.
public struct ExplainedChunk: Sendable {
    /// A pass of the network.
    public struct Pass: Sendable {
        /// The denoising steps that it evaluated, in the order of `samples` and `predictions`; step 0 starts from the initial noise.
        public let steps: [Int]
        /// The sample that each of them started from, on the network's scale: [steps, horizon * actionDim].
        public let samples: [[Float]]
        /// What each of them predicts that the robot is to do, in the robot's units: [steps, horizon * actionDim].
        public let predictions: [[Float]]
    }

    /// The chunk, as without an explanation; the times of its passes are in it.
    public let chunk: ActionChunk
    /// The passes, in their order.
    public let passes: [Pass]
    /// The training timestep of each denoising step, [numInferenceSteps].
    public let timesteps: [Int]
}

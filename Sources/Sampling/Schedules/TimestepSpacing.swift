/// Which of the training timesteps 0 ..< T a sampler visits. Both spacings are diffusers'; every function returns the
/// timesteps in the order they are visited, noisiest first.
enum TimestepSpacing {
    /// Multiples of T / N rounded down, from (N - 1) (T / N) to 0.
    static func leading(numInferenceSteps: Int, numTrainTimesteps: Int) -> [Int] {
        let stride = numTrainTimesteps / numInferenceSteps
        return (0..<numInferenceSteps).reversed().map { $0 * stride }
    }

    /// N + 1 evenly spaced points from T - 1 to 0, rounded half to even, without the 0. With N = T one timestep occurs
    /// twice.
    static func linspace(numInferenceSteps: Int, numTrainTimesteps: Int) -> [Int] {
        let stride = Double(numTrainTimesteps - 1) / Double(numInferenceSteps)
        let belowLast = (1..<numInferenceSteps).reversed().map { index in
            Int((Double(index) * stride).rounded(.toNearestOrEven))
        }
        return [numTrainTimesteps - 1] + belowLast
    }
}

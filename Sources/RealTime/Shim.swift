import Wire
public enum ChunkStrategy: String, CaseIterable, Sendable { case receding, blend, ensemble, inpaint }
public enum ActionInterpolation: Sendable { case hold, linear, cubic }
extension ChunkSchedule {
    public func action(at step: Double, interpolation: ActionInterpolation) -> [Float]? {
        action(at: UInt64(step))?.values
    }
    public func committedActions(from sequence: UInt64) -> [[Float]] { [] }
}
extension ChunkSchedule.Settings {
    public init(
        mode: ChunkSchedule.Mode,
        strategy: ChunkStrategy,
        period: Duration,
        actionSteps: Int,
        predictedSteps: Int
    ) {
        self.init(
            mode: mode,
            period: period,
            actionSteps: actionSteps,
            predictedSteps: predictedSteps,
            crossFade: 2
        )
    }
}

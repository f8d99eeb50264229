/// How one chunk goes over into the next while the robot moves. The raw values are those of the command line and of messages.
public enum ChunkStrategy: String, Sendable, Hashable, CaseIterable {
    /// As published (Chi et al., *Diffusion Policy*, arXiv 2303.04137): a chunk takes over with the action meant for the step, at
    /// once. Nothing joins the two predictions.
    case receding
    /// As receding, with a cross-fade from the old prediction to the new one over the first steps.
    case blend
    /// Temporal ensembling (Zhao et al., *ACT*, arXiv 2304.13705, section IV-B): what successive chunks predict for a step is
    /// averaged with weights exp(-m i), i = 0 for the oldest. A chunk is asked for at every step, as far as the planner can
    /// plan.
    case ensemble
    /// As receding, but the planner is handed the actions that will be carried out before the chunk can take over. They are
    /// frozen, and the chunk goes on from them, with a cross-fade after them.
    case inpaint

    /// m of the ensemble's weights, as published.
    public static let ensembleDecay = 0.01

    /// What measured best (docs/BENCHMARKS.md).
    public static let standard = ChunkStrategy.blend

    /// The control steps over which a chunk fades into the next unless told otherwise.
    public var standardCrossFade: Int {
        switch self {
        case .receding, .ensemble: 0
        case .blend, .inpaint: 2
        }
    }
}

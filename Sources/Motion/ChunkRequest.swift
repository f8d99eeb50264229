import Robotics

/// What a robot asks its planner for at a control step.
public struct ChunkRequest: Sendable, Hashable {
    /// The control step whose observation asks.
    public let step: UInt64
    /// What will be carried out at `step`, `step` + 1, ... before the chunk can take over: to be frozen in it. Nil if the
    /// strategy freezes nothing, or nothing is planned.
    public let committed: ActionRows?
}

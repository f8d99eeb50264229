/// How a robot is, as far as its daemon decides.
public enum RobotState: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// Nothing to carry out yet, or no more.
    case idle
    /// A chunk is carried out.
    case running
    /// Brought to rest and kept there until there is something to carry out again.
    case holding
    /// Brought to rest, and nothing more is sent until somebody resumes it.
    case stopped
    /// As stopped, because the policy failed.
    case faulted

    /// As messages write it.
    public var description: String { rawValue }
}

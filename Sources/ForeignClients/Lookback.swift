import Robotics

/// Where the policy's earlier observations come from when a client sends fewer time steps than the policy looks back on.
public enum Lookback: String, Sendable, Hashable, CaseIterable {
    /// From nowhere: every request must hold them all, and others are refused.
    case request
    /// The first time step of the request stands in for those before it, as at the start of an episode.
    case repeated
    /// From the client's requests before. Right only for a client that asks at every control step.
    case calls

    /// Brings observations up to as many as the policy looks back on, where this is done from a request alone.
    ///
    /// - Parameter rows: the observations of a request, oldest first; at least one.
    /// - Returns: false if there are too few and more are not to be had.
    package func complete(_ rows: inout [Observation], steps: Int) -> Bool {
        guard rows.count < steps else { return true }
        switch self {
        case .calls: return true
        case .repeated:
            rows = Array(repeating: rows[0], count: steps - rows.count) + rows
            return true
        case .request: return false
        }
    }
}

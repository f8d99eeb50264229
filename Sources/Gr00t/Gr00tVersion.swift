/// The version of Isaac-GR00T whose messages a client of a policy server speaks. Versions differ in the answer to
/// `get_modality_config` and in both directions of `get_action`.
public enum Gr00tVersion: String, Sendable, Hashable, CaseIterable {
    /// N1.5, with messages in MessagePack: `BaseInferenceClient` in `gr00t/eval/service.py`, `RobotInferenceClient` in
    /// `gr00t/eval/robot.py` and `Gr00tPolicy` in `gr00t/model/policy.py`.
    case n15 = "N1.5"
    /// N1.6 and later: `PolicyClient` in `gr00t/policy/server_client.py`.
    case n16 = "N1.6"

    /// The name of an array in a modality (`video`, `state` or `action`), as clients of this version list it: `arm` in N1.6, and
    /// `state.arm` in N1.5. `key` may have the modality in front or not.
    public func name(of key: String, in group: String) -> String {
        let prefix = group + "."
        let name = key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : key
        return switch self {
        case .n15: prefix + name
        case .n16: name
        }
    }
}

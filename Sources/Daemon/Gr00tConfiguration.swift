import Gr00t
import Robotics
import Wire

/// The socket for robots that were written against a GR00T policy server.
public struct Gr00tConfiguration: Sendable {
    /// Where to listen.
    public var endpoint: String
    /// What a client's `api_token` must be; nil: none is asked for.
    public var token: String?
    /// How the client's names relate to the policy's; nil: `Gr00tMapping.init(standardFor:)`.
    public var mapping: Gr00tMapping?
    /// What a request may hold.
    public var limits: MessagePackLimits = Gr00tRequest.limits

    /// Listens at `endpoint`, asks for no token and maps names to themselves.
    public init(endpoint: String) {
        self.endpoint = endpoint
    }

    /// The mapping, checked against the policy.
    /// - Throws: `Gr00tMappingError` if the two do not go together.
    func mapping(for policy: PolicyDescription) throws(Gr00tMappingError) -> Gr00tMapping {
        let mapping = mapping ?? Gr00tMapping(standardFor: policy)
        try mapping.check(policy)
        return mapping
    }
}

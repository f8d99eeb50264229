import ForeignClients
import HTTP
import OpenPI
import Robotics
import Wire

/// The server for robots that were written against an openpi policy server.
public struct OpenPIConfiguration: Sendable {
    /// Where to listen.
    public var address: HTTPAddress
    /// What a client's `Authorization: Api-Key` must be; nil: none is asked for.
    public var key: String?
    /// How the client's names relate to the policy's; nil: `OpenPIMapping.init(standardFor:)`.
    public var mapping: OpenPIMapping?
    /// What a message may hold.
    public var limits: MessagePackLimits = OpenPIRequest.limits

    /// Listens at `address`, asks for no key and maps names to themselves.
    public init(address: HTTPAddress) {
        self.address = address
    }

    /// The mapping, checked against the policy.
    /// - Throws: `ClientNamesError` if the two do not go together.
    func mapping(for policy: PolicyDescription) throws(ClientNamesError) -> OpenPIMapping {
        let mapping = mapping ?? OpenPIMapping(standardFor: policy)
        try mapping.check(policy)
        return mapping
    }
}

/// Why nobody listens for openpi clients.
public struct OpenPIListenError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The address and what the system said.
    public let description: String
}

import ForeignText
import Policy
import Robotics

/// What the socket thread needs to know of a planner.
package struct PlannerFacts: Sendable {
    package let policy: PolicyDescription
    /// What a robot may send besides the policy's features.
    package let ignoredFeatures: Set<String>
    /// What a robot's history begins as.
    package let emptyHistory: ObservationHistory
    /// What the planner has of a chunk before it is done.
    package let interim: (any InterimChunk)?
    /// Bytes of the weights that the planner keeps in memory.
    package let weightBytes: Int

    init(_ planner: some ChunkPlanner) {
        policy = planner.policy
        ignoredFeatures = planner.ignoredFeatures
        emptyHistory = planner.makeHistory()
        interim = planner.interim
        weightBytes = planner.weightBytes
    }
}

/// The policies of a daemon, each with a name of its own, in the order in which they were given.
///
/// The only policy of a daemon drives every robot. Of several none is the default: a robot names its policy in a `reset`, so that
/// one that was never told, or that speaks to a daemon that was started anew, is not driven by another's policy.
package struct ServedPolicies: Sendable {
    /// At least one.
    package let facts: [PlannerFacts]

    init(_ facts: [PlannerFacts]) {
        precondition(!facts.isEmpty, "no policy")
        self.facts = facts
    }

    package subscript(index: Int) -> PlannerFacts { facts[index] }

    /// Their sizes.
    package var descriptions: [PolicyDescription] { facts.map(\.policy) }

    /// The policy of a robot that has named none; nil: it must name one.
    package var standard: Int? { facts.count == 1 ? 0 : nil }

    /// The index of a policy.
    ///
    /// - Throws: `MessageError` `unknown_policy`, which says what there is.
    package func index(named name: String) throws(MessageError) -> Int {
        guard let index = facts.firstIndex(where: { $0.policy.name == name }) else {
            throw MessageError(
                .unknownPolicy,
                field: "policy",
                "found \"\(printable(name, limit: 64))\", expected \(names)"
            )
        }
        return index
    }

    /// What a robot is told that has named no policy.
    package func unnamed(by robot: RobotID) -> MessageError {
        MessageError(
            .noPolicy,
            field: "robot",
            "\(robot) has named no policy since its last reset or start; expected a reset with policy \(names) before"
        )
    }

    /// For people.
    private var names: String { facts.map(\.policy.name).joined(separator: " or ") }
}

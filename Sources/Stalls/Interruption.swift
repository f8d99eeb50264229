import Synchronization

/// Asks for the end of a pass of the network, from any thread: somebody waits for what it keeps the network from.
///
/// The threads of a pass look at it between two layers. It stays asked for until it is cleared, so a pass that begins afterwards
/// ends at once as well.
public final class Interruption: Sendable {
    private let flag = Atomic<Bool>(false)

    /// Nothing is asked for yet.
    public init() {}

    /// Whether the pass is to end.
    public var isAsked: Bool { flag.load(ordering: .relaxed) }

    /// Asks for the end of the pass.
    public func ask() { flag.store(true, ordering: .relaxed) }

    /// Lets passes run again.
    public func clear() { flag.store(false, ordering: .relaxed) }
}

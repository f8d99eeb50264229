import Robotics
import Synchronization

/// An order of a person that reached the daemon by another way than its sockets.
struct PersonalOrder: Sendable {
    /// What is wanted.
    let order: RobotOrder
    /// Of whom; nil: of every robot, those heard of later too.
    let robot: RobotID?
    /// Who wants it, for the log: the way and the address.
    let origin: String
    /// Gets what has become of it, once, on the socket thread.
    let answer: @Sendable (Result<OrderOutcome, MessageError>) -> Void
}

/// Orders on their way from other threads to the socket thread, which carries them out.
final class OrderBox: Sendable {
    private struct State {
        var orders: [PersonalOrder] = []
        var isClosed = false
    }

    /// The most orders that wait.
    static let mostWaiting = 64

    private let state = Mutex(State())
    private let wakeUp: @Sendable () -> Void

    /// - Parameter wakeUp: wakes the socket thread.
    init(wakeUp: @escaping @Sendable () -> Void) { self.wakeUp = wakeUp }

    /// Puts an order into the box. One that finds no room, or no daemon any more, is answered at once.
    func put(_ order: PersonalOrder) {
        let refusal = state.withLock { state -> MessageError? in
            if state.isClosed { return Self.ending }
            // A stop always finds room: those that ask for it are bounded by their connections.
            if state.orders.count >= Self.mostWaiting, order.order != .stop {
                return MessageError(.busy, "as many orders as may wait do already")
            }
            state.orders.append(order)
            return nil
        }
        if let refusal { order.answer(.failure(refusal)) } else { wakeUp() }
    }

    /// The orders that wait, stops first.
    func take() -> [PersonalOrder] {
        let orders = state.withLock { state in
            defer { state.orders = [] }
            return state.orders
        }
        return orders.filter { $0.order == .stop } + orders.filter { $0.order != .stop }
    }

    /// Refuses what waits and what comes later.
    func close() {
        let orders = state.withLock { state in
            defer { state = State(isClosed: true) }
            return state.orders
        }
        for order in orders { order.answer(.failure(Self.ending)) }
    }

    private static let ending = MessageError(.stopping, "the daemon is ending")
}

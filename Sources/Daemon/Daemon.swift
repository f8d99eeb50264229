import CLinux
import Clocks
import ForeignText
import Foundation
import Logging
import Planning
import Robotics
import Stalls
import Synchronization
import Transport
import Wire

/// The controller: takes observations, plans action chunks, publishes them.
///
/// Two threads: one owns the sockets and the robots' histories and answers requests at once, the other owns the planners, one for each
/// policy, and samples one chunk at a time. A daemon starts once and stops once.
public final class Daemon: Sendable {
    /// The context of the daemon's sockets, which embedders share to reach its `inproc` endpoints.
    public let context: ZeroMQContext
    private let configuration: DaemonConfiguration
    private let telemetry: Telemetry
    private let wakeUp: WakeUp
    private let mailbox: PlannerMailbox
    private let orders: OrderBox
    private let admission: ClientAdmission?
    private let startPlanner:
        @Sendable (PlannerMailbox, OneShot<Result<ServedPolicies, any Error>>, OneShot<Void>) -> Void
    private let stopFlag = Flag()
    private let startFlag = Flag()
    private let served = Mutex<ServedPolicies?>(nil)
    private let plannerReady = OneShot<Result<ServedPolicies, any Error>>()
    private let plannerEnded = OneShot<Void>()
    private let socketsEnded = OneShot<ZeroMQError?>()

    /// A daemon that has not started.
    ///
    /// - Parameters:
    ///   - configuration: where it listens, and what it accepts.
    ///   - context: the context to make the sockets in; a new one unless given.
    ///   - makePlanner: called by ``start()`` on the planner's thread, which alone uses what it returns. It gets what watches
    ///     for a core that stops while a chunk is planned; a planner may do without.
    /// - Throws: `ZeroMQError` if the system has no descriptor left, or, with `security`, if the context has a
    ///   `CurveAuthority` already.
    public convenience init<Planner: ChunkPlanner>(
        configuration: DaemonConfiguration,
        context: ZeroMQContext? = nil,
        makePlanner: @escaping @Sendable (StallWatch) throws -> Planner
    ) throws(ZeroMQError) {
        try self.init(configuration: configuration, context: context, makePlanners: { [try makePlanner($0)] })
    }

    /// A daemon of several policies that has not started.
    ///
    /// - Parameters:
    ///   - configuration: where it listens, and what it accepts.
    ///   - context: the context to make the sockets in; a new one unless given.
    ///   - makePlanners: as `makePlanner` of the other initialiser; returns a planner for each policy, at least one, whose policies'
    ///     names differ.
    /// - Throws: as the other initialiser.
    public init<Planner: ChunkPlanner>(
        configuration: DaemonConfiguration,
        context: ZeroMQContext? = nil,
        makePlanners: @escaping @Sendable (StallWatch) throws -> [Planner]
    ) throws(ZeroMQError) {
        if let context { self.context = context } else { self.context = try ZeroMQContext() }
        self.configuration = configuration
        telemetry = Telemetry(tap: configuration.tap, lostLogLines: configuration.lostLogLines)
        wakeUp = try WakeUp()
        mailbox = PlannerMailbox(wakeUp: { [wakeUp] in wakeUp.signal() })
        orders = OrderBox(wakeUp: { [wakeUp] in wakeUp.signal() })
        admission = try ClientAdmission(
            configuration: configuration,
            context: self.context,
            telemetry: telemetry
        )
        startPlanner = { mailbox, ready, ended in
            PlannerThread.start(
                mailbox: mailbox,
                budgetNs: configuration.budgetNs,
                ready: ready,
                ended: ended,
                makePlanners: makePlanners
            )
        }
    }

    deinit { stop() }

    /// What the daemon has done so far; may be asked from any thread and at any time.
    public var statistics: DaemonStatistics { telemetry.snapshot() }

    /// The heartbeat that was published last, at most a tenth of a second old while the daemon works; nil before the
    /// first. May be asked from any thread and at any time, and keeps nobody waiting.
    public var status: StatusMessage? { telemetry.status }

    /// What the daemon runs and how it samples; empty until the planners have been made.
    public var policies: [ServedPolicy] {
        served.withLock { $0 }.map { configuration.told($0, mailbox.tunings) } ?? []
    }

    /// Since when the planner has been at one chunk; nil if it is at none.
    var planningSince: MonotonicTime? { mailbox.busySince }

    /// Has an order of a person carried out, as requests of clients are, before anything that waits to be read.
    /// Returns at once. May be called from any thread.
    ///
    /// - Parameters:
    ///   - robot: nil: every robot, those heard of later too; not for `hold`.
    ///   - origin: who wants it, for the log and for the reason that the robot is stopped for: the way and the address.
    ///   - answer: gets what has become of it, once, on another thread, and must not wait for anything. A failure is `newer_stop`,
    ///     `busy`, `forbidden` or `stopping`.
    public func carryOut(
        _ order: RobotOrder,
        of robot: RobotID?,
        origin: String,
        answer: @escaping @Sendable (Result<OrderOutcome, MessageError>) -> Void
    ) {
        orders.put(PersonalOrder(order: order, robot: robot, origin: origin, answer: answer))
    }

    /// Whether the daemon works; may be asked from any thread and at any time.
    public var health: DaemonHealth { Self.health(telemetry, mailbox) }

    private static func health(_ telemetry: Telemetry, _ mailbox: PlannerMailbox) -> DaemonHealth {
        DaemonHealth(
            heartbeat: telemetry.status.map { MonotonicTime(nanoseconds: $0.monotonicNs) },
            planningSince: mailbox.busySince,
            now: .now()
        )
    }

    /// Makes the planner and the sockets, and begins to work.
    ///
    /// - Returns: the endpoints, with wildcard ports resolved.
    /// - Throws: what `makePlanner` throws; `ClientNamesError` if a mapping does not go with the policy; ``SeveralPoliciesError`` for what
    ///   goes with one policy only;
    ///   `ZeroMQError` if an endpoint cannot be bound or connected, ``OpenPIListenError`` if that of openpi cannot; `RealTimePriorityError` if the priority is not
    ///   to be had any more; ``DaemonStopped`` if the daemon is asked to end before it serves.
    @discardableResult
    public func start() throws -> InfoMessage.Endpoints {
        precondition(startFlag.set(), "a daemon starts once")
        startPlanner(mailbox, plannerReady, plannerEnded)
        let policies: ServedPolicies
        do {
            policies = try plannerReady.wait().get()
            try configuration.check(policies.descriptions)
            served.withLock { $0 = policies }
        } catch {
            mailbox.close()
            orders.close()
            socketsEnded.set(nil)
            throw error
        }

        let socketsReady = OneShot<Result<InfoMessage.Endpoints, any Error>>()
        startSockets(policies, ready: socketsReady)
        do {
            let endpoints = try socketsReady.wait().get()
            let named = [
                ("observations", endpoints.observations), ("chunks", endpoints.chunks),
                ("requests", endpoints.requests), ("gr00t", endpoints.gr00t), ("openpi", endpoints.openpi),
            ]
            let shown = named.compactMap { name, endpoint in
                endpoint.map { "\(name) \(printable($0, limit: 256))" }
            }
            configuration.logger.info("\(shown.joined(separator: ", "))")
            return endpoints
        } catch {
            throw error
        }
    }

    /// Reads the folder of client keys again; a folder that cannot be used is logged and changes nothing. May be called
    /// from any thread.
    ///
    /// - Returns: whether the clients of the folder are the ones let in now.
    @discardableResult
    public func reloadClients() -> Bool { admission?.reload() ?? false }

    /// Whether the daemon has brought its robots to rest and sends nothing any more. May be asked from any thread.
    public var isAtRest: Bool { socketsEnded.hasValue }

    /// Asks the daemon to end, and returns at once. May be called from any thread and more than once. A daemon that has not
    /// its planner yet does not wait for it: ``start()`` throws.
    public func requestStop() {
        stopFlag.set()
        plannerReady.set(.failure(DaemonStopped()))
        wakeUp.signal()
    }

    /// Waits until the daemon has ended: after ``requestStop()``, or because a socket failed.
    /// - Throws: `ZeroMQError` if a socket failed.
    public func waitUntilStopped() throws(ZeroMQError) {
        guard startFlag.isSet else { return }
        let failure = socketsEnded.wait()
        plannerEnded.wait()
        admission?.stop()
        if let failure { throw failure }
    }

    /// Ends the daemon and waits for it: the chunk being sampled is finished and not sent, what waits is dropped.
    public func stop() {
        requestStop()
        do {
            try waitUntilStopped()
        } catch {
            configuration.logger.error("a socket failed: \(error)")
        }
    }

    private func startSockets(
        _ policies: ServedPolicies,
        ready: OneShot<Result<InfoMessage.Endpoints, any Error>>
    ) {
        // The thread holds the daemon's parts and not the daemon, so that dropping the daemon ends the thread.
        let (configuration, context, mailbox, telemetry) = (configuration, context, mailbox, telemetry)
        let (wakeUp, orders, ended) = (wakeUp, orders, socketsEnded)
        let stopFlag = stopFlag
        let thread = Thread {
            dn_name_this_thread("sockets")
            defer {
                mailbox.close()
                orders.close()
            }
            var openPI: OpenPIEndpoint?
            let loop: SocketLoop
            do {
                openPI = try OpenPIEndpoint(
                    configuration: configuration,
                    policy: policies[0].policy,
                    telemetry: telemetry,
                    health: { Self.health(telemetry, mailbox) },
                    wakeUp: { wakeUp.signal() }
                )
                loop = try SocketLoop(
                    configuration: configuration,
                    context: context,
                    policies: policies,
                    mailbox: mailbox,
                    orders: orders,
                    openPI: openPI,
                    telemetry: telemetry
                )
                try configuration.priority?.takeOnThisThread()
            } catch {
                openPI?.stop()
                ready.set(.failure(error))
                ended.set(nil)
                return
            }
            ready.set(.success(loop.endpoints))
            do throws(ZeroMQError) {
                try loop.run(wakeUp: wakeUp, isStopping: { stopFlag.isSet })
                openPI?.stop()
                ended.set(nil)
            } catch {
                openPI?.stop()
                ended.set(error)
            }
        }
        thread.start()
    }
}

/// The daemon was asked to end before it served anybody.
public struct DaemonStopped: Error, CustomStringConvertible {
    /// In words.
    public var description: String { "the daemon was asked to end before it served" }
}

/// A flag that any thread may set, and none clears.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    /// Sets the flag. Returns whether it was clear before.
    @discardableResult
    func set() -> Bool { !value.exchange(true, ordering: .acquiringAndReleasing) }
}

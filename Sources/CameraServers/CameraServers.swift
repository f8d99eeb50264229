import CLinux
import Clocks
import Dispatch
import ForeignText
import Foundation
import Logging
import Robotics
import Synchronization
import Transport

/// A thread that reads camera servers, decodes what they send, and puts it on a board.
///
/// It has its own sockets, so that neither long messages nor decoding hold up observations and commands.
public final class CameraServers: Sendable {
    /// How often a server that is silent is logged, in nanoseconds.
    private static let reminderNs: UInt64 = 60_000_000_000

    /// Where the frames are.
    public let board: CameraBoard
    private let cameras: [CameraDescription]
    private let context: ZeroMQContext
    private let logger: Logger
    private let refuse: @Sendable (_ endpoint: String, _ error: MessageError) -> Void
    private let wakeUp: WakeUp
    private let isStopping = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)
    private let hasStarted = Atomic(false)

    /// - Parameters:
    ///   - cameras: the policy's, among them that of each source.
    ///   - refuse: is told of each message, or picture, that cannot be used. Called on the thread that reads.
    /// - Throws: `ZeroMQError` if the system has no descriptor left.
    public init(
        board: CameraBoard,
        cameras: [CameraDescription],
        context: ZeroMQContext,
        logger: Logger,
        refuse: @escaping @Sendable (_ endpoint: String, _ error: MessageError) -> Void
    ) throws(ZeroMQError) {
        self.board = board
        self.cameras = cameras
        self.context = context
        self.logger = logger
        self.refuse = refuse
        wakeUp = try WakeUp()
    }

    /// Connects to the servers, whether they are there or not, and begins to read them.
    ///
    /// - Throws: `ZeroMQError` for an endpoint that cannot be connected.
    public func start() throws(ZeroMQError) {
        precondition(!hasStarted.exchange(true, ordering: .acquiringAndReleasing), "starts once")
        let connected = DispatchSemaphore(value: 0)
        let failure = Mutex<ZeroMQError?>(nil)
        let thread = Thread { [self] in
            dn_name_this_thread("cameras")
            defer { ended.signal() }
            let feeds: [CameraFeed]
            do throws(ZeroMQError) {
                feeds = try connect()
            } catch {
                failure.withLock { $0 = error }
                connected.signal()
                return
            }
            connected.signal()
            read(feeds)
        }
        thread.start()
        connected.wait()
        if let error = failure.withLock({ $0 }) {
            stop()
            throw error
        }
    }

    /// Ends the thread, and waits for it.
    public func stop() {
        guard hasStarted.load(ordering: .acquiring),
            !isStopping.exchange(true, ordering: .acquiringAndReleasing)
        else { return }
        wakeUp.signal()
        ended.wait()
    }

    private func connect() throws(ZeroMQError) -> [CameraFeed] {
        var feeds: [CameraFeed] = []
        for endpoint in Set(board.sources.map(\.endpoint)).sorted() {
            let refuse = refuse
            feeds.append(
                try CameraFeed(endpoint: endpoint, cameras: cameras, board: board, context: context) {
                    refuse(endpoint, $0)
                }
            )
        }
        return feeds
    }

    private func read(_ feeds: [CameraFeed]) {
        var silences: [String: MonotonicTime] = [:]
        do throws(ZeroMQError) {
            while !isStopping.load(ordering: .acquiring) {
                let hasMessage = try ZeroMQSocket.wait(
                    for: feeds.map(\.socket),
                    wakeUp: wakeUp,
                    timeout: .seconds(1)
                )
                let now = MonotonicTime.now()
                for (feed, hasMessage) in zip(feeds, hasMessage) {
                    if hasMessage {
                        guard try feed.receive() else { continue }
                        logger.info("\(shown(feed)): the camera server sends again")
                        silences[feed.endpoint] = nil
                    } else if try feed.callAgainIfSilent(now: now) || isDue(silences[feed.endpoint], now) {
                        logger.warning(
                            "\(shown(feed)): nothing comes from the camera server; it is called anew"
                        )
                        silences[feed.endpoint] = now
                    }
                }
            }
        } catch {
            logger.critical("no camera server is read any more: \(error)")
        }
    }

    private func isDue(_ logged: MonotonicTime?, _ now: MonotonicTime) -> Bool {
        logged.map { now.elapsedNs(since: $0) >= Self.reminderNs } ?? false
    }

    private func shown(_ feed: CameraFeed) -> String { printable(feed.endpoint, limit: 256) }
}

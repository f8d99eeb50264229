import CameraServers
import Clocks
import ForeignText
import Robotics
import Synchronization
import Transport

extension CameraServers {
    /// Begins to read the camera servers of a daemon; nil: it has none.
    ///
    /// What cannot be used is counted with what is rejected, and logged: one line a second for each reason.
    ///
    /// - Throws: `ZeroMQError` for an endpoint that cannot be connected.
    static func reading(_ loop: LoopContext, context: ZeroMQContext) throws(ZeroMQError) -> CameraServers? {
        guard let board = loop.cameraBoard else { return nil }
        let (telemetry, logger) = (loop.telemetry, loop.configuration.logger)
        let limiter = Mutex(LogLimiter<MessageError.Code>())
        let servers = try CameraServers(
            board: board,
            cameras: loop.policies.descriptions.flatMap(\.cameras),
            context: context,
            logger: logger
        ) { endpoint, error in
            telemetry.countRejection(error.code)
            guard let suppressed = limiter.withLock({ $0.admit(error.code, now: .now()) }) else { return }
            let more = suppressed > 0 ? " (and \(suppressed) more since the last such line)" : ""
            let server = printable(endpoint, limit: 256)
            logger.warning(
                "\(server): rejected a camera server's frames, \(error.code.rawValue): \(error)\(more)"
            )
        }
        try servers.start()
        return servers
    }
}

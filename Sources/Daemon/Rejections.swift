import Clocks
import Logging
import Robotics

/// Counts what is not done, and logs it: one line a second for each reason.
final class Rejections {
    private let telemetry: Telemetry
    private let logger: Logger
    private var limiter = LogLimiter<MessageError.Code>()

    init(telemetry: Telemetry, logger: Logger) {
        self.telemetry = telemetry
        self.logger = logger
    }

    /// Counts and logs a message that is not used.
    ///
    /// - Parameter socket: where it came in.
    func reject(_ error: MessageError, from socket: String) {
        if error.code == .stale {
            telemetry.count { $0.staleObservations += 1 }
        } else {
            telemetry.countRejection(error.code)
        }
        log(error, "\(socket): rejected a message")
    }

    /// Logs an error, unless one of the same code was logged within the last second.
    func log(_ error: MessageError, _ event: String) {
        guard let suppressed = limiter.admit(error.code, now: .now()) else { return }
        let more = suppressed > 0 ? " (and \(suppressed) more since the last such line)" : ""
        logger.warning("\(event), \(error.code.rawValue): \(error)\(more)")
    }
}

import Dispatch
import Foundation
import Logging

/// Logs a warning at once, and again after each interval for as long as the object lives.
public final class RecurringWarning: Sendable {
    private let end = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - message: the line.
    ///   - logger: where it is logged.
    ///   - interval: the time between two lines, positive.
    public init(_ message: String, logger: Logger, interval: Duration = .seconds(60)) {
        let end = end
        let seconds = interval / .seconds(1)
        let thread = Thread {
            Thread.current.name = "warning"
            repeat { logger.warning("\(message)") } while end.wait(timeout: .now() + seconds) == .timedOut
        }
        thread.start()
    }

    deinit { end.signal() }
}

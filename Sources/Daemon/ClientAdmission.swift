import Clocks
import ForeignText
import Logging
import Robotics
import Synchronization
import Transport

/// Lets in the clients of a daemon's folder, and counts and logs those that are kept out.
final class ClientAdmission: Sendable {
    private let folder: String
    private let authority: CurveAuthority
    private let logger: Logger

    /// Nil if the configuration has no security.
    /// - Throws: `ZeroMQError` if the context has an authority already.
    init?(
        configuration: DaemonConfiguration,
        context: ZeroMQContext,
        telemetry: Telemetry
    ) throws(ZeroMQError) {
        guard let security = configuration.security else { return nil }
        let logger = configuration.logger
        let log = Mutex(LogLimiter<MessageError.Code>())
        folder = security.clientFolder
        self.logger = logger
        authority = try CurveAuthority(context: context, allowing: security.clients) { event in
            let text: String
            switch event {
            case .denied(let address, let key):
                let whose = key.map { "the key \($0)" } ?? "no key"
                text = "\(address) has \(whose), which is not among the clients"
            case .malformed(let reason):
                text = "a question about a connection has \(reason)"
            case .failed(let error):
                logger.critical("no client is let in any more: \(error)")
                return
            }
            telemetry.countRejection(.unauthorized)
            let suppressed = log.withLock { $0.admit(.unauthorized, now: .now()) }
            guard let suppressed else { return }
            let more = suppressed > 0 ? " (and \(suppressed) more since the last such line)" : ""
            logger.warning("refused a connection, unauthorized: \(text)\(more)")
        }
        tell(security.clients)
    }

    func stop() { authority.stop() }

    /// Returns whether the folder's clients are let in now; otherwise the clients are those of before.
    func reload() -> Bool {
        do throws(CurveCertificateError) {
            let clients = try CurveAllowList(folder: folder)
            authority.allow(clients)
            tell(clients)
            return true
        } catch {
            logger.error("the clients stay as they were: \(error)")
            return false
        }
    }

    private func tell(_ clients: CurveAllowList) {
        let folder = printable(folder, limit: 1024)
        if clients.names.isEmpty {
            logger.warning("\(folder) has no client keys: nobody is let in")
        } else {
            let shown = clients.names.values.sorted().prefix(16).map { printable($0, limit: 64) }
                .joined(separator: ", ")
            let more = clients.names.count > 16 ? ", ..." : ""
            logger.info("\(folder) lets in \(clients.names.count): \(shown)\(more)")
        }
    }
}

import Transport

/// Who a daemon is, and whom it talks to: its key pair, and a folder with the public certificates of its clients.
///
/// The daemon is the CURVE server on every socket, whether it binds or connects.
public struct DaemonSecurity: Sendable {
    /// The daemon's keys.
    public let keys: CurveKeyPair
    /// The folder that is read again by ``Daemon/reloadClients()``.
    public let clientFolder: String
    /// The clients that are let in from the start.
    public let clients: CurveAllowList

    /// Reads the daemon's secret certificate and its clients' public ones.
    /// - Throws: `CurveCertificateError` if a file or the folder is not as expected.
    public init(secretFile: String, clientFolder: String) throws(CurveCertificateError) {
        keys = try CurveCertificate.readSecret(secretFile)
        clients = try CurveAllowList(folder: clientFolder)
        self.clientFolder = clientFolder
    }
}

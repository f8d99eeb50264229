import Logging

/// Log lines for a ``LineWriter``: `2026-01-02T03:04:05+0100 info denoised: [Daemon] a message`.
///
/// Whoever logs never waits for the reader of the log. A message is one line: control characters in it are escaped.
public struct LineLogHandler: LogHandler {
    /// The least severe level that is logged.
    public var logLevel: Logger.Level
    /// What every line tells besides its message.
    public var metadata = Logger.Metadata()
    /// Likewise, asked at each line.
    public var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let writer: LineWriter

    /// A handler for the logger `label`.
    public init(label: String, level: Logger.Level, writer: LineWriter) {
        self.label = label
        self.logLevel = level
        self.writer = writer
    }

    /// One of ``metadata``.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Hands a line over; it is lost if too many wait.
    public func log(event: LogEvent) {
        var metadata = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }
        metadata.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error {
            metadata["error.message"] = "\(error)"
            metadata["error.type"] = "\(String(reflecting: type(of: error)))"
        }
        let pairs = metadata.sorted { $0.key < $1.key }.map { " \($0)=\($1)" }.joined()
        let text = "\(event.level) \(label):\(pairs) [\(event.source)] \(event.message)"
        writer.write(text.withEscapedControls, isStamped: true)
    }

    /// The line that tells of lines that were lost, for ``LineWriter``.
    public static func lossNotice(label: String) -> @Sendable (UInt64) -> String {
        { lost in
            "\(Logger.Level.warning) \(label): [Logs] \(lost) log line\(lost == 1 ? "" : "s") lost: "
                + "the log was not read, or could not be written"
        }
    }
}

extension String {
    /// The same with control characters as `\u{1b}`, so that no message ends its line or commands a terminal.
    fileprivate var withEscapedControls: String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .control }
        guard unicodeScalars.contains(where: isControl) else { return self }
        return unicodeScalars.map { scalar in
            isControl(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }.joined()
    }
}

import Files
import Foundation
import Glibc

/// A terminal that one of the standard streams may lead to.
struct Terminal {
    /// The one on standard output, for results.
    static let output = Terminal(STDOUT_FILENO)
    /// The one on standard error, for what is said about the run.
    static let errors = Terminal(STDERR_FILENO)

    /// Whether the stream is a terminal that somebody looks at.
    let isTerminal: Bool
    /// Whether it is one whose cursor can be moved: one that TERM names, and that is not `dumb`.
    let movesCursor: Bool
    /// Whether it shows colours, and they are wanted (https://no-color.org).
    let hasColor: Bool
    private let descriptor: Int32

    private init(_ descriptor: Int32) {
        self.descriptor = descriptor
        let environment = ProcessInfo.processInfo.environment
        isTerminal = isatty(descriptor) == 1
        movesCursor = isTerminal && !["", "dumb"].contains(environment["TERM", default: ""])
        hasColor = movesCursor && environment["NO_COLOR", default: ""].isEmpty
    }

    /// Its size in characters; 24 by 80 if it does not tell.
    var size: (rows: Int, columns: Int) {
        var size = winsize()
        let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 && size.ws_col > 0
        return isKnown ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
    }

    /// Writes text as it is. A terminal that is gone is no reason to end.
    func write(_ text: String) {
        _ = writeAll(Array(text.utf8), to: descriptor)
    }
}

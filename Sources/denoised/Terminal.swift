import Files
import Foundation
import Glibc

/// The terminal on standard output.
enum Terminal {
    /// Its size in characters; 24 by 80 if it does not tell.
    static var size: (rows: Int, columns: Int) {
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 && size.ws_col > 0
        return isKnown ? (Int(size.ws_row), Int(size.ws_col)) : (24, 80)
    }

    /// Whether standard output is a terminal whose cursor can be moved: one that TERM names, and that is not `dumb`.
    static let movesCursor = Console.isTerminal && isKnown

    private static let isKnown: Bool = {
        let name = ProcessInfo.processInfo.environment["TERM", default: ""]
        return !name.isEmpty && name != "dumb"
    }()

    /// Whether it shows colours, and they are wanted (https://no-color.org).
    static let hasColor: Bool = {
        isKnown && ProcessInfo.processInfo.environment["NO_COLOR", default: ""].isEmpty
    }()

    /// Writes text as it is. A terminal that is gone is no reason to end.
    static func write(_ text: String) {
        _ = writeAll(Array(text.utf8), to: STDOUT_FILENO)
    }
}

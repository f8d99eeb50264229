import Foundation
import Glibc

/// What people and programs see: results on standard output, everything else on standard error.
enum Console {
    /// Whether standard output is a terminal somebody looks at.
    static let isTerminal = isatty(STDOUT_FILENO) == 1

    /// A line about the run itself, such as progress.
    static func note(_ line: String) {
        write(line + "\n")
    }

    /// An error message.
    static func error(_ message: String, prefixed: Bool = true) {
        write((prefixed ? "denoised: " : "") + message + "\n")
    }

    private static func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// A line of the result. Written at once, so that a reader behind a pipe sees it when it happens.
    static func result(_ line: String) {
        print(line)
        fflush(nil)
    }

    /// Prints a result as one JSON object with snake_case keys.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .throw
        result(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

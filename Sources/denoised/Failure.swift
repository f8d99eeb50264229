import ForeignText
import Foundation
import Policy

/// Why a command ended without doing what it was asked to, and the exit code that says whose fault it was.
struct Failure: Error, CustomStringConvertible {
    /// The run failed: a daemon that does not answer, an output that cannot be written.
    static let failedRun: Int32 = 1
    /// Bad usage or input: an option, a policy, a file that is not what it should be.
    static let badInput: Int32 = 2

    let exitCode: Int32
    let description: String

    static func input(_ description: String) -> Failure {
        Failure(exitCode: badInput, description: printable(description, limit: 4096))
    }

    static func run(_ description: String) -> Failure {
        Failure(exitCode: failedRun, description: printable(description, limit: 4096))
    }

    /// Runs `body`; whatever it throws is the input's fault.
    ///
    /// - Parameter path: the file or folder that is read, as it was given; errors name it.
    static func asInput<Value>(path: String? = nil, _ body: () throws -> Value) throws -> Value {
        try asFailure(input, path: path, body)
    }

    /// Runs `body`; whatever it throws makes the run a failed one.
    ///
    /// - Parameter path: the file that is written, as it was given; errors name it.
    static func asRun<Value>(path: String? = nil, _ body: () throws -> Value) throws -> Value {
        try asFailure(run, path: path, body)
    }

    private static func asFailure<Value>(
        _ failure: (String) -> Failure,
        path: String?,
        _ body: () throws -> Value
    ) throws -> Value {
        do {
            return try body()
        } catch let failure as Failure {
            throw failure
        } catch let error as PolicyError {
            // Whenever it shows, an unusable policy or setting is what the command was given.
            throw input(text(of: error, path: path))
        } catch {
            throw failure(text(of: error, path: path))
        }
    }

    /// What an error says, with the path it is about in front.
    private static func text(of error: some Error, path: String?) -> String {
        let text = "\(error)"
        guard let path, !text.hasPrefix(path + ":") else { return text }
        // The readers know a file's name, not where it was found.
        let name = URL(filePath: path).lastPathComponent + ":"
        return text.hasPrefix(name) ? "\(path):\(text.dropFirst(name.count))" : "\(path): \(text)"
    }
}

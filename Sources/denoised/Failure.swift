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
        Failure(exitCode: badInput, description: description)
    }

    static func run(_ description: String) -> Failure {
        Failure(exitCode: failedRun, description: description)
    }

    /// Runs `body`; whatever it throws is the input's fault.
    static func asInput<Value>(_ body: () throws -> Value) throws -> Value {
        try asFailure(input, body)
    }

    /// Runs `body`; whatever it throws makes the run a failed one.
    static func asRun<Value>(_ body: () throws -> Value) throws -> Value {
        try asFailure(run, body)
    }

    private static func asFailure<Value>(
        _ failure: (String) -> Failure,
        _ body: () throws -> Value
    ) throws -> Value {
        do {
            return try body()
        } catch let failure as Failure {
            throw failure
        } catch let error as PolicyError {
            // Whenever it shows, an unusable policy or setting is what the command was given.
            throw input("\(error)")
        } catch {
            throw failure("\(error)")
        }
    }
}

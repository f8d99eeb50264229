import Daemon

/// What `--state` asks for.
enum StateOptions {
    /// Opens the file in which it is kept which robots are stopped.
    ///
    /// - Throws: `Failure` if another daemon has it, or it cannot be read or written.
    static func open(_ path: String) throws -> StateFile {
        do throws(StateFileError) {
            return try StateFile(path)
        } catch {
            // Another daemon may end, a folder does not change by itself.
            throw error.isTaken ? Failure.run("--state: \(error)") : Failure.input("--state: \(error)")
        }
    }
}

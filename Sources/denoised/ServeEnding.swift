import CLinux
import Daemon
import Foundation
import Glibc
import Logging
import Recording
import Synchronization

/// Ends `serve` on a signal, whatever it is at: loading, serving, or printing what nobody reads.
///
/// A thread of its own waits for the signals from the beginning. Before there is a daemon it ends the program itself, with
/// the recording complete; then it asks the daemon to bring its robots to rest. Once they are, another signal ends the
/// program whatever it still waits for.
final class ServeEnding: Sendable {
    private struct Parts {
        var recorder: Recorder?
        var daemon: Daemon?
        var wantsReload = false
    }

    private let parts = Mutex(Parts())
    private let logger: Logger
    private let manager: ServiceManager?

    /// Catches the signals from now on; made once in a process.
    init(hangUp: EndingSignals.HangUp, logger: Logger, manager: ServiceManager?) throws {
        self.logger = logger
        self.manager = manager
        let signals = try EndingSignals(hangUp: hangUp)
        let thread = Thread { [self] in
            dn_name_this_thread("signals")
            begin(on: signals.wait(reload: reload))
            while true { insist(on: signals.wait(reload: reload)) }
        }
        thread.start()
    }

    /// Opens the recording. No signal comes in between, so that every recording that was begun is completed.
    func open(_ recorder: () throws -> Recorder) rethrows -> Recorder {
        try parts.withLock { parts in
            let recorder = try recorder()
            parts.recorder = recorder
            return recorder
        }
    }

    /// From now on a signal asks this daemon to end.
    func take(_ daemon: Daemon) {
        let wantsReload = parts.withLock { parts in
            parts.daemon = daemon
            return parts.wantsReload
        }
        if wantsReload { daemon.reloadClients() }
    }

    /// Ends the program at once, with the recording complete. Threads may be in the middle of anything, so nothing is
    /// cleaned up behind them; the system gives the lock of the state file back.
    func leave(exitCode: Int32 = EXIT_SUCCESS) -> Never {
        parts.withLock { $0.recorder }?.finish()
        Console.flushErrors()
        _exit(exitCode)
    }

    private func reload() {
        logger.notice("SIGHUP: reading the client keys again")
        let daemon = parts.withLock { parts in
            parts.wantsReload = parts.daemon == nil
            return parts.daemon
        }
        daemon?.reloadClients()
    }

    /// The first signal.
    private func begin(on signal: String) {
        logger.notice("\(signal): ending")
        manager?.tell(.stopping, .status("ending after \(signal)"))
        parts.withLock { parts in
            if let daemon = parts.daemon { return daemon.requestStop() }
            // Whoever would go on finds the lock taken.
            parts.recorder?.finish()
            Console.flushErrors()
            _exit(EXIT_SUCCESS)
        }
    }

    /// A signal after the first.
    private func insist(on signal: String) {
        guard parts.withLock({ $0.daemon })?.isAtRest == true else {
            return logger.notice("\(signal): the robots are being brought to rest")
        }
        logger.notice("\(signal): ending without waiting for what is left to do")
        leave(exitCode: Failure.failedRun)
    }
}

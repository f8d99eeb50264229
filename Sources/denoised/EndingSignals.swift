import Glibc

/// SIGINT and SIGTERM, and where asked for SIGHUP, for a thread that waits for them.
///
/// A handler, because it catches them on whichever thread they arrive: libraries (OpenBLAS for one) start threads before
/// `main`, and a mask set in `main` does not reach those.
struct EndingSignals: Sendable {
    private let readEnd: Int32

    /// Where the handler writes the signal's number. Set before the handler is, and not changed while it is.
    private nonisolated(unsafe) static var writeEnd: Int32 = -1

    /// Catches the signals from now on; made once in a process. SIGHUP is left as it was unless `catchingHangUp`.
    init(catchingHangUp: Bool = false) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw Failure.run("no pipe for signals: \(String(cString: strerror(errno)))")
        }
        readEnd = ends[0]
        Self.writeEnd = ends[1]
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { number in
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = write(EndingSignals.writeEnd, &byte, 1)
            errno = saved
        }
        // System calls that a signal interrupts go on, whatever thread it arrived on.
        action.sa_flags = SA_RESTART
        // Whoever started the program may have left them blocked, and one thread that takes them is enough.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM] + (catchingHangUp ? [SIGHUP] : []) {
            sigaction(number, &action, nil)
            sigaddset(&signals, number)
        }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    /// Waits for SIGINT or SIGTERM, and returns its name.
    ///
    /// - Parameter hangUp: is called for each SIGHUP until then.
    func wait(hangUp: () -> Void = {}) -> String {
        while true {
            var byte: UInt8 = 0
            while read(readEnd, &byte, 1) < 0 && errno == EINTR {}
            guard Int32(byte) == SIGHUP else { return Int32(byte) == SIGINT ? "SIGINT" : "SIGTERM" }
            hangUp()
        }
    }
}

import Foundation
import Glibc
import Synchronization

/// SIGINT, SIGTERM and SIGHUP, for a thread that waits for them.
///
/// A handler, because it catches them on whichever thread they arrive: libraries (OpenBLAS for one) start threads before
/// `main`, and a mask set in `main` does not reach those.
struct EndingSignals: Sendable {
    /// What SIGHUP does.
    enum HangUp {
        /// What it does to any program.
        case asEver
        /// It ends the program, as SIGTERM does, unless whoever started it had it ignored, as nohup does.
        case ends
        /// It makes a daemon read its keys again.
        case reloads
    }

    private let readEnd: Int32
    private let hangUp: HangUp

    /// Where the handler writes the signal's number. Set before the handler is, and not changed while it is.
    private nonisolated(unsafe) static var writeEnd: Int32 = -1

    /// Catches the signals from now on; made once in a process.
    init(hangUp: HangUp = .asEver) throws {
        self.hangUp = hangUp
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw Failure.run("no pipe for signals: \(String(cString: strerror(errno)))")
        }
        readEnd = ends[0]
        Self.writeEnd = ends[1]
        // A handler may run on a thread that nobody may keep waiting.
        _ = fcntl(Self.writeEnd, F_SETFL, O_NONBLOCK)
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
        for number in [SIGINT, SIGTERM] + (Self.catchesHangUp(hangUp) ? [SIGHUP] : []) {
            sigaction(number, &action, nil)
            sigaddset(&signals, number)
        }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    private static func catchesHangUp(_ hangUp: HangUp) -> Bool {
        switch hangUp {
        case .asEver: return false
        case .reloads: return true
        case .ends:
            var present = sigaction()
            sigaction(SIGHUP, nil, &present)
            // Handlers cannot be compared as functions.
            return unsafeBitCast(present.__sigaction_handler, to: Int.self)
                != unsafeBitCast(SIG_IGN, to: Int.self)
        }
    }

    /// Waits for a signal that ends the program, and returns its name.
    ///
    /// - Parameter reload: is called for each SIGHUP until then, if SIGHUP reloads.
    func wait(reload: () -> Void = {}) -> String {
        while true {
            var byte: UInt8 = 0
            while read(readEnd, &byte, 1) < 0 && errno == EINTR {}
            switch Int32(byte) {
            case SIGHUP where hangUp == .reloads: reload()
            case SIGHUP: return "SIGHUP"
            case SIGINT: return "SIGINT"
            default: return "SIGTERM"
            }
        }
    }
}

/// Whether SIGINT or SIGTERM has come, for a command that looks now and then.
final class EndingFlag: Sendable {
    private let value = Atomic(false)

    /// Catches the signals from now on; made once in a process.
    init() throws {
        let signals = try Failure.asRun { try EndingSignals() }
        let waiter = Thread { [self] in
            _ = signals.wait()
            value.store(true, ordering: .releasing)
        }
        waiter.start()
    }

    var isSet: Bool { value.load(ordering: .acquiring) }
}

import Glibc

/// The process's standard streams, and the signals that come of writing to them.
enum StandardStreams {
    /// Makes them harmless; called first, before anything is opened or written.
    static func prepare() {
        // What is opened next would get the number of a stream that is closed, and be written to as if it were that.
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", O_RDWR)
        }
        // A reader that is gone, and a file at the system's size limit, are errors of the write and not the program's end:
        // a daemon that moves robots has to bring them to rest first.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }
}

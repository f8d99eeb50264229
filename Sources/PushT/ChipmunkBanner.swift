import CChipmunk
// `stdout` is a C variable; it is only touched here, under its own lock.
@preconcurrency import Glibc

/// Keeps the two lines off standard output that Chipmunk prints when a process makes its first space.
enum ChipmunkBanner {
    /// Makes and frees that first space, once in the process. To be read before any other space is made.
    ///
    /// Debian builds Chipmunk in debug mode, where the first `cpSpaceInit` prints with `printf`, and nothing
    /// that the library exports turns it off. Pointing file descriptor 1 elsewhere meanwhile would swallow
    /// what other threads write to it. Only the C library's stream is pointed elsewhere instead, while this
    /// thread holds the stream's lock: a `print` on another thread waits for the lock, and a write to the
    /// descriptor itself is not touched.
    static let keepOffStandardOutput: Void = {
        let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        guard null >= 0, let stream = stdout else { return }
        defer { close(null) }
        flockfile(stream)
        defer { funlockfile(stream) }
        fflush(stream)
        let descriptor = stream.pointee._fileno
        // A stream takes its buffering from what it first writes to, and that must not be the null device.
        if stream.pointee._IO_buf_base == nil, isatty(descriptor) != 0 {
            setvbuf(stream, nil, _IOLBF, 0)
        }
        stream.pointee._fileno = null
        cpSpaceFree(cpSpaceNew())
        fflush(stream)
        stream.pointee._fileno = descriptor
    }()
}

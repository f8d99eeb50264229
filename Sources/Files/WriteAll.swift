import Glibc

/// Writes all bytes to a descriptor, and waits while it takes none.
///
/// - Returns: how many were written, and the `errno` that kept the rest; 0: there is none.
package func writeAll(_ bytes: borrowing [UInt8], to descriptor: CInt) -> (written: Int, error: CInt) {
    bytes.withUnsafeBytes { buffer in
        var done = 0
        while done < buffer.count {
            let step = write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            if step >= 0 {
                done += step
            } else if errno == EAGAIN {
                // Another program may have made the stream that they share non-blocking.
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&wait, 1, 1000)
            } else if errno != EINTR {
                return (done, errno)
            }
        }
        return (done, 0)
    }
}

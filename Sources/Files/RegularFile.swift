import Glibc

/// A regular file, open for reading for as long as the value lives.
///
/// Whatever else a path leads to is refused at once: a named pipe without a writer would keep whoever opens it waiting,
/// and a device may never end.
package struct RegularFile: ~Copyable, Sendable {
    package let descriptor: CInt
    /// The size when the file was opened.
    package let byteCount: Int
    /// The permission bits when the file was opened.
    package let mode: UInt32

    /// - Throws: ``FileRefusal`` if there is no such file, or it is not a regular one.
    package init(_ path: String) throws(FileRefusal) {
        // Non-blocking, so that opening a named pipe does not wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system(errno) }
        // Of what was opened: by the path it could be another file's.
        var status = stat()
        let code = fstat(descriptor, &status) == 0 ? 0 : errno
        let isRegular = status.st_mode & S_IFMT == S_IFREG
        guard code == 0, isRegular else {
            close(descriptor)
            throw code == 0 ? .notRegular(FileRefusal.kind(of: status.st_mode)) : .system(code)
        }
        self.descriptor = descriptor
        byteCount = Int(status.st_size)
        mode = status.st_mode & 0o7777
    }

    deinit { close(descriptor) }

    /// The descriptor, which is the caller's to close from now on.
    package consuming func take() -> CInt {
        let descriptor = descriptor
        discard self
        return descriptor
    }

    /// The next bytes, fewer than `count` only when the file ends.
    package borrowing func read(upTo count: Int) throws(FileRefusal) -> [UInt8] {
        var done = 0
        var code: CInt = 0
        let descriptor = descriptor
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while done < count {
                let step = Glibc.read(descriptor, buffer.baseAddress! + done, count - done)
                if step < 0, errno == EINTR { continue }
                if step < 0 { code = errno }
                guard step > 0 else { break }
                done += step
            }
            filled = done
        }
        guard code == 0 else { throw .system(code) }
        return bytes
    }
}

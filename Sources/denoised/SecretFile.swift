import Files

/// Secrets in files, where neither the list of processes nor a shell's history shows them.
enum SecretFile {
    private static let longestLine = 1024

    /// The one line of a file that nobody but its owner may read.
    ///
    /// - Parameter secret: what it is called, for errors.
    /// - Throws: ``Failure`` for a file that cannot be used.
    static func line(of path: String, called secret: String) throws -> String {
        let (mode, bytes) = try Failure.asInput(path: path) {
            let file = try RegularFile(path)
            return (file.mode, try file.read(upTo: longestLine + 2))
        }
        guard mode & 0o077 == 0 else {
            throw Failure.input(
                "\(path): mode \(String(mode & 0o777, radix: 8)), expected 600: others may read or change the \(secret)"
            )
        }
        let line = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes
        guard (1...longestLine).contains(line.count), line.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Failure.input(
                "\(path): no \(secret), expected one line of 1 to \(longestLine) ASCII characters without blanks"
            )
        }
        return String(decoding: line, as: UTF8.self)
    }
}

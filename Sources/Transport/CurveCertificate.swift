import Files
import Glibc

/// Certificate files in the form that czmq and pyzmq read and write (ZPL, ZeroMQ RFC 4): `NAME.key` holds a public key,
/// `NAME.key_secret` the pair.
///
///     curve
///         public-key = "40 characters of Z85"
///         secret-key = "40 characters of Z85"
///
/// Other sections and fields are passed over.
public enum CurveCertificate {
    /// The largest file that is read, in bytes.
    public static let maximumBytes = 1 << 16
    /// What the name of a public certificate ends with.
    public static let publicSuffix = ".key"
    /// What the name of a secret certificate ends with.
    public static let secretSuffix = ".key_secret"

    /// Reads the key of a public certificate.
    /// - Throws: ``CurveCertificateError`` also if the file holds a secret key, which has no business there, or if
    ///   everybody may write it.
    public static func readPublic(_ path: String) throws(CurveCertificateError) -> CurvePublicKey {
        let file = try SmallFile(path)
        guard file.mode & S_IWOTH == 0 else {
            throw CurveCertificateError(path, .writableByAll(mode: file.mode))
        }
        let fields = try fields(of: file, path: path)
        guard fields["secret-key"] == nil else { throw CurveCertificateError(path, .holdsSecret) }
        return try publicKey(in: fields, path: path)
    }

    /// Reads the key pair of a secret certificate.
    /// - Throws: ``CurveCertificateError`` also if others than the owner may read or write the file, and if the two
    ///   keys do not belong together.
    public static func readSecret(_ path: String) throws(CurveCertificateError) -> CurveKeyPair {
        let file = try SmallFile(path)
        guard file.mode & (S_IRWXG | S_IRWXO) == 0 else {
            throw CurveCertificateError(path, .secretIsOpen(mode: file.mode))
        }
        let fields = try fields(of: file, path: path)
        let publicKey = try publicKey(in: fields, path: path)
        guard let text = fields["secret-key"] else {
            throw CurveCertificateError(path, .missing("secret-key"))
        }
        guard let pair = CurveKeyPair(secretZ85: text) else {
            throw CurveCertificateError(path, .badKey("secret-key", characters: text.count))
        }
        guard pair.publicKey == publicKey else { throw CurveCertificateError(path, .keysDoNotMatch) }
        return pair
    }

    /// Writes `STEM.key` and, with mode 0600, `STEM.key_secret`.
    ///
    /// - Parameters:
    ///   - keys: the pair to write.
    ///   - stem: the path of both files without what their names end with.
    ///   - replacing: whether files that are there are replaced, each in one step. Otherwise none is touched.
    /// - Returns: the paths of both files.
    /// - Throws: ``CurveCertificateError``; `exists` if a file is there and is not to be replaced.
    public static func write(
        _ keys: CurveKeyPair,
        to stem: String,
        replacing: Bool = false
    ) throws(CurveCertificateError) -> (publicFile: String, secretFile: String) {
        let publicFile = stem + publicSuffix
        let secretFile = stem + secretSuffix
        let publicLine = "    public-key = \"\(keys.publicKey.z85)\"\n"
        let publicText = """
            # ZeroMQ CURVE public certificate, by denoised keygen.
            # Copy it to whoever is to know its owner, in a way that lets nobody put another in its place.

            metadata
            curve

            """ + publicLine
        let secretText = """
            # ZeroMQ CURVE secret certificate, by denoised keygen.
            # For its owner only: copy it nowhere, and leave its mode at 0600.

            metadata
            curve

            """ + publicLine + "    secret-key = \"\(keys.secretZ85)\"\n"
        let files = [(secretFile, secretText, 0o600 as mode_t), (publicFile, publicText, 0o644)]
        var written: [String] = []
        do throws(CurveCertificateError) {
            for (path, text, mode) in files {
                let target = replacing ? path + ".new" : path
                // A leftover of a run that was killed.
                if replacing { unlink(target) }
                try SmallFile.create(target, text: text, mode: mode)
                written.append(target)
            }
            if replacing {
                for (path, _, _) in files where rename(path + ".new", path) != 0 {
                    throw CurveCertificateError(path, .unwritable(systemReason(errno)))
                }
            }
        } catch {
            for path in written { unlink(path) }
            throw error
        }
        return (publicFile, secretFile)
    }

    private static func publicKey(
        in fields: [String: String],
        path: String
    ) throws(CurveCertificateError) -> CurvePublicKey {
        guard let text = fields["public-key"] else {
            throw CurveCertificateError(path, .missing("public-key"))
        }
        guard let key = CurvePublicKey(z85: text) else {
            throw CurveCertificateError(path, .badKey("public-key", characters: text.count))
        }
        return key
    }

    /// The keys in the section `curve`, as texts.
    private static func fields(of file: SmallFile, path: String) throws(CurveCertificateError) -> [String:
        String]
    {
        var fields: [String: String] = [:]
        var isInCurve = false
        // Bytes, because to a String CR LF is one character.
        for bytes in file.bytes.split(separator: UInt8(ascii: "\n")) {
            let line = String(decoding: bytes, as: UTF8.self)
            let content = line.trimmed
            // A # begins a comment at the start of a line only: Z85 uses it too.
            guard let first = content.first, first != "#" else { continue }
            if line.first?.isWhitespace != true {
                isInCurve = content.prefix { $0 != "=" && !$0.isWhitespace } == "curve"
                continue
            }
            guard isInCurve, let equals = content.firstIndex(of: "=") else { continue }
            let name = content[..<equals].trimmed
            guard name == "public-key" || name == "secret-key" else { continue }
            guard fields[name] == nil else { throw CurveCertificateError(path, .repeated(name)) }
            fields[name] = unquoted(content[content.index(after: equals)...].trimmed)
        }
        return fields
    }

    /// What a pair of quotes encloses, comments after it left out; all of a text that begins without one.
    private static func unquoted(_ text: String) -> String {
        guard let quote = text.first, quote == "\"" || quote == "'" else { return text }
        let rest = text.dropFirst()
        guard let end = rest.firstIndex(of: quote) else { return text }
        let after = rest[rest.index(after: end)...].trimmed
        return after.isEmpty || after.first == "#" ? String(rest[..<end]) : text
    }
}

/// A file that is read at once.
private struct SmallFile {
    let bytes: [UInt8]
    /// The permission bits.
    let mode: UInt32

    init(_ path: String) throws(CurveCertificateError) {
        do throws(FileRefusal) {
            let file = try RegularFile(path)
            mode = file.mode
            bytes = try file.read(upTo: CurveCertificate.maximumBytes + 1)
        } catch {
            switch error {
            case .system(let code): throw CurveCertificateError(path, .unreadable(systemReason(code)))
            case .notRegular(let kind): throw CurveCertificateError(path, .notAFile(kind))
            }
        }
        guard bytes.count <= CurveCertificate.maximumBytes else {
            throw CurveCertificateError(path, .tooLarge(bytes.count))
        }
    }

    /// Writes a file that must not be there yet, and leaves none behind if that fails.
    static func create(_ path: String, text: String, mode: mode_t) throws(CurveCertificateError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else {
            throw CurveCertificateError(path, errno == EEXIST ? .exists : .unwritable(systemReason(errno)))
        }
        var failure: Int32 = 0
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty, failure == 0 {
            let put = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if put >= 0 { rest = rest.dropFirst(put) } else if errno != EINTR { failure = errno }
        }
        if failure == 0, fsync(descriptor) != 0 { failure = errno }
        if close(descriptor) != 0, failure == 0 { failure = errno }
        guard failure == 0 else {
            unlink(path)
            throw CurveCertificateError(path, .unwritable(systemReason(failure)))
        }
    }
}

private func systemReason(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
}

extension StringProtocol {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}

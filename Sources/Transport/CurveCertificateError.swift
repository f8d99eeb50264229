import ForeignText
import Glibc

/// Why a certificate file, or a folder of them, cannot be used.
public struct CurveCertificateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: Sendable, Hashable {
        /// The system does not let it be read: its reason.
        case unreadable(String)
        /// The system does not let it be written: its reason.
        case unwritable(String)
        /// The file is there already.
        case exists
        /// It is something else than a regular file, such as `a folder` or `a named pipe`.
        case notAFile(String)
        /// The file has this many bytes or more.
        case tooLarge(Int)
        /// A secret file with this mode lets others than its owner in.
        case secretIsOpen(mode: UInt32)
        /// Everybody may write the file or folder, which has this mode.
        case writableByAll(mode: UInt32)
        /// The field is not there.
        case missing(String)
        /// The field is there more than once.
        case repeated(String)
        /// The field's value, of so many characters, is no key.
        case badKey(String, characters: Int)
        /// The public key is not that of the secret key.
        case keysDoNotMatch
        /// The file holds a secret key and a public certificate is expected.
        case holdsSecret
        /// The folder's file of this name holds the same key.
        case sameKey(as: String)
        /// The folder has this many certificates.
        case tooManyFiles(Int)
    }

    /// The file or the folder, as it was given.
    public var path: String
    /// What is wrong.
    public var reason: Reason

    init(_ path: String, _ reason: Reason) {
        self.path = path
        self.reason = reason
    }

    /// The path, what was found and what was expected.
    public var description: String {
        let text =
            switch reason {
            case .unreadable(let why): "cannot be read (\(why))"
            case .unwritable(let why): "cannot be written (\(why))"
            case .exists: "exists already, expected no such file"
            case .notAFile(let kind): "is \(kind), expected a certificate"
            case .tooLarge(let bytes):
                "has at least \(bytes) bytes, expected a certificate of at most \(CurveCertificate.maximumBytes)"
            case .secretIsOpen(let mode):
                "has mode \(octal(mode)), expected 0600: nobody but its owner may read or write a secret key"
            case .writableByAll(let mode):
                "has mode \(octal(mode)), expected that not everybody may write it: whoever does decides who gets in"
            case .missing(let field): "\(field) is missing, expected it in the section curve"
            case .repeated(let field): "\(field) is there more than once, expected one"
            case .badKey(let field, let characters):
                "\(field) has \(characters) characters and is no key, expected 40 characters of Z85"
            case .keysDoNotMatch: "public-key is not the one that belongs to secret-key"
            case .holdsSecret: "holds a secret key, expected a public certificate (NAME.key)"
            case .sameKey(let other):
                "holds the same key as \(printable(other, limit: 64)), expected one file for each key"
            case .tooManyFiles(let count):
                "has \(count) certificates, expected at most \(CurveAllowList.maximumClients)"
            }
        return "\(printable(path, limit: 1024)): \(text)"
    }
}

private func octal(_ mode: UInt32) -> String {
    let digits = String(mode, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

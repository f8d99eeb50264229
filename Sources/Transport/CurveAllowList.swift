import Foundation

/// The clients that a CURVE server lets in, by their public keys.
public struct CurveAllowList: Sendable, Hashable {
    /// The most clients of one list.
    public static let maximumClients = 4096

    /// The name of each client: that of its file, without `.key`.
    public let names: [CurvePublicKey: String]

    /// The clients whose public certificates `NAME.key` lie in a folder. Files that begin with a dot or end otherwise are
    /// passed over.
    /// - Throws: ``CurveCertificateError`` if the folder cannot be read, everybody may write to it, or one of the
    ///   certificates is not as ``CurveCertificate/readPublic(_:)`` expects it or holds the key of another: half a list
    ///   would let in others than was meant.
    public init(folder: String) throws(CurveCertificateError) {
        var status = stat()
        guard stat(folder, &status) == 0 else {
            throw CurveCertificateError(folder, .unreadable(String(cString: strerror(errno))))
        }
        guard status.st_mode & S_IWOTH == 0 else {
            throw CurveCertificateError(folder, .writableByAll(mode: status.st_mode & 0o7777))
        }
        let files: [String]
        do {
            files = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            let why = isFolder ? EACCES : ENOTDIR
            throw CurveCertificateError(folder, .unreadable(String(cString: strerror(why))))
        }
        let certificates = files.filter { $0.hasSuffix(CurveCertificate.publicSuffix) && !$0.hasPrefix(".") }
            .sorted()
        guard certificates.count <= Self.maximumClients else {
            throw CurveCertificateError(folder, .tooManyFiles(certificates.count))
        }
        var names: [CurvePublicKey: String] = [:]
        for file in certificates {
            let path = folder.hasSuffix("/") ? folder + file : "\(folder)/\(file)"
            let key = try CurveCertificate.readPublic(path)
            if let other = names[key] {
                throw CurveCertificateError(path, .sameKey(as: other + CurveCertificate.publicSuffix))
            }
            names[key] = String(file.dropLast(CurveCertificate.publicSuffix.count))
        }
        self.names = names
    }

    /// A list of one's own.
    public init(names: [CurvePublicKey: String]) {
        self.names = names
    }
}

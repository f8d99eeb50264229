import Files
import Foundation
import Glibc
import StrictJSON

/// What lies in a folder that leads to a policy.
extension URL {
    /// The path as people type it.
    var plainPath: String { path(percentEncoded: false) }

    /// Whether the folder has a `config.json`.
    var holdsPolicy: Bool {
        FileManager.default.fileExists(atPath: appending(path: PolicyConfiguration.fileName).plainPath)
    }

    var isFolder: Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: plainPath, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// Whether something has this path, be it a link that leads nowhere or what may not be looked at.
    var isTaken: Bool {
        var status = stat()
        return lstat(plainPath, &status) == 0 || (errno != ENOENT && errno != ENOTDIR)
    }

    /// Why the system does not let this process read the folder; nil if it does, or if there is none.
    var refusal: String? {
        guard access(plainPath, R_OK | X_OK) != 0, errno != ENOENT, errno != ENOTDIR else { return nil }
        return String(cString: strerror(errno))
    }

    /// The folders in the folder, by name.
    var folders: [URL] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: plainPath)) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted()
            .map { appending(path: $0, directoryHint: .isDirectory) }.filter(\.isFolder)
    }

    /// The one line of a small file, which may be a name in a folder; nil if it is none.
    var shortText: String? {
        guard let file = try? RegularFile(plainPath),
            let bytes = try? file.read(upTo: 256), let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return line.isEmpty || line.contains("/") || line == ".." || line == "." ? nil : line
    }
}

/// Names or paths for an error message, quoted, a few of them; nil for none.
func quotedList(_ names: [String]) -> String? {
    guard !names.isEmpty else { return nil }
    let most = 4
    let more = names.count > most ? " and \(names.count - most) more" : ""
    return names.prefix(most).map(\.quoted).joined(separator: ", ") + more
}

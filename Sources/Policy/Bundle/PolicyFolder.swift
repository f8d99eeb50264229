import Files
import Foundation
import StrictJSON

/// Where a policy lies, found from the folder that a user gave, and what people call it.
///
/// Taken are: a folder with a `config.json`; a training run of LeRobot, its `checkpoints`, one of these; and a folder of
/// Hugging Face's hub cache, `models--org--name`, its `snapshots`, one of these.
public struct PolicyFolder: Sendable, Hashable {
    /// The folder with `config.json`; the one that was given if there is none.
    public let url: URL
    /// The run's name, the repository's as `org/name`, or the folder's own, in a form that any log can hold.
    public let name: String

    private static let checkpointName = "pretrained_model"
    private static let checkpointsName = "checkpoints"
    private static let lastName = "last"
    private static let snapshotsName = "snapshots"
    private static let repositoryPrefix = "models--"
    /// The most folders that an error lists.
    private static let mostCandidates = 4

    /// Finds the policy. A folder in which nothing points to another one is taken as it is.
    ///
    /// - Throws: `PolicyError` if there are several to choose from, or the one that is named is missing.
    public init(resolving given: URL) throws(PolicyError) {
        url = try Self.find(from: given)
        name = Self.name(of: url.absoluteURL.standardizedFileURL).inOneLine
    }

    private static func find(from folder: URL) throws(PolicyError) -> URL {
        if holdsPolicy(folder) { return folder }
        let below = folder.appending(path: checkpointName, directoryHint: .isDirectory)
        if holdsPolicy(below) { return below }
        let checkpoints = folder.appending(path: checkpointsName, directoryHint: .isDirectory)
        for list in [checkpoints, folder] {
            if let checkpoint = newestCheckpoint(in: list) { return checkpoint }
        }
        if let snapshot = try snapshot(in: folder) { return snapshot }
        let candidates = folders(in: folder).filter { checkpoint(in: $0) != nil || holdsRun($0) }
        if let candidates = list(candidates) {
            throw PolicyError(
                folder.lastPathComponent,
                found: "no \(PolicyConfiguration.fileName) in it",
                expected: "the folder of one policy, such as \(candidates)"
            )
        }
        return folder
    }

    /// The checkpoint that `last` leads to, else the one with the highest number.
    private static func newestCheckpoint(in folder: URL) -> URL? {
        if let last = checkpoint(in: folder.appending(path: lastName)) { return last }
        // Where symbolic links cannot be kept, `last` may be a file with the checkpoint's name.
        if let text = shortText(of: folder.appending(path: lastName)), Int(text) != nil,
            let last = checkpoint(in: folder.appending(path: text))
        {
            return last
        }
        return folders(in: folder)
            .compactMap { url in Int(url.lastPathComponent).map { (number: $0, url: url) } }
            .sorted { $0.number > $1.number }
            .lazy.compactMap { checkpoint(in: $0.url) }.first
    }

    private static func checkpoint(in folder: URL) -> URL? {
        [folder.appending(path: checkpointName, directoryHint: .isDirectory), folder].first(
            where: holdsPolicy
        )
    }

    /// The snapshot of the hub's cache that `refs/main` names, else the only one.
    private static func snapshot(in folder: URL) throws(PolicyError) -> URL? {
        let repository =
            folder.lastPathComponent == snapshotsName ? folder.deletingLastPathComponent() : folder
        let snapshotsFolder = repository.appending(path: snapshotsName, directoryHint: .isDirectory)
        guard isFolder(snapshotsFolder) else { return nil }
        if let hash = shortText(of: repository.appending(path: "refs/main")) {
            let main = snapshotsFolder.appending(path: hash, directoryHint: .isDirectory)
            guard holdsPolicy(main) else {
                throw PolicyError(
                    repository.lastPathComponent,
                    "refs/main",
                    found: "\(hash.quoted), which is not in \(snapshotsName) or has no "
                        + PolicyConfiguration.fileName,
                    expected: list(folders(in: snapshotsFolder).filter(holdsPolicy)).map { "one of \($0)" }
                        ?? "a snapshot with a policy"
                )
            }
            return main
        }
        let snapshots = folders(in: snapshotsFolder).filter(holdsPolicy)
        guard snapshots.count != 1 else { return snapshots[0] }
        throw PolicyError(
            repository.lastPathComponent,
            snapshotsName,
            found: "\(snapshots.count) policies and no refs/main",
            expected: list(snapshots).map { "one of \($0)" } ?? "a snapshot with a policy"
        )
    }

    // MARK: - What people call it

    private static func name(of url: URL) -> String {
        var names = url.pathComponents
        if let snapshots = names.lastIndex(of: snapshotsName), snapshots > 0,
            let repository = repositoryName(names[snapshots - 1])
        {
            return repository
        }
        let isCheckpoint = names.last == checkpointName
        if isCheckpoint { names.removeLast() }
        if let last = names.last, last == lastName || Int(last) != nil,
            isCheckpoint || names.dropLast().last == checkpointsName
        {
            names.removeLast()
            if names.last == checkpointsName { names.removeLast() }
        }
        return names.last ?? ""
    }

    /// `models--org--name` as `org/name`; nil for another folder. The repository's own name may have `--` in it.
    private static func repositoryName(_ folder: String) -> String? {
        guard folder.hasPrefix(repositoryPrefix) else { return nil }
        let text = folder.dropFirst(repositoryPrefix.count)
        guard let separator = text.firstRange(of: "--") else { return String(text) }
        return "\(text[..<separator.lowerBound])/\(text[separator.upperBound...])"
    }

    // MARK: - What lies where

    private static func holdsPolicy(_ folder: URL) -> Bool {
        let file = folder.appending(path: PolicyConfiguration.fileName)
        return FileManager.default.fileExists(atPath: file.path(percentEncoded: false))
    }

    private static func holdsRun(_ folder: URL) -> Bool {
        isFolder(folder.appending(path: checkpointsName)) || isFolder(folder.appending(path: snapshotsName))
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(
            atPath: url.path(percentEncoded: false),
            isDirectory: &isFolder
        )
        return exists && isFolder.boolValue
    }

    /// The folders in a folder, by name.
    private static func folders(in folder: URL) -> [URL] {
        let names =
            (try? FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))) ?? []
        return names.filter { !$0.hasPrefix(".") }.sorted()
            .map { folder.appending(path: $0, directoryHint: .isDirectory) }.filter(isFolder)
    }

    /// The one line of a small file; nil if it is none.
    private static func shortText(of url: URL) -> String? {
        guard let file = try? RegularFile(url.path(percentEncoded: false)),
            let bytes = try? file.read(upTo: 256), let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return line.isEmpty || line.contains("/") || line == ".." || line == "." ? nil : line
    }

    /// Folders for an error message, a few of them; nil for none.
    private static func list(_ folders: [URL]) -> String? {
        guard !folders.isEmpty else { return nil }
        let shown = folders.prefix(mostCandidates).map { $0.path(percentEncoded: false).quoted }
        let more = folders.count > mostCandidates ? " and \(folders.count - mostCandidates) more" : ""
        return shown.joined(separator: ", ") + more
    }
}

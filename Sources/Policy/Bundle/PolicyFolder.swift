import Foundation
import StrictJSON

/// Where a policy lies, found from what a user gave, and what people call it.
///
/// Taken are: a folder with a `config.json`; a training run of LeRobot, its `checkpoints`, one of these; a folder of
/// Hugging Face's hub cache, `models--org--name`, its `snapshots`, one of these; and a name in that cache, `org/name`.
public struct PolicyFolder: Sendable, Hashable {
    /// What was taken.
    public enum Origin: Sendable, Hashable {
        /// The folder that was given.
        case given
        /// A checkpoint of the training run that was given.
        case trainingRun
        /// A snapshot in Hugging Face's hub cache, by its revision; nil: the only snapshot there.
        case hubCache(revision: String?)
    }

    /// The folder with `config.json`; the one that was given if there is none.
    public let url: URL
    /// The run's name, the repository's as `org/name`, or the folder's own, in a form that any log can hold.
    public let name: String
    /// How the policy was found.
    public let origin: Origin
    /// What is in Hugging Face's hub cache under the name that was given, and was not taken, because a folder has that name.
    public let passedOver: URL?

    static let snapshotsName = "snapshots"
    private static let checkpointName = "pretrained_model"
    private static let checkpointsName = "checkpoints"
    private static let lastName = "last"
    private static let repositoryPrefix = "models--"

    /// Finds the policy that a folder leads to. A folder in which nothing points to another one is taken as it is.
    ///
    /// - Throws: `PolicyError` if there are several to choose from, or the one that is named is missing.
    public init(resolving given: URL) throws(PolicyError) {
        try self.init(resolving: given, passingOver: nil)
    }

    /// Finds the policy that a user gave: a folder, or else a name in Hugging Face's hub cache, `org/name` or
    /// `org/name@revision`. Nothing is downloaded.
    ///
    /// - Parameters:
    ///   - text: the path or name. A path that exists is a path, even if the cache has that name.
    ///   - workingDirectory: what a path is relative to; nil: the process's.
    /// - Throws: `PolicyError` if there are several to choose from, or none; it says where a name was looked for.
    public init(
        finding text: String,
        in cache: HubCache,
        workingDirectory: URL? = nil
    ) throws(PolicyError) {
        let given = URL(filePath: text, directoryHint: .isDirectory, relativeTo: workingDirectory)
        let hubName = HubName(text)
        // A slash at the end would ask for what a link leads to.
        let isPath = URL(filePath: text, directoryHint: .notDirectory, relativeTo: workingDirectory).isTaken
        guard let hubName, !isPath else {
            guard given.isFolder else {
                let found =
                    given.refusal.map { "cannot be read (\($0))" }
                    ?? (isPath ? "not a folder" : "no such folder")
                throw PolicyError(
                    text.inOneLine,
                    found: found,
                    expected:
                        "a policy's folder, a training run's, or a name in Hugging Face's cache, org/name"
                )
            }
            try self.init(resolving: given, passingOver: hubName.flatMap(cache.repository))
            return
        }
        let revision = hubName.revision ?? HubName.mainRevision
        self.init(try cache.snapshot(hubName), .hubCache(revision: revision), passingOver: nil)
    }

    private init(resolving given: URL, passingOver: URL?) throws(PolicyError) {
        let (url, origin) = try Self.find(from: given)
        self.init(url, origin, passingOver: passingOver)
    }

    private init(_ url: URL, _ origin: Origin, passingOver: URL?) {
        self.url = url
        self.origin = origin
        passedOver = passingOver
        name = Self.name(of: url.absoluteURL.standardizedFileURL).inOneLine
    }

    /// What was taken, in one line for a log, such as "the training run's checkpoint /runs/reach/checkpoints/000100".
    public var explanation: String {
        let what =
            switch origin {
            case .given: "the folder \(url.plainPath)"
            // `last` is a link, and which checkpoint it leads to changes.
            case .trainingRun: "the training run's checkpoint \(url.resolvingSymlinksInPath().plainPath)"
            case .hubCache(let revision):
                "\(revision.map { "revision \($0)" } ?? "the only snapshot") in Hugging Face's cache, \(url.plainPath)"
            }
        let other = passedOver.map { ", and not what Hugging Face's cache has by that name, \($0.plainPath)" }
        return (what + (other ?? "")).inOneLine
    }

    private static func find(from folder: URL) throws(PolicyError) -> (URL, Origin) {
        if folder.holdsPolicy { return (folder, .given) }
        let below = folder.appending(path: checkpointName, directoryHint: .isDirectory)
        if below.holdsPolicy { return (below, .trainingRun) }
        let checkpoints = folder.appending(path: checkpointsName, directoryHint: .isDirectory)
        for list in [checkpoints, folder] {
            if let checkpoint = newestCheckpoint(in: list) { return (checkpoint, .trainingRun) }
        }
        if let snapshot = try snapshot(in: folder) { return snapshot }
        let candidates = folder.folders.filter { checkpoint(in: $0) != nil || holdsRun($0) }
        if let candidates = quotedList(candidates.map(\.plainPath)) {
            throw PolicyError(
                folder.lastPathComponent,
                found: "no \(PolicyConfiguration.fileName) in it",
                expected: "the folder of one policy, such as \(candidates)"
            )
        }
        return (folder, .given)
    }

    /// The checkpoint that `last` leads to, else the one with the highest number.
    private static func newestCheckpoint(in folder: URL) -> URL? {
        let last = folder.appending(path: lastName)
        if let checkpoint = checkpoint(in: last) { return checkpoint }
        // Where symbolic links cannot be kept, `last` may be a file with the checkpoint's name.
        if let text = last.shortText, Int(text) != nil,
            let checkpoint = checkpoint(in: folder.appending(path: text))
        {
            return checkpoint
        }
        return folder.folders
            .compactMap { url in Int(url.lastPathComponent).map { (number: $0, url: url) } }
            .sorted { $0.number > $1.number }
            .lazy.compactMap { checkpoint(in: $0.url) }.first
    }

    private static func checkpoint(in folder: URL) -> URL? {
        [folder.appending(path: checkpointName, directoryHint: .isDirectory), folder].first(
            where: \.holdsPolicy
        )
    }

    /// The snapshot of the hub's cache that `refs/main` names, else the only one.
    private static func snapshot(in folder: URL) throws(PolicyError) -> (URL, Origin)? {
        let repository =
            folder.lastPathComponent == snapshotsName ? folder.deletingLastPathComponent() : folder
        let snapshotsFolder = repository.appending(path: snapshotsName, directoryHint: .isDirectory)
        guard snapshotsFolder.isFolder else { return nil }
        let snapshots = snapshotsFolder.folders.filter(\.holdsPolicy)
        let oneOf =
            quotedList(snapshots.map(\.plainPath)).map { "one of \($0)" } ?? "a snapshot with a policy"
        if let hash = repository.appending(path: "refs/\(HubName.mainRevision)").shortText {
            let main = snapshotsFolder.appending(path: hash, directoryHint: .isDirectory)
            guard main.holdsPolicy else {
                throw PolicyError(
                    repository.lastPathComponent,
                    "refs/main",
                    found: "\(hash.quoted), which is not in \(snapshotsName) or has no "
                        + PolicyConfiguration.fileName,
                    expected: oneOf
                )
            }
            return (main, .hubCache(revision: HubName.mainRevision))
        }
        guard snapshots.count != 1 else { return (snapshots[0], .hubCache(revision: nil)) }
        throw PolicyError(
            repository.lastPathComponent,
            snapshotsName,
            found: "\(snapshots.count) policies and no refs/main",
            expected: oneOf
        )
    }

    private static func holdsRun(_ folder: URL) -> Bool {
        [checkpointsName, snapshotsName].contains { folder.appending(path: $0).isFolder }
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
}

import Foundation
import StrictJSON

/// Hugging Face's hub cache on this machine: what was downloaded from the hub, read without any access to a network.
///
/// Its folder is found as huggingface_hub finds it, by `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME` and
/// `XDG_CACHE_HOME`; by default it is `~/.cache/huggingface/hub`. A variable that is empty counts as absent.
public struct HubCache: Sendable, Hashable {
    /// The folder with a folder `models--org--name` for each model.
    public let folder: URL

    /// The cache of this process.
    public static var standard: HubCache { HubCache(environment: ProcessInfo.processInfo.environment) }

    /// - Parameters:
    ///   - environment: the variables, by name.
    ///   - workingDirectory: what relative paths are relative to; nil: the process's.
    public init(environment: [String: String], workingDirectory: URL? = nil) {
        let home =
            environment["HOME"].flatMap { $0.isEmpty ? nil : $0 }
            ?? FileManager.default.homeDirectoryForCurrentUser.plainPath
        func variable(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : Self.expand($0, home: home, environment) }
        }
        func url(_ path: String) -> URL {
            URL(filePath: path, directoryHint: .isDirectory, relativeTo: workingDirectory)
        }
        if let cache = variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE") {
            folder = url(cache)
            return
        }
        let caches = variable("XDG_CACHE_HOME").map(url) ?? url(home).appending(path: ".cache")
        let huggingFace = variable("HF_HOME").map(url) ?? caches.appending(path: "huggingface")
        folder = huggingFace.appending(path: "hub", directoryHint: .isDirectory)
    }

    /// `~` in front and variables, `$NAME` and `${NAME}`, as Python's `expanduser` and `expandvars` replace them. What is
    /// not set stays as it is.
    private static func expand(_ path: String, home: String, _ environment: [String: String]) -> String {
        let isHome = path == "~" || path.hasPrefix("~/")
        let text = isHome ? home + path.dropFirst() : path
        return text.replacing(/\$(?:(?<plain>[A-Za-z0-9_]+)|\{(?<braced>[^}]*)\})/) { match in
            let name = match.output.plain ?? match.output.braced ?? ""
            return environment[String(name)] ?? String(match.output.0)
        }
    }

    /// Where a repository is, if something of it was downloaded; else nil.
    func repository(_ name: HubName) -> URL? {
        let folder = place(of: name)
        return folder.isFolder ? folder : nil
    }

    /// The snapshot that a name leads to: the one that the file of its revision in `refs` names, else the one that is called
    /// like the revision.
    ///
    /// - Throws: `PolicyError` that says where it was looked for and how to get it, if it is not there or holds no policy.
    func snapshot(_ name: HubName) throws(PolicyError) -> URL {
        guard let repository = repository(name) else { throw missing(name) }
        let revision = name.revision ?? HubName.mainRevision
        let snapshots = repository.appending(path: PolicyFolder.snapshotsName, directoryHint: .isDirectory)
        let reference = repository.appending(path: "refs/\(revision)").shortText
        let hash = reference ?? revision
        let snapshot = snapshots.appending(path: hash, directoryHint: .isDirectory)
        guard !hash.contains("/"), snapshot.isFolder else {
            if let reference {
                throw PolicyError(
                    name.text,
                    found:
                        "revision \(revision.quoted) is \(reference.quoted), and there is no such snapshot in "
                        + repository.plainPath.inOneLine,
                    expected: "a whole policy there; \(howToGet(name))"
                )
            }
            throw missingRevision(revision, of: name, in: repository)
        }
        guard snapshot.holdsPolicy else {
            throw PolicyError(
                name.text,
                found: "no \(PolicyConfiguration.fileName) in \(snapshot.plainPath.inOneLine)",
                expected: "a whole policy there; \(howToGet(name))"
            )
        }
        return snapshot
    }

    private func place(of name: HubName) -> URL {
        folder.appending(path: name.folderName, directoryHint: .isDirectory)
    }

    // MARK: - What is missing

    private func missing(_ name: HubName) -> PolicyError {
        // A service is another user, who may not read its administrator's cache.
        let found =
            folder.refusal.map {
                "Hugging Face's cache, \(folder.plainPath.inOneLine), cannot be read (\($0))"
            }
            ?? "Hugging Face's cache has no \(place(of: name).plainPath.inOneLine)"
        return PolicyError(
            name.text,
            found: "no such folder, and \(found)",
            expected: "a policy's folder or a name that is in the cache; \(howToGet(name))"
        )
    }

    private func missingRevision(_ revision: String, of name: HubName, in repository: URL) -> PolicyError {
        let cached =
            quotedList(revisions(in: repository)).map { "one of \($0)" } ?? "a revision that is there"
        return PolicyError(
            name.text,
            found:
                "no revision \(revision.quoted) in Hugging Face's cache, \(repository.plainPath.inOneLine)",
            expected: "\(cached); \(howToGet(name))"
        )
    }

    private func howToGet(_ name: HubName) -> String {
        let revision = name.revision.map { " --revision \($0.inOneLine)" } ?? ""
        return "`hf download \(name.repository)\(revision)` downloads it "
            + "(`huggingface-cli download` before huggingface_hub 0.34)"
    }

    /// What may stand after `@`: branches and tags, then commits.
    private func revisions(in repository: URL) -> [String] {
        let refs = repository.appending(path: "refs")
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: refs.plainPath)) ?? []
        return names.sorted().filter { refs.appending(path: $0).shortText != nil }
            + repository.appending(path: PolicyFolder.snapshotsName).folders.map(\.lastPathComponent)
    }
}

import Foundation
import PolicyFixtures
import Testing

@testable import Policy

/// Names in Hugging Face's hub cache, compared with what huggingface_hub finds: Tests/Oracles/hub_cache.py.
@Suite("Hugging Face's cache") struct HubCacheTests {
    private struct Golden: Decodable {
        struct Entry: Decodable {
            let text: String?
            let link: String?
        }
        struct Lookup: Decodable, CustomStringConvertible {
            let repository: String
            let revision: String?
            let snapshot: String?

            var name: String { repository + (revision.map { "@\($0)" } ?? "") }
            var description: String { name }
        }
        struct Place: Decodable {
            let environment: [String: String]
            let folder: String
        }
        let tree: [String: Entry]
        let lookups: [Lookup]
        let names: [String: Bool]
        let folders: [Place]

        static func read() throws -> Golden {
            try JSONDecoder().decode(Golden.self, from: Data(contentsOf: fixture("hub_cache.json")))
        }
    }

    /// A working folder with a cache in it, as huggingface_hub left it; removed with the value.
    private final class Workplace {
        let root: URL
        let cache: HubCache
        let golden: Golden

        init() throws {
            golden = try Golden.read()
            root = FileManager.default.temporaryDirectory
                .appending(
                    path: "denoised-tests-\(UInt64.random(in: 0 ... .max))",
                    directoryHint: .isDirectory
                )
            cache = HubCache(environment: ["HF_HUB_CACHE": "hub"], workingDirectory: root)
            for (name, entry) in golden.tree {
                let url = cache.folder.appending(path: name)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                if let link = entry.link {
                    try FileManager.default.createSymbolicLink(
                        atPath: url.plainPath,
                        withDestinationPath: link
                    )
                } else {
                    try Data(try #require(entry.text).utf8).write(to: url)
                }
            }
        }

        deinit { try? FileManager.default.removeItem(at: root) }

        func find(_ text: String) throws -> PolicyFolder {
            try PolicyFolder(finding: text, in: cache, workingDirectory: root)
        }

        func error(_ text: String) throws -> String {
            let error = try #require(throws: PolicyError.self, "\(text)") { try self.find(text) }
            let message = error.description
            #expect(message.hasPrefix("\(text): ") && !message.contains("\n"), "\(message)")
            return message
        }

        /// Makes an empty policy in the working folder.
        func makePolicy(_ path: String) throws {
            let folder = root.appending(path: path)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data("{}".utf8).write(to: folder.appending(path: "config.json"))
        }
    }

    @Test func `names lead to the snapshots that huggingface_hub finds`() throws {
        let workplace = try Workplace()
        var found = 0
        for lookup in workplace.golden.lookups {
            guard let snapshot = lookup.snapshot else {
                #expect(try !workplace.error(lookup.name).isEmpty)
                continue
            }
            let folder = try workplace.find(lookup.name)
            let expected = workplace.cache.folder.appending(path: snapshot, directoryHint: .isDirectory)
            #expect(folder.url.absoluteURL == expected.absoluteURL, "\(lookup)")
            #expect(folder.name == lookup.repository)
            #expect(folder.origin == .hubCache(revision: lookup.revision ?? "main"))
            found += 1
        }
        #expect(found >= 8 && found < workplace.golden.lookups.count)
    }

    @Test func `the cache is where huggingface_hub has it`() throws {
        let places = try Golden.read().folders
        #expect(places.count >= 15)
        for place in places {
            let environment = ["HOME": "/home/ada", "DISK": "/disk"].merging(place.environment) { $1 }
            let cache = HubCache(environment: environment, workingDirectory: URL(filePath: "/place/"))
            let found = cache.folder.standardizedFileURL.plainPath
            #expect(found.trimmingSuffix("/") == place.folder, "\(place.environment)")
        }
    }

    @Test func `an empty variable counts as absent`() {
        let names = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"]
        let empty = Dictionary(uniqueKeysWithValues: names.map { ($0, "") })
        let cache = HubCache(environment: ["HOME": "/home/ada"].merging(empty) { $1 })
        #expect(cache.folder.plainPath == "/home/ada/.cache/huggingface/hub/")
    }

    @Test func `names are those that the hub accepts`() throws {
        let names = try Golden.read().names
        #expect(names.values.filter(\.self).count >= 4 && names.values.count { !$0 } >= 10)
        for (name, isValid) in names where !name.contains("@") {
            #expect((HubName(name) != nil) == isValid, "\(name)")
        }
    }

    @Test(arguments: ["", "/etc", "../v1", "refs/../../v1", "v1/", "a//b", "v 1", "v\n1"])
    func `a revision stays in its folder`(revision: String) {
        #expect(HubName("org/name@\(revision)") == nil)
    }

    @Test func `a revision may be a branch with slashes, and have an at sign`() throws {
        let name = try #require(HubName("org/name@feature/v@2"))
        #expect((name.repository, name.revision) == ("org/name", "feature/v@2"))
    }

    @Test func `a folder of that name wins, and this is said`() throws {
        let workplace = try Workplace()
        try workplace.makePolicy("org/name")
        try workplace.makePolicy("other/name")
        let folder = try workplace.find("org/name")
        #expect(folder.origin == .given && folder.name == "name")
        #expect(folder.passedOver?.lastPathComponent == "models--org--name")
        #expect(folder.explanation.contains("/org/name/, and not what Hugging Face's cache has by that name"))
        #expect(folder.explanation.contains("models--org--name"))
        let other = try workplace.find("other/name")
        #expect(other.passedOver == nil && !other.explanation.contains("Hugging Face"))
        // With the revision it is the name of no folder.
        #expect(try workplace.find("org/name@v1").origin == .hubCache(revision: "v1"))
    }

    @Test func `a link that leads nowhere is no name in the cache`() throws {
        let workplace = try Workplace()
        let link = workplace.root.appending(path: "org")
        try FileManager.default.createDirectory(at: link, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: link.appending(path: "name").plainPath,
            withDestinationPath: "gone"
        )
        #expect(try workplace.error("org/name").contains("org/name: not a folder"))
    }

    @Test func `a path without a folder is told as one`() throws {
        let workplace = try Workplace()
        let folder = workplace.root.appending(path: "runs")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: folder.appending(path: "notes.txt"))
        for (path, found) in [
            ("absent", "no such folder"), ("./runs/absent", "no such folder"),
            ("runs/notes.txt", "not a folder"),
        ] {
            let error = try workplace.error(path)
            #expect(error.hasPrefix("\(path): \(found); expected a policy's folder"), "\(error)")
        }
    }

    @Test func `an error says where was looked, what is there and how to get the rest`() throws {
        let workplace = try Workplace()
        let absent = try workplace.error("org/absent")
        let place = workplace.cache.folder.appending(path: "models--org--absent").plainPath
        for part in ["no such folder", place, "`hf download org/absent`"] {
            #expect(absent.contains(part), "\(absent)")
        }
        let revision = try workplace.error("org/name@v2")
        for part in ["no revision \"v2\"", "one of \"main\", \"refs/pr/1\", \"v1\"", "--revision v2"] {
            #expect(revision.contains(part), "\(revision)")
        }
        let tagged = try workplace.error("org/tagged")
        #expect(tagged.contains("no revision \"main\"") && tagged.contains("\"v1\""), "\(tagged)")
        let readme = try workplace.error("org/readme")
        #expect(readme.contains("no config.json in "), "\(readme)")
        #expect(readme.contains("`hf download org/readme`"), "\(readme)")
    }

    @Test func `a commit that is only named is not there`() throws {
        let workplace = try Workplace()
        let main = workplace.cache.folder.appending(path: "models--org--name/refs/main")
        for text in ["", "../../models--org--tagged", ".."] {
            try Data(text.utf8).write(to: main)
            #expect(try workplace.error("org/name").contains("no revision \"main\""), "\(text)")
        }
        try Data("0123abcd".utf8).write(to: main)
        let gone = try workplace.error("org/name")
        #expect(
            gone.contains("revision \"main\" is \"0123abcd\", and there is no such snapshot in"),
            "\(gone)"
        )
        #expect(gone.contains("`hf download org/name`"), "\(gone)")
    }

    @Test func `what was taken is explained`() throws {
        let workplace = try Workplace()
        try workplace.makePolicy("run/checkpoints/000010/pretrained_model")
        let checkpoints = workplace.root.appending(path: "run/checkpoints")
        try FileManager.default.createSymbolicLink(
            atPath: checkpoints.appending(path: "last").plainPath,
            withDestinationPath: "000010"
        )
        let run = try workplace.find("run")
        #expect((run.origin, run.name) == (.trainingRun, "run"))
        #expect(run.explanation.hasPrefix("the training run's checkpoint /"))
        #expect(run.explanation.contains("checkpoints/000010/pretrained_model"))
        let checkpoint = try workplace.find("run/checkpoints/last/pretrained_model")
        #expect((checkpoint.origin, checkpoint.name) == (.given, "run"))
        #expect(checkpoint.explanation.hasPrefix("the folder "))
        let name = try workplace.find("org/name@v1")
        #expect(name.explanation.hasPrefix("revision v1 in Hugging Face's cache, /"))
        let repository = try workplace.find("hub/models--org--tagged")
        #expect((repository.origin, repository.name) == (.hubCache(revision: nil), "org/tagged"))
        #expect(repository.explanation.hasPrefix("the only snapshot in Hugging Face's cache, /"))
    }

    @Test(.enabled("to root nothing is unreadable") { geteuid() != 0 })
    func `a cache that may not be read is not called empty`() throws {
        let workplace = try Workplace()
        let folder = workplace.cache.folder.plainPath
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: folder)
        defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder) }
        #expect(try workplace.error("org/name").contains("cannot be read (Permission denied)"))
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) && count > suffix.count ? String(dropLast(suffix.count)) : self
    }
}

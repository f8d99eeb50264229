import Foundation
import Testing

@testable import Policy

/// Folders that lead to a policy, as LeRobot's training and Hugging Face's hub write them.
@Suite("A policy's folder") struct PolicyFolderTests {
    /// Makes empty policies in a folder and calls `body` with it.
    private func with(_ policies: [String], _ body: (URL) throws -> Void) throws {
        let root = FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-\(UInt64.random(in: 0 ... .max))", directoryHint: .isDirectory)
        defer { try? FileManager.default.removeItem(at: root) }
        for policy in policies {
            let folder = root.appending(path: policy)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data("{}".utf8).write(to: folder.appending(path: "config.json"))
        }
        try body(root)
    }

    private func expect(_ given: String, in root: URL, leadsTo path: String, name: String) throws {
        let url = root.appending(path: given, directoryHint: .isDirectory)
        let folder = try PolicyFolder(resolving: url)
        let found = folder.url.resolvingSymlinksInPath().path(percentEncoded: false)
        #expect(found.contains("/\(path)"), "\(given): \(found)")
        #expect(folder.name == name, "\(given)")
    }

    private static let steps = ["9", "000010"].map { "run/checkpoints/\($0)/pretrained_model" }

    @Test func aRunLeadsToItsNewestCheckpoint() throws {
        try with(Self.steps) { root in
            for given in ["run", "run/checkpoints", "run/checkpoints/000010", Self.steps[1]] {
                try expect(given, in: root, leadsTo: Self.steps[1], name: "run")
            }
        }
    }

    @Test func lastIsALinkOrAFile() throws {
        try with(Self.steps) { root in
            let last = root.appending(path: "run/checkpoints/last")
            try FileManager.default.createSymbolicLink(atPath: last.path, withDestinationPath: "9")
            try expect("run", in: root, leadsTo: Self.steps[0], name: "run")
            try expect("run/checkpoints/last/pretrained_model", in: root, leadsTo: Self.steps[0], name: "run")
            try FileManager.default.removeItem(at: last)
            try Data("9\n".utf8).write(to: last)
            try expect("run", in: root, leadsTo: Self.steps[0], name: "run")
        }
    }

    @Test func aHubCacheLeadsToItsMainSnapshot() throws {
        let repository = "models--org--name--2"
        try with(["\(repository)/snapshots/abc", "\(repository)/snapshots/def"]) { root in
            let error = try #require(throws: PolicyError.self) {
                try PolicyFolder(resolving: root.appending(path: repository))
            }
            #expect(error.description.contains("snapshots/abc"), "\(error)")
            let refs = root.appending(path: "\(repository)/refs")
            try FileManager.default.createDirectory(at: refs, withIntermediateDirectories: true)
            try Data("def".utf8).write(to: refs.appending(path: "main"))
            for given in [repository, "\(repository)/snapshots", "\(repository)/snapshots/def"] {
                try expect(given, in: root, leadsTo: "\(repository)/snapshots/def", name: "org/name--2")
            }
            try Data("gone".utf8).write(to: refs.appending(path: "main"))
            #expect(throws: PolicyError.self) {
                try PolicyFolder(resolving: root.appending(path: repository))
            }
        }
    }

    @Test func aFolderOfRunsIsNoPolicyAndListsThem() throws {
        try with(Self.steps) { root in
            let error = try #require(throws: PolicyError.self) { try PolicyFolder(resolving: root) }
            #expect(error.description.contains("/run"), "\(error)")
        }
    }

    @Test func aFolderWithAPolicyIsTakenAsItIs() throws {
        try with(["last", "pusht"]) { root in
            for name in ["last", "pusht"] { try expect(name, in: root, leadsTo: name, name: name) }
        }
    }
}

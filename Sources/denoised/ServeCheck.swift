import Foundation
import Logging
import Policy
import RobotDescription

/// What `config` finds out about `serve`'s options without opening a socket, a state file or a recording.
struct ServeCheck {
    /// What keeps the daemon from starting.
    private(set) var problems: [String] = []
    /// What somebody should know.
    private(set) var notes: [String] = []
    /// The policies; empty if one cannot be used.
    private(set) var policies: [NamedPolicy] = []

    /// Reads every file that the options name.
    init(_ serve: ServeCommand) {
        check { _ in try serve.http.check(isInsecure: serve.security.insecure) }
        check { try $0.notes += serve.unprotectedWarnings() }
        check { check in
            let policies = try serve.policy.map { choice in
                let bundle = try PolicyOptions.load(PolicyOptions.find(choice.given), given: choice.given)
                return NamedPolicy(name: choice.name ?? bundle.name, bundle: bundle)
            }
            try NamedPolicy.checkNames(policies)
            check.policies = policies
        }
        check { _ in _ = try serve.sampler.kernel() }
        if policies.isEmpty { checkRobotFilesAlone(serve.robot) } else { check(serve, with: policies) }
        if let path = serve.record { checkRecording(path) }
        if let path = serve.state { checkFolder(of: path, option: "--state") }
    }

    private mutating func check(_ serve: ServeCommand, with policies: [NamedPolicy]) {
        for policy in policies.map(\.bundle) {
            check { _ in
                try Failure.asInput {
                    _ = try policy.configuration.sampler(
                        serve.sampler.parallelByDefault
                            .settings(for: policy.configuration, on: (try? serve.sampler.kernel()) ?? .exact)
                    )
                }
            }
        }
        check { _ in try serve.cameras.check(for: policies) }
        let before = problems.count
        for path in serve.robot {
            check { _ in _ = try RobotOptions.load([path], commandHz: serve.commandHz, for: policies) }
        }
        guard problems.count == before else { return }
        check { _ in
            try serve.checkForeignClients(of: policies)
            let files = try RobotOptions.load(serve.robot, commandHz: serve.commandHz, for: policies)
            guard policies.count == 1 else { return }
            _ = try RobotOptions.gr00tMapping(files, for: policies[0].bundle)
            _ = try RobotOptions.openPIMapping(files, for: policies[0].bundle)
        }
    }

    private mutating func checkRobotFilesAlone(_ paths: [String]) {
        for path in paths {
            check { _ in
                try Failure.asInput(path: path) { _ = try RobotFile(contentsOf: URL(filePath: path)) }
            }
        }
    }

    private mutating func checkRecording(_ path: String) {
        let name = RecordingOptions.name(path)
        if FileManager.default.fileExists(atPath: name) {
            let hint = path == name ? "; with {time} in its name each start has a file of its own" : ""
            problems.append(
                ServeLine.explained("--record: \(name) is there already, expected a new file\(hint)")
            )
        }
        checkFolder(of: path, option: "--record")
    }

    /// The folder may be made before the daemon starts, as a service manager does.
    private mutating func checkFolder(of path: String, option: String) {
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        var isFolder: ObjCBool = false
        let isThere = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
        guard !isThere || !isFolder.boolValue else { return }
        notes.append(ServeLine.explained("\(option): the folder \(folder) is not there"))
    }

    private mutating func check(_ body: (inout ServeCheck) throws -> Void) {
        do {
            try body(&self)
        } catch {
            problems.append(ServeLine.explained("\(error)"))
        }
    }
}

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
    /// The policy; nil if it cannot be used.
    private(set) var policy: PolicyBundle?

    /// Reads every file that the options name.
    init(_ serve: ServeCommand) {
        check { _ in try serve.http.check(isInsecure: serve.security.insecure) }
        check { try $0.notes += serve.unprotectedWarnings() }
        check { $0.policy = try PolicyOptions.load(PolicyOptions.find(serve.policy), given: serve.policy) }
        check { _ in _ = try serve.sampler.kernel() }
        if let policy { check(serve, with: policy) } else { checkRobotFilesAlone(serve.robot) }
        if let path = serve.record { checkRecording(path) }
        if let path = serve.state { checkFolder(of: path, option: "--state") }
    }

    private mutating func check(_ serve: ServeCommand, with policy: PolicyBundle) {
        check { _ in
            try Failure.asInput {
                _ = try policy.configuration.sampler(
                    serve.sampler.parallelByDefault.settings(for: policy.configuration)
                )
            }
        }
        check { _ in try serve.cameras.check(for: policy) }
        let before = problems.count
        for path in serve.robot {
            check { _ in _ = try RobotOptions.load([path], commandHz: serve.commandHz, for: policy) }
        }
        guard problems.count == before else { return }
        check { _ in
            let files = try RobotOptions.load(serve.robot, commandHz: serve.commandHz, for: policy)
            _ = try RobotOptions.gr00tMapping(files, for: policy)
            _ = try RobotOptions.openPIMapping(files, for: policy)
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

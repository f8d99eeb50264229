import Foundation
import ForeignClients
import Gr00t
import OpenPI
import Planning
import Policy
import Motion
import RobotDescription
import Robotics

/// Reading the robot files that a command was given.
enum RobotOptions {
    /// Reads and checks files, each by itself and with the policies: at least one must go with it.
    ///
    /// - Parameter commandHz: replaces each file's rate of commands.
    /// - Throws: `Failure` that names the file and the field.
    static func load(
        _ paths: [String],
        commandHz: Double?,
        for policies: [NamedPolicy]
    ) throws -> [RobotFile] {
        var files: [RobotFile] = []
        for path in paths {
            try Failure.asInput(path: path) {
                var file = try RobotFile(contentsOf: URL(filePath: path))
                if let commandHz {
                    try RobotFile.checkRates(controlHz: file.controlHz, commandHz: commandHz)
                    file.commandHz = commandHz
                }
                try check(file, for: policies)
                if files.contains(where: { $0.robot == file.robot }) {
                    throw Failure.input(
                        "robot: found \(file.robot ?? "none") in two files, expected each robot in one"
                    )
                }
                files.append(file)
            }
        }
        return files
    }

    private static func check(_ file: RobotFile, for policies: [NamedPolicy]) throws {
        let dimensions = file.limits.dimensions.count
        let fitting = policies.filter { $0.bundle.configuration.actionDim == dimensions }
        guard !fitting.isEmpty else {
            let expected = policies.map { "the \($0.bundle.configuration.actionDim) of policy \($0.name)" }
            throw Failure.input(
                "actions: found \(dimensions), expected \(expected.joined(separator: " or "))"
            )
        }
        if let strategy = file.strategy, ChunkStrategy(rawValue: strategy) == nil {
            let names = ChunkStrategy.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure.input("strategy: found \"\(strategy)\", expected one of \(names)")
        }
        guard let feedback = file.feedback else { return }
        for policy in fitting { try check(feedback, for: policy.bundle) }
    }

    private static func check(_ feedback: RobotFile.Feedback, for policy: PolicyBundle) throws {
        guard let feature = policy.observationFeatures.first(where: { $0.name == feedback.feature }) else {
            let names = policy.observationFeatures.map(\.name).joined(separator: ", ")
            throw Failure.input("feedback.feature: found \"\(feedback.feature)\", expected one of \(names)")
        }
        if let index = feedback.indices.first(where: { $0 >= feature.count }) {
            throw Failure.input(
                "feedback.indices: found \(index), expected less than the \(feature.count) numbers of \(feature.name)"
            )
        }
    }

    /// The names for the GR00T endpoint, which one file may hold.
    ///
    /// - Returns: nil if none does: names then stand for themselves.
    static func gr00tMapping(_ files: [RobotFile], for policy: PolicyBundle) throws -> Gr00tMapping? {
        let holding = files.filter { $0.gr00t != nil }
        guard holding.count <= 1 else {
            throw Failure.input("gr00t: found in \(holding.count) robot files, expected it in one")
        }
        guard let file = holding.first, let names = file.gr00t else { return nil }
        let lookback: Lookback? = try word("gr00t.lookback", names.lookback)
        let version: Gr00tVersion? = try word("gr00t.version", names.version)
        let ownNames = policy.observationFeatures.map { ($0.name, [$0.name]) }
        return Gr00tMapping(
            observations: names.observations ?? Dictionary(uniqueKeysWithValues: ownNames),
            cameras: names.cameras ?? Gr00tMapping.standardKeys(of: policy.cameras.map(\.name)),
            actions: names.actions?.map { .init(key: $0.key, dimensions: $0.dimensions) }
                ?? [.init(key: "action", dimensions: Array(file.limits.dimensions.indices))],
            lookback: lookback ?? .request,
            version: version ?? .n16
        )
    }

    /// The names for the openpi endpoint, which one file may hold. A client that names no robot speaks for that of the file.
    ///
    /// - Returns: nil if none does: names then stand for themselves.
    static func openPIMapping(_ files: [RobotFile], for policy: PolicyBundle) throws -> OpenPIMapping? {
        let holding = files.filter { $0.openpi != nil }
        guard holding.count <= 1 else {
            throw Failure.input("openpi: found in \(holding.count) robot files, expected it in one")
        }
        guard let file = holding.first, let names = file.openpi else { return nil }
        let lookback: Lookback? = try word("openpi.lookback", names.lookback)
        let ownNames = policy.observationFeatures.map { ($0.name, [$0.name]) }
        return OpenPIMapping(
            names: ClientNames(
                observations: names.observations ?? Dictionary(uniqueKeysWithValues: ownNames),
                cameras: names.cameras ?? OpenPIMapping.ownNames(ofCameras: policy.cameras.map(\.name)),
                actions: names.actions?.map { .init(key: $0.key, dimensions: $0.dimensions) }
                    ?? [
                        .init(
                            key: OpenPIMapping.standardActionsKey,
                            dimensions: Array(file.limits.dimensions.indices)
                        )
                    ]
            ),
            lookback: lookback ?? .repeated,
            resetKey: names.reset,
            robot: file.robot.flatMap { RobotID($0) }
        )
    }

    /// One of a closed list of words; nil if the file says none.
    private static func word<Word: RawRepresentable & CaseIterable>(
        _ field: String,
        _ text: String?
    ) throws -> Word? where Word.RawValue == String {
        guard let text else { return nil }
        guard let word = Word(rawValue: text) else {
            let known = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure.input("\(field): found \"\(text)\", expected one of \(known)")
        }
        return word
    }
}

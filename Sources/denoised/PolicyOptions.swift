import ArgumentParser
import Daemon
import Foundation
import Planning
import Policy
import Stalls

/// Opening the policy that a command was given.
enum PolicyOptions {
    /// What may be given, for the help of an option or argument.
    static let what =
        "a folder of LeRobot's diffusion policy, a training run's folder, or a name in Hugging Face's cache, org/name[@revision]."
    static let valueName = "policy"
    /// The help of an option or argument that names the policy.
    static let help = ArgumentHelp("The policy: \(what)", valueName: valueName)

    /// The help of an option that names a policy, and may be given more than once.
    static let helpOfSeveral = ArgumentHelp(
        """
        The policy: \(what) May be given more than once, each as NAME=policy: a robot names one in its reset \
        (docs/OPERATIONS.md#several-policies).
        """,
        valueName: valueName
    )

    /// Finds a policy by its folder or its name in Hugging Face's cache.
    static func find(_ given: String) throws -> PolicyFolder {
        try Failure.asInput(path: given) { try PolicyFolder(finding: given, in: .standard) }
    }

    /// Reads and checks the bundle in a folder.
    ///
    /// - Parameter given: what the user gave, for errors.
    static func load(_ folder: PolicyFolder, given: String) throws -> PolicyBundle {
        try Failure.asInput(path: given) { try PolicyBundle(folder: folder) }
    }

    /// Tells the user what was taken, unless it is simply the folder that was given.
    static func explain(_ folder: PolicyFolder) {
        guard folder.origin != .given || folder.passedOver != nil else { return }
        Console.note("policy \(folder.name): \(folder.explanation)")
    }

    /// Reads and checks bundles that are to be run side by side.
    ///
    /// - Parameters:
    ///   - choices: at least one.
    ///   - threads: the threads for each network; nil: one for each core.
    ///   - explain: tells what was taken, and what it is called.
    /// - Throws: `Failure`, also for two of one name, and if there is no room for all.
    static func loadToRun(
        _ choices: [PolicyChoice],
        threads: Int?,
        in surroundings: AddressSpace.Surroundings = .nothing,
        explain: (_ name: String, PolicyFolder) -> Void = { explain($1) }
    ) throws -> [NamedPolicy] {
        try AddressSpace.checkForAnyPolicy()
        let folders = try choices.map { choice in
            try choice.checkName()
            return try find(choice.given)
        }
        let policies = try zip(choices, folders).map { choice, folder in
            let bundle = try load(folder, given: choice.given)
            return NamedPolicy(name: choice.name ?? bundle.name, bundle: bundle)
        }
        try NamedPolicy.checkNames(policies)
        try AddressSpace.check(
            for: policies.map(\.bundle.configuration.parameters),
            threads: threads,
            in: surroundings
        )
        for (policy, folder) in zip(policies, folders) { explain(policy.name, folder) }
        return policies
    }

    /// Reads and checks a bundle that is to be run.
    ///
    /// - Parameters:
    ///   - threads: the threads for a network; nil: one for each core.
    ///   - networks: how many networks are made of it.
    ///   - explain: tells what was taken.
    /// - Throws: `Failure`, also if there is no room for that.
    static func loadToRun(
        _ given: String,
        threads: Int?,
        networks: Int = 1,
        in surroundings: AddressSpace.Surroundings = .nothing,
        explain: (PolicyFolder) -> Void = explain
    ) throws -> PolicyBundle {
        try AddressSpace.checkForAnyPolicy()
        try PolicyChoice.checkHasNoName(given)
        let folder = try find(given)
        let bundle = try load(folder, given: given)
        try AddressSpace.check(
            for: Array(repeating: bundle.configuration.parameters, count: networks),
            threads: threads,
            in: surroundings
        )
        explain(folder)
        return bundle
    }
}

extension PolicyPlanner {
    /// What makes a bundle's planner on the daemon's planning thread, given what watches its passes.
    ///
    /// - Parameters:
    ///   - name: what the policy is called; nil: as the bundle is.
    ///   - maximumGroup: the most chunks of several robots that are planned together.
    ///   - maximumRobots: whose frames' features are kept.
    ///   - tunesLater: whether robots are served while the planner is calibrated, which shows no progress by itself then.
    ///   - warn: gets what the user should know and keeps nothing from working.
    static func factory(
        bundle: PolicyBundle,
        name: String? = nil,
        sampler: SamplerOptions,
        locksWeights: Bool = false,
        maximumGroup: Int = 1,
        maximumRobots: Int = DaemonConfiguration().maximumRobots,
        tunesLater: Bool = false,
        warn: @escaping @Sendable (String) -> Void = Console.warn
    ) throws -> @Sendable (StallWatch?) throws -> PolicyPlanner {
        let threads = sampler.threadCount
        let kernel = try sampler.kernel()
        let settings = sampler.settings(for: bundle.configuration, on: kernel)
        let filteringBytes = bundle.configuration.architecture.filteringBytes(kernel)
        if filteringBytes > 0 {
            try AddressSpace.check(
                for: [bundle.configuration.parameters],
                threads: threads,
                further: filteringBytes
            )
        }
        return { stallWatch in
            try PolicyPlanner(
                bundle: bundle,
                name: name,
                settings: settings,
                threads: threads,
                kernel: kernel,
                locksWeights: locksWeights,
                keepsDeadlines: sampler.budgetMs != nil,
                startsWarm: sampler.warmStart != nil,
                maximumGroup: maximumGroup,
                maximumRobots: maximumRobots,
                stallWatch: stallWatch,
                calibrations: tunesLater ? .standard(warn: warn) : .shown(warn: warn),
                tunesLater: tunesLater
            )
        }
    }
}

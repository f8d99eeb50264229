import Daemon
import Foundation
import Planning
import Policy
import Stalls

/// Opening the policy that a command was given.
enum PolicyOptions {
    /// The folder that was given.
    static func url(_ path: String) -> URL { URL(filePath: path, directoryHint: .isDirectory) }

    /// Reads and checks the bundle in a folder, or that it leads to.
    static func load(_ path: String) throws -> PolicyBundle {
        try Failure.asInput(path: path) { try PolicyBundle(directory: url(path)) }
    }

    /// Reads and checks a bundle that is to be run.
    ///
    /// - Parameters:
    ///   - threads: the threads for a network; nil: one for each core.
    ///   - networks: how many networks are made of it.
    /// - Throws: `Failure`, also if there is no room for that.
    static func loadToRun(
        _ path: String,
        threads: Int?,
        networks: Int = 1,
        in surroundings: AddressSpace.Surroundings = .nothing
    ) throws -> PolicyBundle {
        try AddressSpace.checkForAnyPolicy()
        let bundle = try load(path)
        try AddressSpace.check(
            for: bundle.configuration.parameters,
            threads: threads,
            networks: networks,
            in: surroundings
        )
        return bundle
    }
}

extension PolicyPlanner {
    /// What makes a bundle's planner on the daemon's planning thread, given what watches its passes.
    ///
    /// - Parameters:
    ///   - maximumGroup: the most chunks of several robots that are planned together.
    ///   - maximumRobots: whose frames' features are kept.
    ///   - tunesLater: whether robots are served while the planner is calibrated, which shows no progress by itself then.
    ///   - warn: gets what the user should know and keeps nothing from working.
    static func factory(
        bundle: PolicyBundle,
        sampler: SamplerOptions,
        locksWeights: Bool = false,
        maximumGroup: Int = 1,
        maximumRobots: Int = DaemonConfiguration().maximumRobots,
        tunesLater: Bool = false,
        warn: @escaping @Sendable (String) -> Void = Console.warn
    ) throws -> @Sendable (StallWatch?) throws -> PolicyPlanner {
        let settings = sampler.settings(for: bundle.configuration)
        let threads = sampler.threadCount
        let kernel = try sampler.kernel()
        return { stallWatch in
            try PolicyPlanner(
                bundle: bundle,
                settings: settings,
                threads: threads,
                kernel: kernel,
                locksWeights: locksWeights,
                keepsDeadlines: sampler.budgetMs != nil,
                startsWarm: sampler.warmStart,
                maximumGroup: maximumGroup,
                maximumRobots: maximumRobots,
                stallWatch: stallWatch,
                calibrations: tunesLater ? .standard(warn: warn) : .shown(warn: warn),
                tunesLater: tunesLater
            )
        }
    }
}

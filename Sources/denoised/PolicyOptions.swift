import Controller
import Foundation
import Policy

/// Opening the policy that a command was given.
enum PolicyOptions {
    /// Reads and checks the bundle in a folder.
    static func load(_ path: String) throws -> PolicyBundle {
        try Failure.asInput(path: path) {
            try PolicyBundle(directory: URL(filePath: path, directoryHint: .isDirectory))
        }
    }
}

extension PolicyPlanner {
    /// What makes a bundle's planner on the daemon's planning thread.
    ///
    /// - Parameters:
    ///   - maximumGroup: the most chunks of several robots that are planned together.
    ///   - warn: gets what the user should know and keeps nothing from working.
    static func factory(
        bundle: PolicyBundle,
        sampler: SamplerOptions,
        locksWeights: Bool = false,
        maximumGroup: Int = 1,
        warn: @escaping @Sendable (String) -> Void = Console.warn
    ) throws -> @Sendable () throws -> PolicyPlanner {
        let settings = sampler.settings(for: bundle.configuration)
        let threads = sampler.threadCount
        let kernel = try sampler.kernel()
        return {
            try PolicyPlanner(
                bundle: bundle,
                settings: settings,
                threads: threads,
                kernel: kernel,
                locksWeights: locksWeights,
                keepsDeadlines: sampler.budgetMs != nil,
                startsWarm: sampler.warmStart,
                maximumGroup: maximumGroup,
                calibrations: .standard(warn: warn)
            )
        }
    }
}

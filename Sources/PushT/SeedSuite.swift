import Foundation

/// A named run of consecutive seeds, one an episode, so that scores are quoted on the same episodes.
public struct SeedSuite: Sendable, Hashable, Codable {
    /// The name it is asked for by.
    public let name: String
    /// What it is for.
    public let description: String
    /// The first episode's seed.
    public let firstSeed: UInt64
    /// How many episodes.
    public let count: Int

    /// The seeds in order.
    public var seeds: Range<UInt64> { firstSeed..<(firstSeed + UInt64(count)) }

    /// `sim/suites/evaluation.json`: the seeds that scores are quoted on.
    public static let evaluation = builtIn(PackageResources.evaluation_json, "evaluation.json")

    /// `sim/suites/smoke.json`: a quick look.
    public static let smoke = builtIn(PackageResources.smoke_json, "smoke.json")

    /// Every suite that is built into the program.
    public static let all = [evaluation, smoke]

    /// Reads and checks a suite file.
    /// - Throws: ``DataFileError``.
    public init(contentsOf url: URL) throws(DataFileError) {
        try self.init(json: DataFile.contents(of: url), source: url.lastPathComponent)
    }

    /// Reads and checks a suite.
    /// - Parameters:
    ///   - json: the contents of the file.
    ///   - source: the name that errors give it.
    /// - Throws: ``DataFileError``.
    public init(json: Data, source: String) throws(DataFileError) {
        self = try DataFile.decode(SeedSuite.self, from: json, source: source)
        var checks = FieldChecks(source: source)
        checks.require("name", name, "a name") { !$0.isEmpty }
        checks.inRange("count", count, in: 1...1_000_000)
        checks.inRange("first_seed", firstSeed, in: 0...UInt64.max - 1_000_000)
        if let error = checks.error { throw error }
    }

    private static func builtIn(_ bytes: [UInt8], _ source: String) -> SeedSuite {
        do {
            return try SeedSuite(json: Data(bytes), source: source)
        } catch {
            preconditionFailure("the built-in suite does not pass its own checks: \(error)")
        }
    }
}

/// A joined run as a file: what `denoised sim --json` would have printed, as far as its shards tell.
package struct JoinedFile: Encodable {
    private let run: Run

    /// - Parameter run: made of shards.
    package init(_ run: Run) { self.run = run }

    private enum CodingKeys: CodingKey {
        case version, policy, sampler, joined
        case episodes, meanScore, meanMaxCoverage, successRate, perEpisode
        case chunks, chunkLatencyMs, stageLatencyMs, iterationsMean, evaluationsMean, qualities, lateChunks
        case latencyHistograms, exampleChunks, realtime, camera
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(run.version, forKey: .version)
        try container.encodeIfPresent(run.policy, forKey: .policy)
        try container.encodeIfPresent(run.sampler.map(Sampler.init), forKey: .sampler)
        try encodeEpisodes(in: &container)
        try encodeChunks(in: &container)
        try container.encodeIfPresent(run.realTime.map(RealTime.init), forKey: .realtime)
        try container.encodeIfPresent(run.camera.map(Camera.init), forKey: .camera)
        try container.encodeIfPresent(run.joining.map(Joined.init), forKey: .joined)
    }

    private func encodeEpisodes(in container: inout KeyedEncodingContainer<CodingKeys>) throws {
        let episodes = run.episodes
        func mean(_ values: [Double]) -> Double? {
            values.count == episodes.count && !values.isEmpty
                ? values.reduce(0, +) / Double(values.count) : nil
        }
        try container.encode(episodes.count, forKey: .episodes)
        try container.encodeIfPresent(mean(episodes.map(\.score)), forKey: .meanScore)
        try container.encodeIfPresent(mean(episodes.compactMap(\.maxCoverage)), forKey: .meanMaxCoverage)
        let successes = episodes.compactMap { $0.isSuccess.map { $0 ? 1.0 : 0 } }
        try container.encodeIfPresent(mean(successes), forKey: .successRate)
        try container.encode(episodes.map(Episode.init), forKey: .perEpisode)
    }

    private func encodeChunks(in container: inout KeyedEncodingContainer<CodingKeys>) throws {
        try container.encodeIfPresent(run.chunks, forKey: .chunks)
        try container.encodeIfPresent(run.iterationsMean, forKey: .iterationsMean)
        try container.encodeIfPresent(run.evaluationsMean, forKey: .evaluationsMean)
        try container.encode(run.qualities, forKey: .qualities)
        try container.encodeIfPresent(run.lateChunks, forKey: .lateChunks)
        try container.encodeIfPresent(run.latency[.roundTrip].map(Times.init), forKey: .chunkLatencyMs)
        func byName<Value>(_ values: [Run.Stage: Value]) -> [String: Value] {
            Dictionary(uniqueKeysWithValues: values.map { ($0.key.rawValue, $0.value) })
        }
        let stages = run.latency.filter { $0.key != .roundTrip }
        try container.encode(byName(stages.mapValues(Times.init)), forKey: .stageLatencyMs)
        try container.encode(LatencyHistograms(byName(run.histograms)), forKey: .latencyHistograms)
        if run.median != nil || run.slowest != nil {
            try container.encode(Examples(median: run.median, slowest: run.slowest), forKey: .exampleChunks)
        }
    }
}

// MARK: Parts, as `sim` prints them

private struct Times: Encodable {
    let p50: Double
    let p90: Double?
    let p99: Double
    let max: Double?

    init(_ latency: Run.Latency) {
        (p50, p90, p99, max) = (latency.p50, latency.p90, latency.p99, latency.max)
    }
}

private struct Sampler: Encodable {
    let solver: String
    let steps: Int
    let method: String
    let window: Int
    let tolerance: Double
    let kernel: String
    let budgetMs: Double?

    init(_ sampler: Run.Sampler) {
        (solver, steps, method) = (sampler.solver, sampler.steps, sampler.method)
        (window, tolerance, kernel) = (sampler.window, sampler.tolerance, sampler.kernel)
        budgetMs = sampler.budgetMs > 0 ? sampler.budgetMs : nil
    }
}

private struct Episode: Encodable {
    let seed: UInt64
    let score: Double
    let maxCoverage: Double?
    let success: Bool?
    let steps: Int?

    init(_ episode: Run.Episode) {
        (seed, score, maxCoverage) = (episode.seed, episode.score, episode.maxCoverage)
        (success, steps) = (episode.isSuccess, episode.steps)
    }
}

private struct Examples: Encodable {
    let median: ExampleChunk?
    let slowest: ExampleChunk?
}

private struct Jump: Encodable {
    let mean: Double
    let count: Int?
}

private struct RealTime: Encodable {
    let schedule: String?
    let delayMs: Double?
    let steps: Int
    let heldSteps: Int
    let beyondSteps: Int
    let lateSteps: Int
    let velocityJump: Jump
    let otherJump: Jump

    init(_ found: Run.RealTime) {
        (schedule, delayMs, steps) = (found.schedule, found.delayMs, found.steps)
        (heldSteps, beyondSteps, lateSteps) = (found.heldSteps, found.beyondSteps, found.lateSteps)
        velocityJump = Jump(mean: found.jumpMean, count: found.jumps)
        otherJump = Jump(mean: found.otherJumpMean, count: found.otherJumps)
    }
}

private struct Camera: Encodable {
    let name: String
    let encoding: String
    let disturbances: String?
    let lostFrames: Int?
    let repeatedFrames: Int?
    let blindSteps: Int?

    init(_ camera: Run.Camera) {
        (name, encoding, disturbances) = (camera.name, camera.encoding, camera.disturbances)
        (lostFrames, repeatedFrames) = (camera.lostFrames, camera.repeatedFrames)
        blindSteps = camera.blindSteps
    }
}

private struct Joined: Encodable {
    let shards: Int
    let missingShards: [Int]
    let episodes: Int
    let missingSeeds: [UInt64]
    let doubledEpisodes: Int
    let files: [String]

    init(_ joining: Run.Joining) {
        (shards, missingShards, episodes) = (joining.shards, joining.missingShards, joining.episodes)
        (missingSeeds, doubledEpisodes) = (joining.missingSeeds, joining.doubledEpisodes)
        files = joining.files
    }
}

extension RunReader {
    /// How a run was joined, as its file says.
    func joining() throws(RunFileError) -> Run.Joining {
        var shards: [Int] = []
        for reader in try required("missing_shards").elements() { shards.append(try reader.whole()) }
        var seeds: [UInt64] = []
        for reader in try required("missing_seeds").elements() { seeds.append(try reader.unsigned()) }
        return Run.Joining(
            shards: try whole("shards"),
            missingShards: shards,
            episodes: try whole("episodes"),
            missingSeeds: seeds,
            doubledEpisodes: try whole("doubled_episodes"),
            files: try required("files").strings()
        )
    }
}

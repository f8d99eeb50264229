import ForeignText

extension Run {
    /// What a run was made from, and what it lacks.
    package struct Joining: Sendable, Hashable {
        /// How many shards the whole run has.
        package var shards: Int
        /// Those without a file, though they have episodes.
        package var missingShards: [Int]
        /// The whole run's episodes.
        package var episodes: Int
        /// The seeds whose episodes no file has, in the run's order.
        package var missingSeeds: [UInt64]
        /// Episodes that more than one file has, with the same result; each counts once.
        package var doubledEpisodes: Int
        /// The files, as they were given.
        package var files: [String]

        /// Whether every episode is there.
        package var isComplete: Bool { missingSeeds.isEmpty }

        /// What is missing, a sentence; nil: nothing.
        package var problem: String? {
            guard !isComplete else { return nil }
            let count = missingSeeds.count
            let episodes =
                "\(count) of \(ReportText.count(episodes, "episode")) \(count == 1 ? "is" : "are") missing"
            let seeds = "seed\(count == 1 ? "" : "s") " + Self.list(missingSeeds)
            guard !missingShards.isEmpty else { return "\(episodes): \(seeds)" }
            let one = missingShards.count == 1
            return
                "shard\(one ? "" : "s") \(Self.list(missingShards)) of \(shards) \(one ? "is" : "are") missing; "
                + "\(episodes): \(seeds)"
        }

        private static func list(_ numbers: [some Any]) -> String {
            let shown = numbers.prefix(6).map { "\($0)" }.joined(separator: ", ")
            return numbers.count > 6 ? "\(shown) and \(numbers.count - 6) more" : shown
        }
    }

    /// Joins the shards of one run.
    ///
    /// Episodes come in the order of their seeds, as of one process. Amounts add up, means are weighted by what they are of, and
    /// histograms add up; see ``Latency/init(joining:of:)`` for percentiles.
    ///
    /// - Parameter shards: at least one, all with the same ``settings``.
    /// - Throws: ``RunFileError`` for two files that tell different results of one seed.
    init(joining shards: [Run]) throws(RunFileError) {
        guard let first = shards.first, let sharded = first.sharded else {
            preconditionFailure("there is a shard")
        }
        self = first
        // Of two files of a shard, the one with more episodes has the others too, or should.
        let sorted = shards.enumerated().sorted { one, other in
            let (mine, theirs) = (one.element, other.element)
            let numbers = (mine.sharded?.shard.number ?? 0, theirs.sharded?.shard.number ?? 0)
            if numbers.0 != numbers.1 { return numbers.0 < numbers.1 }
            return (theirs.episodes.count, one.offset) < (mine.episodes.count, other.offset)
        }.map(\.element)
        let counted = try joinEpisodes(of: sorted, sharded)
        joinChunks(of: counted)
        joinRealTime(of: counted)
        joinCamera(of: counted)
        var seen: Set<String> = []
        // A shard may have nothing; the run then has what the others have.
        if !episodes.isEmpty { seen.insert(Self.withoutEpisodes) }
        if chunks != 0 { seen.insert(Self.withoutChunks) }
        notes = sorted.flatMap(\.notes).filter { seen.insert($0).inserted }
        noteJoining()
    }

    /// - Returns: the files that had an episode which none before had: those whose chunks count.
    private mutating func joinEpisodes(of shards: [Run], _ sharded: ShardedRun) throws(RunFileError) -> [Run]
    {
        var found: [UInt64: (episode: Episode, file: String)] = [:]
        var doubled = 0
        var counted: [Run] = []
        for shard in shards {
            var isNew = shard.episodes.isEmpty
            for episode in shard.episodes {
                guard let (earlier, file) = found[episode.seed] else {
                    found[episode.seed] = (episode, shard.file)
                    isNew = true
                    continue
                }
                guard earlier == episode else {
                    throw RunFileError(
                        shard.file,
                        field: "per_episode",
                        "seed \(episode.seed): found \(episode.summary), expected \(earlier.summary) as in "
                            + "\(file.inOneLine), or only one of the two files"
                    )
                }
                doubled += 1
            }
            if isNew { counted.append(shard) }
        }
        episodes = found.values.map(\.episode).sorted {
            (sharded.place(of: $0.seed) ?? 0) < (sharded.place(of: $1.seed) ?? 0)
        }
        let outcomes = episodes.compactMap(\.isSuccess)
        successes = outcomes.count == episodes.count ? outcomes.count { $0 } : nil
        let present = Set(shards.compactMap(\.sharded?.shard.number))
        joining = Joining(
            shards: sharded.shard.count,
            missingShards: (1...sharded.shard.count).filter {
                $0 <= sharded.episodes && !present.contains($0)
            },
            episodes: sharded.episodes,
            missingSeeds: (0..<sharded.episodes).map { sharded.firstSeed &+ UInt64($0) }.filter {
                found[$0] == nil
            },
            doubledEpisodes: doubled,
            files: shards.map(\.file)
        )
        return counted
    }

    private mutating func joinChunks(of shards: [Run]) {
        func weighted(_ mean: (Run) -> Double?) -> Double? {
            let known = shards.compactMap { run in
                mean(run).flatMap { mean in run.chunks.map { (mean: mean, weight: Double($0)) } }
            }
            let weight = known.reduce(0) { $0 + $1.weight }
            guard known.count == shards.count, weight > 0 else { return nil }
            return known.reduce(0) { $0 + $1.mean * $1.weight } / weight
        }
        (iterationsMean, evaluationsMean) = (weighted(\.iterationsMean), weighted(\.evaluationsMean))
        let counts = shards.compactMap(\.chunks)
        chunks = counts.count == shards.count ? counts.reduce(0, +) : nil
        qualities = shards.reduce(into: [:]) { $0.merge($1.qualities, uniquingKeysWith: +) }
        let late = shards.compactMap(\.lateChunks)
        lateChunks = late.count == shards.count ? late.reduce(0, +) : nil
        let timed = shards.filter { $0.chunks != 0 }
        (latency, histograms) = ([:], [:])
        for stage in Stage.allCases {
            let known = timed.compactMap { $0.histograms[stage] }
            guard known.count == timed.count, !known.isEmpty else { continue }
            let histogram = known.dropFirst().reduce(known[0], +)
            let times = timed.compactMap { $0.latency[stage] }
            histograms[stage] = histogram
            if times.count == timed.count { latency[stage] = Latency(joining: times, of: histogram) }
        }
        slowest = timed.compactMap(\.slowest).max { $0.totalNs < $1.totalNs }
        let middle = (latency[.total]?.p50 ?? 0) * 1e6
        median = timed.compactMap(\.median).min {
            abs(Double($0.totalNs) - middle) < abs(Double($1.totalNs) - middle)
        }
    }

    private mutating func joinRealTime(of shards: [Run]) {
        let known = shards.compactMap(\.realTime)
        guard known.count == shards.count, var sum = known.first else { return realTime = nil }
        func total(_ part: (RealTime) -> Int) -> Int { known.reduce(0) { $0 + part($1) } }
        func mean(_ part: (RealTime) -> Double, of count: (RealTime) -> Int?) -> Double {
            // Older files do not tell how many there were; steps are a fair weight.
            let weights = known.map { Double(count($0) ?? $0.steps) }
            let weight = max(weights.reduce(0, +), .leastNonzeroMagnitude)
            return zip(known, weights).reduce(0) { $0 + part($1.0) * $1.1 } / weight
        }
        sum.jumpMean = mean(\.jumpMean, of: \.jumps)
        sum.otherJumpMean = mean(\.otherJumpMean, of: \.otherJumps)
        sum.jumps = known.compactMap(\.jumps).reduce(0, +)
        sum.otherJumps = known.compactMap(\.otherJumps).reduce(0, +)
        (sum.steps, sum.heldSteps) = (total(\.steps), total(\.heldSteps))
        (sum.beyondSteps, sum.lateSteps) = (total(\.beyondSteps), total(\.lateSteps))
        realTime = sum
    }

    private mutating func joinCamera(of shards: [Run]) {
        let known = shards.compactMap(\.camera)
        guard known.count == shards.count, var sum = known.first else { return camera = nil }
        func total(_ part: (Camera) -> Int?) -> Int? {
            let counts = known.compactMap(part)
            return counts.isEmpty ? nil : counts.reduce(0, +)
        }
        sum.lostFrames = total(\.lostFrames)
        sum.repeatedFrames = total(\.repeatedFrames)
        sum.blindSteps = total(\.blindSteps)
        camera = sum
    }

    /// What the page says of how the run was joined.
    mutating func noteJoining() {
        guard let joining else { return }
        if let problem = joining.problem {
            notes.insert(problem.prefix(1).uppercased() + problem.dropFirst() + ".", at: 0)
        }
        if joining.doubledEpisodes > 0 {
            let count = ReportText.count(joining.doubledEpisodes, "episode")
            notes.append("\(count) came in more than one file, with the same result; each is counted once.")
        }
        if joining.files.count > 1, !latency.isEmpty {
            notes.append(
                "Its times are joined from \(joining.files.count) files: percentiles are up to 4.4 % above those of all chunks, and the "
                    + "median chunk is the one of a file whose time is closest."
            )
        }
    }
}

extension Run.Latency {
    /// The percentiles of all times, whose histogram tells them up to the width of a range.
    ///
    /// They are the upper end of the range that has the percentile (nearest rank). No percentile of all is below the lowest of the
    /// parts' or above their highest, so they are no further than that: if the parts agree, it is exact. The maximum always is.
    ///
    /// - Parameters:
    ///   - parts: at least one.
    ///   - histogram: of the times of all parts.
    init(joining parts: [Run.Latency], of histogram: LatencyHistogram) {
        func joined(_ percent: Double, _ part: (Run.Latency) -> Double?) -> Double? {
            let values = parts.compactMap(part)
            guard values.count == parts.count, let low = values.min(), let high = values.max() else {
                return nil
            }
            return Swift.min(Swift.max(histogram.percentile(percent), low), high)
        }
        p50 = joined(50, \.p50) ?? 0
        p90 = joined(90, \.p90)
        p99 = joined(99, \.p99) ?? 0
        max = joined(100, \.max)
    }
}

extension Run.Episode {
    /// For errors.
    var summary: String {
        let outcome = isSuccess.map { $0 ? ", success" : ", no success" } ?? ""
        return "score \(score)\(outcome)" + (steps.map { " in \($0) steps" } ?? "")
            + (maxCoverage.map { ", largest coverage \($0)" } ?? "")
    }
}

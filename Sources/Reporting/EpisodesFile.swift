import Fields
import Robotics
import StrictJSON

extension Run {
    /// The members that are read, or that say the same in sum as others that are.
    private static let known: Set = [
        "episodes", "mean_score", "mean_max_coverage", "success_rate", "chunk_latency_ms", "iterations_mean",
        "evaluations_mean", "per_episode", "realtime", "camera", "policy", "sampler", "chunks", "version",
        "qualities", "stage_latency_ms", "latency_histograms", "example_chunks", "seconds", "shard", "joined",
        "late_chunks",
    ]

    static let withoutEpisodes = "It has no episode."
    static let withoutChunks = "It has no chunk."

    /// Reads what `denoised sim --json` prints, or the evaluation that ends a training, which knows less.
    init(episodes root: RunReader) throws(RunFileError) {
        self.init(file: root.source.file, origin: .episodes)
        episodes = try root.required("per_episode").episodes()
        let outcomes = episodes.compactMap(\.isSuccess)
        successes = outcomes.count == episodes.count ? outcomes.count { $0 } : nil
        policy = try root.optionalText("policy")
        version = try root.optionalText("version")
        sampler = try root.optional("sampler")?.sampler()
        chunks = try root.optionalWhole("chunks")
        iterationsMean = try root.optionalAmount("iterations_mean")
        evaluationsMean = try root.optionalAmount("evaluations_mean")
        for (quality, count) in try root.optional("qualities")?.members() ?? [] {
            qualities[quality] = try count.whole()
        }
        lateChunks = try root.optional("late_chunks")?.integer(in: 0...(chunks ?? Int.max))
        for stage in Stage.parts + [.total] {
            latency[stage] = try root.optional("stage_latency_ms")?.optional(stage.rawValue)?.latency()
        }
        latency[.roundTrip] = try root.optional("chunk_latency_ms")?.latency()
        // Percentiles of no times are written as 0.
        if chunks == 0 { latency = [:] }
        histograms = try root.optional("latency_histograms")?.histograms() ?? [:]
        median = try root.optional("example_chunks")?.optional("median")?.exampleChunk()
        slowest = try root.optional("example_chunks")?.optional("slowest")?.exampleChunk()
        realTime = try root.optional("realtime")?.realTime()
        camera = try root.optional("camera")?.camera()
        if let reader = try root.optional("shard") {
            let sharded = try reader.shardedRun()
            try root.required("per_episode").checkSeeds(of: sharded)
            self.sharded = sharded
        } else {
            joining = try root.optional("joined")?.joining()
            noteJoining()
        }
        noteWhatIsMissing(from: root)
    }

    private mutating func noteWhatIsMissing(from root: RunReader) {
        if episodes.isEmpty { notes.append(Self.withoutEpisodes) }
        if chunks == 0 { notes.append(Self.withoutChunks) }
        let parts: [(lacks: Bool, String)] = [
            (latency[.roundTrip] == nil, "times of chunks"),
            (sampler == nil, "how chunks were sampled"),
            (latency[.total] == nil, "times by stage"),
            (histograms.isEmpty, "histograms of times"),
            (median == nil, "the course of a chunk"),
        ]
        let missing = chunks == 0 ? [] : parts.filter(\.lacks).map(\.1)
        if !missing.isEmpty {
            notes.append(
                "It lacks \(missing.joined(separator: ", ")): an older version of `denoised` wrote it, or another program."
            )
        }
        if let median, median.passes.isEmpty {
            notes.append("It does not tell the passes of its example chunks.")
        }
        let others = root.names.filter { !Self.known.contains($0) }
        if !others.isEmpty {
            let names = others.prefix(5).map { $0.inOneLine.quoted }.joined(separator: ", ")
            let more = others.count > 5 ? " and \(others.count - 5) more" : ""
            notes.append("It has members that are not known here: \(names)\(more).")
        }
    }
}

extension RunReader {
    fileprivate func episodes() throws(RunFileError) -> [Run.Episode] {
        var episodes: [Run.Episode] = []
        var seeds: Set<UInt64> = []
        for reader in try elements() {
            let seed = try reader.unsigned("seed")
            guard seeds.insert(seed).inserted else {
                throw try reader.required("seed").error(.outOfRange, expected: "each seed once")
            }
            episodes.append(
                Run.Episode(
                    seed: seed,
                    score: try reader.share("score"),
                    isSuccess: try reader.optional("success")?.bool(),
                    steps: try reader.optionalWhole("steps"),
                    maxCoverage: try reader.optional("max_coverage")?.share()
                )
            )
        }
        return episodes
    }

    /// Checks that each episode of a shard is one of its own.
    fileprivate func checkSeeds(of sharded: ShardedRun) throws(RunFileError) {
        for reader in try elements() {
            let seed = try reader.required("seed")
            guard try !sharded.has(seed.unsigned()) else { continue }
            throw seed.error(
                .outOfRange,
                expected:
                    "a seed of shard \(sharded.shard) of the \(sharded.episodes) from \(sharded.firstSeed) on"
            )
        }
    }

    /// How chunks were sampled; a benchmark's have no budget.
    func sampler() throws(RunFileError) -> Run.Sampler {
        Run.Sampler(
            solver: try string("solver"),
            steps: try whole("steps"),
            method: try string("method"),
            window: try whole("window"),
            tolerance: try amount("tolerance"),
            kernel: try string("kernel"),
            budgetMs: try optionalAmount("budget_ms") ?? 0
        )
    }

    fileprivate func latency() throws(RunFileError) -> Run.Latency {
        Run.Latency(
            p50: try amount("p50"),
            p90: try amount("p90"),
            p99: try amount("p99"),
            max: try amount("max")
        )
    }

    fileprivate func histograms() throws(RunFileError) -> [Run.Stage: LatencyHistogram] {
        let perOctave = LatencyHistogram.bucketsPerOctave
        _ = try required("buckets_per_octave").integer(in: perOctave...perOctave)
        let stages = try required("stages")
        var histograms: [Run.Stage: LatencyHistogram] = [:]
        for stage in Run.Stage.allCases {
            guard let reader = try stages.optional(stage.rawValue) else { continue }
            var counts: [Int] = []
            for count in try reader.required("counts").elements(0...4096) { counts.append(try count.whole()) }
            let first = try reader.required("first_bucket")
            guard let bucket = first.node.double.flatMap({ Int(exactly: $0) }),
                let histogram = LatencyHistogram(firstBucket: bucket, counts: counts)
            else { throw first.error(.outOfRange, expected: "the number of a bucket") }
            histograms[stage] = histogram
        }
        return histograms
    }

    fileprivate func exampleChunk() throws(RunFileError) -> ExampleChunk {
        var stages: [String: UInt64] = [:]
        let times = try required("stages_ns")
        for stage in Run.Stage.parts + [.total] {
            // Only policies with cameras have the stage vision.
            let time =
                stage == .vision ? try times.optional(stage.rawValue) : try times.required(stage.rawValue)
            stages[stage.rawValue] = try time?.nanoseconds()
        }
        return ExampleChunk(
            episode: try string("episode"),
            step: try unsigned("step"),
            stagesNs: stages,
            roundTripMs: try optionalAmount("round_trip_ms"),
            window: try whole("window"),
            steps: try whole("steps"),
            iterations: try whole("iterations"),
            evaluations: try whole("evaluations"),
            quality: try string("quality"),
            passes: try optional("passes")?.passes() ?? []
        )
    }

    /// Passes of the network: an array for each of their properties.
    private func passes() throws(RunFileError) -> [SamplingPass] {
        let firsts = try required("first_step").elements(0...10_000)
        let count = firsts.count...firsts.count
        let ends = try required("end_step").elements(count)
        let evaluations = try required("evaluations").elements(count)
        let durations = try required("ns").elements(count)
        var passes: [SamplingPass] = []
        for (index, reader) in firsts.enumerated() {
            let first = try reader.integer(in: 0...ExampleChunk.mostSteps)
            passes.append(
                SamplingPass(
                    firstStep: first,
                    endStep: try ends[index].integer(in: first...first + ExampleChunk.mostSteps),
                    evaluations: try evaluations[index].integer(in: 0...ExampleChunk.mostSteps),
                    durationNs: try durations[index].nanoseconds()
                )
            )
        }
        return passes
    }

    fileprivate func realTime() throws(RunFileError) -> Run.RealTime {
        Run.RealTime(
            schedule: try optionalText("schedule"),
            delayMs: try optionalAmount("delay_ms"),
            steps: try whole("steps"),
            heldSteps: try whole("held_steps"),
            beyondSteps: try whole("beyond_steps"),
            lateSteps: try whole("late_steps"),
            jumpMean: try required("velocity_jump").amount("mean"),
            otherJumpMean: try required("other_jump").amount("mean"),
            jumps: try required("velocity_jump").optionalWhole("count"),
            otherJumps: try required("other_jump").optionalWhole("count")
        )
    }

    fileprivate func camera() throws(RunFileError) -> Run.Camera {
        Run.Camera(
            name: try string("name"),
            encoding: try string("encoding"),
            disturbances: try optionalText("disturbances"),
            lostFrames: try optionalWhole("lost_frames"),
            repeatedFrames: try optionalWhole("repeated_frames"),
            blindSteps: try optionalWhole("blind_steps")
        )
    }
}

import Fields

extension RunReader {
    /// The rows of `denoised bench paper --json`: each is a run of the same episodes.
    func paperRuns() throws(RunFileError) -> [Run] {
        let policy = try string("policy")
        let seed = try unsigned("seed")
        var runs: [Run] = []
        for row in try required("results").elements(1...1000) {
            let sampler = try row.sampler()
            var run = Run(file: source.file, part: sampler.name, origin: .paper)
            run.policy = policy
            run.sampler = sampler
            let rewards = try row.required("rewards").elements()
            // Older versions tell the rate alone.
            let successes = try row.optional("successes")?.elements(rewards.count...rewards.count)
            for (index, reward) in rewards.enumerated() {
                run.episodes.append(
                    Run.Episode(
                        seed: seed &+ UInt64(index),
                        score: try reward.number(expected: "a number from 0 to 1") { (0...1).contains($0) },
                        isSuccess: try successes?[index].bool(),
                        steps: nil
                    )
                )
            }
            let rate = try row.share("success_rate")
            run.successes = Int((rate * Double(rewards.count)).rounded())
            run.chunks = try row.whole("chunks")
            run.iterationsMean = try row.amount("iterations_mean")
            run.evaluationsMean = try row.amount("evaluations_mean")
            run.latency[.sample] = Run.Latency(p50: try row.amount("ms_p50"), p99: try row.amount("ms_p99"))
            run.notes.append(
                "`bench paper` does not tell times by stage; its time of a chunk is that of sampling."
            )
            if successes == nil { run.notes.append("It does not tell which of its episodes succeeded.") }
            runs.append(run)
        }
        return runs
    }

    /// The rows of `denoised bench chunk --json`.
    func deviations() throws(RunFileError) -> [DeviationPoint] {
        let policy = try string("policy")
        var points: [DeviationPoint] = []
        for row in try required("results").elements(1...1000) {
            points.append(
                DeviationPoint(
                    file: source.file,
                    policy: policy,
                    sampler: try row.sampler(),
                    precision: try row.string("precision"),
                    iterationsMean: try row.amount("iterations_mean"),
                    evaluationsMean: try row.amount("evaluations_mean"),
                    deviationMean: try row.amount("deviation_mean"),
                    deviationMax: try row.amount("deviation_max"),
                    latency: Run.Latency(
                        p50: try row.amount("ms_p50"),
                        p90: try row.amount("ms_p90"),
                        p99: try row.amount("ms_p99")
                    )
                )
            )
        }
        return points
    }
}

extension Run.Sampler {
    /// In a few words: `ddpm 100, quasi-newton 6`.
    package var name: String {
        "\(solver) \(steps), \(method)" + (window > 1 ? " \(window)" : "")
    }
}

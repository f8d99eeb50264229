import Clocks

/// How often a benchmark runs what it measures.
package struct MeasuredRuns: Sendable {
    /// Runs that are measured, of each kind.
    package let count: Int
    /// Runs of each kind before them.
    package let warmUp: Int
    /// Told, between two runs, how many of how many have been done.
    package let progress: @Sendable (_ done: Int, _ total: Int) -> Void

    package init(
        count: Int,
        warmUp: Int,
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) {
        self.count = count
        self.warmUp = warmUp
        self.progress = progress
    }

    /// Calls `run` for each of `kinds`, in turns so that a change of the machine's speed meets all of them alike.
    ///
    /// - Parameter run: gets a kind and the number of the run, negative before the measurement.
    /// - Returns: for each kind, what its measured runs returned.
    package func results<Kind, Result>(
        of kinds: [Kind],
        run: (Kind, Int) throws -> Result
    ) rethrows -> [[Result]] {
        var results = [[Result]](repeating: [], count: kinds.count)
        for round in -warmUp..<count {
            for (index, kind) in kinds.enumerated() {
                let result = try run(kind, round)
                if round >= 0 { results[index].append(result) }
                progress((round + warmUp) * kinds.count + index + 1, (warmUp + count) * kinds.count)
            }
        }
        return results
    }

    /// Times `run` for each of `kinds`, in turns.
    ///
    /// - Returns: for each kind, the time of each measured run in milliseconds.
    package func milliseconds<Kind>(of kinds: [Kind], run: (Kind) throws -> Void) rethrows -> [[Double]] {
        try results(of: kinds) { kind, _ in try timed { try run(kind) }.milliseconds }
    }
}

/// What `body` returns, and the milliseconds it took.
package func timed<Value>(_ body: () throws -> Value) rethrows -> (Value, milliseconds: Double) {
    let start = MonotonicTime.now()
    let value = try body()
    return (value, (MonotonicTime.now() - start) / .milliseconds(1))
}

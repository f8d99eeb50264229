import Clocks

/// How often a benchmark runs what it measures.
package struct MeasuredRuns: Sendable {
    /// Runs that are measured, of each kind.
    package let count: Int
    /// Runs of each kind before them.
    package let warmUp: Int

    package init(count: Int, warmUp: Int) {
        self.count = count
        self.warmUp = warmUp
    }

    /// Times `run` for each of `kinds`, in turns so that a change of the machine's speed meets all of them alike.
    ///
    /// - Returns: for each kind, the time of each measured run in milliseconds.
    package func milliseconds<Kind>(of kinds: [Kind], run: (Kind) throws -> Void) rethrows -> [[Double]] {
        var times = [[Double]](repeating: [], count: kinds.count)
        for round in -warmUp..<count {
            for (index, kind) in kinds.enumerated() {
                let ((), milliseconds) = try timed { try run(kind) }
                if round >= 0 { times[index].append(milliseconds) }
            }
        }
        return times
    }
}

/// What `body` returns, and the milliseconds it took.
package func timed<Value>(_ body: () throws -> Value) rethrows -> (Value, milliseconds: Double) {
    let start = MonotonicTime.now()
    let value = try body()
    return (value, (MonotonicTime.now() - start) / .milliseconds(1))
}

import Glibc
import Testing

/// Waits until a value is as wanted. If it is not in time, records an issue with the value read last, so that a wait that never
/// ends fails its own test and not the whole run: a suite's time limit cannot interrupt a thread that polls.
///
/// - Parameters:
///   - limit: how long to wait. By default longer than any stall of a busy machine, and shorter than the suites' time limits.
///   - pause: between two readings.
///   - value: reads the value.
///   - isWanted: whether a value is the one waited for.
/// - Returns: the value read last; `isWanted` holds for it unless an issue was recorded.
@discardableResult
public func eventually<Value>(
    within limit: Duration = .seconds(20),
    every pause: Duration = .milliseconds(1),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ value: () throws -> Value,
    is isWanted: (Value) -> Bool
) rethrows -> Value {
    let deadline = ContinuousClock.now + limit
    while true {
        // The clock is read first: a value is read at least once, and once more after the thread itself was held up.
        let isLast = ContinuousClock.now >= deadline
        let found = try value()
        if isWanted(found) { return found }
        if isLast {
            Issue.record(
                "not as expected within \(limit): the value read last is \(String(describing: found))",
                sourceLocation: sourceLocation
            )
            return found
        }
        usleep(UInt32(pause / .microseconds(1)))
    }
}

/// Waits until a condition holds, and records an issue if it does not in time.
///
/// - Returns: whether it holds.
@discardableResult
public func eventually(
    within limit: Duration = .seconds(20),
    every pause: Duration = .milliseconds(1),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () throws -> Bool
) rethrows -> Bool {
    try eventually(within: limit, every: pause, sourceLocation: sourceLocation, condition, is: { $0 })
}

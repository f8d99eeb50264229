import Clocks
import Synchronization
import Tuning

/// Shows how far a piece of work has come, with an estimate of what is left, if it takes longer than two seconds: as a line on the
/// terminal on standard error that is drawn in place, and taken away when the work is done. The log of a daemon gets a line of it
/// every ten seconds. Without a terminal nothing is shown.
///
/// Any thread may tell of progress.
final class ProgressBar: Sendable {
    private struct State {
        /// When the work began; nil: it is done, and may begin again.
        var begun: MonotonicTime? = .now()
        /// When the line was drawn last; nil: it is not there.
        var drawn: MonotonicTime?
    }

    private let work: String
    private let state = Mutex(State())

    private static let delay = Duration.seconds(2)
    private static let interval = Duration.milliseconds(100)
    private static let logInterval = Duration.seconds(10)

    /// Work that begins.
    ///
    /// - Parameter work: what is done, in a word or two.
    init(_ work: String) { self.work = work }

    /// Work that ends early takes its line with it.
    deinit { end() }

    /// So much is done, of a number of equal parts. With all of them the work is done; what is told after it is of work that begins
    /// anew.
    ///
    /// - Parameter remark: what has come of it so far.
    func advance(to done: Int, of total: Int, remark: String = "") {
        guard done < total else { return end() }
        let now = MonotonicTime.now()
        let elapsed: Duration? = state.withLock { state in
            let elapsed = now - (state.begun ?? now)
            state.begun = now - elapsed
            let interval = Console.writesInBackground ? Self.logInterval : Self.interval
            guard elapsed >= Self.delay, state.drawn.map({ now - $0 >= interval }) ?? true else { return nil }
            state.drawn = now
            return elapsed
        }
        guard let elapsed else { return }
        Console.showProgress(
            ProgressLine(
                work: work,
                share: Double(done) / Double(total),
                elapsed: elapsed,
                remark: remark
            )
        )
    }

    private func end() {
        let isShown = state.withLock { state in
            defer { (state.begun, state.drawn) = (nil, nil) }
            return state.drawn != nil
        }
        if isShown { Console.showProgress(nil) }
    }
}

extension CalibrationCache {
    /// The user's cache; a calibration that is measured shows how far it has come.
    static func shown(warn: @escaping @Sendable (String) -> Void = Console.warn) -> CalibrationCache {
        let bar = ProgressBar("calibrating")
        return .standard(warn: warn) { bar.advance(to: $0, of: 100) }
    }
}

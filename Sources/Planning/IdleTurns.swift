import Stalls
import Tuning

/// Shares the planner between robots, who come first, and a measurement that runs in the time that they leave.
///
/// A pass of the measurement is interrupted, between two layers of the network, when a chunk is asked for. Robots that always ask
/// would leave no time at all. So each chunk earns the measurement a tenth of the time that the chunk took, in which a pass is not
/// interrupted.
public final class IdleTurns {
    /// What was served while the measurement waited.
    public enum Service: Sendable {
        /// Whatever waited, in so many nanoseconds; 0: nothing did.
        case served(nanoseconds: Double)
        /// The daemon ends.
        case ended
    }

    /// Of the time that chunks take, what they may be kept waiting by the measurement.
    private static let share = 0.1

    private let interruption: Interruption
    private let progress: (Int) -> Void
    /// Time that the measurement has earned, in nanoseconds.
    private var credit = 0.0
    /// What the last pass of each batch size took, in nanoseconds.
    private var passes: [Int: Double] = [:]
    private var isPassCredited = false

    /// - Parameters:
    ///   - interruption: asked for whenever there is something to serve.
    ///   - progress: told how far the measurement has come, in hundredths.
    init(interruption: Interruption, progress: @escaping (Int) -> Void) {
        self.interruption = interruption
        self.progress = progress
    }

    /// Serves what waits, then says whether and how the measurement goes on.
    fileprivate func passBegins(batch: Int, serve: () -> Service) -> NetworkTurn {
        guard case .served(let nanoseconds) = serve() else { return .end }
        credit += Self.share * nanoseconds
        isPassCredited = passes[batch].map { $0 <= credit } ?? false
        return .run(wasUsed: nanoseconds > 0, interruption: isPassCredited ? nil : interruption)
    }

    fileprivate func passEnds(batch: Int, nanoseconds: Double, isDone: Bool) {
        if isPassCredited { credit -= nanoseconds }
        // One that was interrupted would have taken longer.
        passes[batch] = isDone ? nanoseconds : max(nanoseconds, passes[batch] ?? 0)
    }

    fileprivate func calibrated(hundredths: Int) { progress(hundredths) }
}

/// Idle turns as a calibration asks for them.
struct ServingTurns: NetworkTurns {
    let turns: IdleTurns
    let serve: () -> IdleTurns.Service

    func passBegins(batch: Int) -> NetworkTurn { turns.passBegins(batch: batch, serve: serve) }
    func passEnds(batch: Int, nanoseconds: Double, isDone: Bool) {
        turns.passEnds(batch: batch, nanoseconds: nanoseconds, isDone: isDone)
    }
    func calibrated(hundredths: Int) { turns.calibrated(hundredths: hundredths) }
}

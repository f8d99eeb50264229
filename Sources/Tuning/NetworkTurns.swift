import Stalls

/// Others who use a network while it is calibrated: robots that wait for chunks come first.
public protocol NetworkTurns {
    /// A pass of the calibration is about to begin, for the first time or again. Others have the network for as long as this takes.
    ///
    /// - Parameter batch: the pass's samples.
    func passBegins(batch: Int) -> NetworkTurn

    /// The pass has ended.
    ///
    /// - Parameter isDone: whether it was finished; if not, it begins again.
    func passEnds(batch: Int, nanoseconds: Double, isDone: Bool)

    /// The calibration has come so far, in hundredths; 100 at its end.
    func calibrated(hundredths: Int)
}

/// What a calibration is to do next.
public enum NetworkTurn: Sendable {
    /// Run the pass.
    ///
    /// - wasUsed: others have used the network meanwhile, under conditions of theirs.
    /// - interruption: gives the pass up when it is asked for; nil: the pass is to be finished.
    case run(wasUsed: Bool, interruption: Interruption?)
    /// End: nobody needs the calibration any more.
    case end
}

/// A camera with a disturbance: takes the frames of an episode in order and says which arrive.
///
/// It keeps the picture that a frozen camera repeats. Used by one thread at a time.
public final class DisturbedCamera {
    /// What becomes of the frames.
    public let disturbance: CameraDisturbance

    private var seed: UInt64
    private var frozenFrame: [UInt8] = []

    /// A camera at the start of the episode of a seed.
    public init(_ disturbance: CameraDisturbance, seed: UInt64) {
        self.disturbance = disturbance
        self.seed = seed
    }

    /// Starts the episode of a seed: a picture that was frozen is forgotten.
    public func reset(seed: UInt64) {
        self.seed = seed
        frozenFrame.removeAll(keepingCapacity: true)
    }

    /// Turns what the camera sees into what arrives.
    ///
    /// If the camera did not get the frame of the step it froze at, it repeats the first one it gets after that.
    /// - Parameters:
    ///   - frame: what is to be seen at `step`; overwritten with what arrives. All frames of an episode have
    ///     the same size.
    ///   - step: the step; steps of an episode come in ascending order.
    /// - Returns: whether the frame arrives. What `frame` holds if not is of no use.
    public func take(_ frame: inout MutableSpan<UInt8>, step: Int) -> Bool {
        if !disturbance.isFrozen(at: step) {
            frozenFrame.removeAll(keepingCapacity: true)
            disturbance.expose(&frame, step: step, seed: seed)
        } else if frozenFrame.count == frame.count {
            for index in frame.indices { frame[index] = frozenFrame[index] }
        } else {
            disturbance.expose(&frame, step: disturbance.shownStep(at: step), seed: seed)
            frozenFrame.removeAll(keepingCapacity: true)
            for index in frame.indices { frozenFrame.append(frame[index]) }
        }
        return !disturbance.drops(step: step, seed: seed)
    }
}

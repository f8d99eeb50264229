import PushT
import Robotics

/// An episode and what the robot was sent in it.
package struct RenderedEpisode: Sendable {
    /// A chunk of PushT, and when it came.
    package struct Arrival: Sendable {
        /// The chunk: actions of two numbers, places on the table. Of others only the latency is drawn.
        package let chunk: RobotChunk
        /// The control step before which it came.
        package let step: Int
        /// Whether it was carried out from then on.
        package let isCarriedOut: Bool

        /// An arrival.
        package init(_ chunk: RobotChunk, step: Int, isCarriedOut: Bool) {
            self.chunk = chunk
            self.step = step
            self.isCarriedOut = isCarriedOut
        }

        /// In milliseconds, as a budget counts: from the observation's receipt to the packed chunk.
        var latency: Double { Double(chunk.timing.stages.total) / 1e6 }
    }

    /// What happened.
    package let recording: EpisodeRecording
    /// In the order in which they came.
    package let arrivals: [Arrival]
    /// The latency that the daemon keeps, in milliseconds; nil: it has no budget.
    package let budget: Double?
    /// What the camera sent at each control step, nil if a frame was lost; nil altogether if the policy has no camera.
    package let frames: [CameraFrame?]?

    /// An episode to be drawn.
    package init(
        _ recording: EpisodeRecording,
        arrivals: [Arrival] = [],
        budget: Double? = nil,
        frames: [CameraFrame?]? = nil
    ) {
        self.recording = recording
        self.arrivals = arrivals
        self.budget = budget
        self.frames = frames
    }

    /// Where the agent is to go from a control step on: the actions of the chunk that is carried out, and those predicted to
    /// follow. Empty before the first chunk and after the last action.
    func plan(at step: Int) -> [SIMD2<Double>] {
        guard let chunk = arrivals.last(where: { $0.isCarriedOut && $0.step <= step })?.chunk,
            chunk.actionDim == 2
        else { return [] }
        let numbers = chunk.actions + chunk.beyond
        let world = recording.scenario.world
        let done = max(step - Int(clamping: chunk.firstStep), 0)
        return stride(from: 2 * done, to: numbers.count, by: 2).map {
            world.clamp(SIMD2(Double(numbers[$0]), Double(numbers[$0 + 1])))
        }
    }

    /// Control steps a second.
    var rate: Double { recording.scenario.control.rate }

    /// A control step as a time since the episode's start: "5.3 s".
    func time(of step: Int) -> String { "\(fixed(Double(step) / rate, 1)) s" }
}

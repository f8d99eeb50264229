import Policy
import Robotics

/// The frames of a recording, for the observations that refer to them.
///
/// It keeps the newest frames up to a number of bytes. An observation refers to frames right before it, or to the newest of a slow
/// camera, so that is enough for every recording that is whole.
struct ReplayedFrames {
    /// Two observations of the largest cameras, several seconds of usual ones.
    private static let keptBytes = 256 << 20

    private let cameras: [CameraDescription]
    /// By the recording's number.
    private var kept: [UInt64: CameraFrame] = [:]
    /// The recording's numbers of frames that came, oldest first, from `oldest` on.
    private var order: [UInt64] = []
    private var oldest = 0
    private var bytes = 0
    /// What stands for a camera's frames that are missing.
    private var placeholders: [String: CameraFrame] = [:]
    /// Frames that are not what the policy saw, by their numbers in this process: a few bytes for each, for as long as a history
    /// may have them.
    private var obstacles: [UInt64: ReplayReport.Obstacle] = [:]

    /// - Parameter cameras: the policy's.
    init(cameras: [CameraDescription]) { self.cameras = cameras }

    /// Takes a frame in.
    mutating func add(_ recorded: RecordedFrame) {
        let frame = CameraFrame(.picture(recorded.picture, format: recorded.format))
        if recorded.isLossy { obstacles[frame.number] = .lossyFrame }
        if let known = kept.updateValue(frame, forKey: recorded.number) {
            bytes -= known.byteCount
        } else {
            order.append(recorded.number)
        }
        bytes += frame.byteCount
        while bytes > Self.keptBytes, oldest < order.count - 1 {
            if let frame = kept.removeValue(forKey: order[oldest]) { bytes -= frame.byteCount }
            oldest += 1
        }
        // Half of it is gone: what remains is moved to the front.
        if oldest > 1024, oldest > order.count / 2 {
            order.removeFirst(oldest)
            oldest = 0
        }
    }

    /// The frames with these numbers, by camera. What is missing has something in its place, so that the observation can enter its
    /// history; see ``obstacle(of:)``.
    mutating func frames(_ numbers: [String: UInt64]) -> [String: CameraFrame] {
        var frames: [String: CameraFrame] = [:]
        for (camera, number) in numbers { frames[camera] = kept[number] ?? placeholder(for: camera) }
        return frames
    }

    /// A black frame of the camera's size; of a camera that the policy does not have, of one pixel.
    private mutating func placeholder(for camera: String) -> CameraFrame {
        if let known = placeholders[camera] { return known }
        let size = cameras.first { $0.name == camera } ?? CameraDescription(name: camera, height: 1, width: 1)
        let frame = CameraFrame(
            height: size.height,
            width: size.width,
            pixels: [UInt8](repeating: 0, count: size.byteCount)
        )
        obstacles[frame.number] = .noFrame
        placeholders[camera] = frame
        return frame
    }

    /// Why a chunk that was planned from a history cannot be computed again; nil if all its frames are what the policy saw.
    func obstacle(of history: ObservationHistory) -> ReplayReport.Obstacle? {
        guard !obstacles.isEmpty else { return nil }
        let found = history.observations.flatMap(\.frames.values).compactMap { obstacles[$0.number] }
        return found.contains(.noFrame) ? .noFrame : found.first
    }
}

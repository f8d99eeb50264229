import Benchmarking
import Daemon
import Pictures
import PushT
import Robotics

/// How a simulated robot's camera is, and how its frames are sent.
struct CameraSettings {
    /// The quality of JPEG, 1...100; nil: pixels are sent.
    var jpegQuality: Int?
    /// What goes wrong; nil: nothing.
    var disturbances: Disturbances?

    /// Refuses settings for a policy that has no camera.
    ///
    /// - Throws: `Failure` that names the option.
    func check(for features: PushTFeatures, of policy: String) throws {
        guard features.camera == nil else { return }
        let given = [("--jpeg", jpegQuality != nil), ("--disturb", disturbances != nil)]
        guard let option = given.first(where: \.1)?.0 else { return }
        throw Failure.input("\(option) is for policies with a camera, and the policy \(policy) has none")
    }
}

/// The camera of a simulated robot: it draws what is to be seen, disturbs that, and packs it.
final class SimulatedCamera {
    /// What became of the frames so far.
    struct Figures {
        /// Those that were lost.
        var lost = 0
        /// Those that showed an earlier control step, because the camera stood still.
        var repeated = 0
        /// Control steps whose observation a daemon refuses; see ``isBlind``.
        var blindSteps = 0
    }

    /// The name of its frames.
    let name: String
    let settings: CameraSettings
    private(set) var figures = Figures()
    private let renderer: FrameRenderer
    private let disturbed: DisturbedCamera?
    private var encoder: PictureEncoder?
    /// For how many control steps a daemon lets a frame stand in for those that are left out.
    private let heldSteps: Int
    /// The control step of the newest frame that was not lost; nil: there is none in this episode.
    private var newestStep: Int?

    /// - Throws: `PushTError` or `PictureError` if frames cannot be drawn or packed.
    init(_ name: String, of simulation: PushTSimulation, settings: CameraSettings) throws {
        self.name = name
        self.settings = settings
        let side = PushTFeatures.frameSide
        renderer = try FrameRenderer(of: simulation, width: side, height: side)
        disturbed = settings.disturbances.map { DisturbedCamera($0.camera, seed: 0) }
        if settings.jpegQuality != nil { encoder = try PictureEncoder() }
        let held = DaemonConfiguration().frameAge / .seconds(1) * simulation.scenario.control.rate
        heldSteps = Int((held + 1e-6).rounded(.down))
    }

    /// Begins the episode of a seed.
    func reset(seed: UInt64) {
        disturbed?.reset(seed: seed)
        newestStep = nil
    }

    /// What arrives of what is to be seen at the simulation's control step; nil: the frame is lost. To be called once in each step
    /// of an episode.
    ///
    /// - Throws: `PictureError` if it cannot be packed.
    func look() throws -> CameraFrame? {
        let step = renderer.simulation.stepCount
        var pixels = renderer.frame()
        if let disturbed {
            if disturbed.disturbance.shownStep(at: step) < step { figures.repeated += 1 }
            var span = pixels.mutableSpan
            guard disturbed.take(&span, step: step) else {
                figures.lost += 1
                if isBlind { figures.blindSteps += 1 }
                return nil
            }
        }
        newestStep = step
        return try packed(pixels)
    }

    /// What is to be seen, whatever disturbs the camera.
    ///
    /// - Throws: as ``look()``.
    func undisturbedFrame() throws -> CameraFrame { try packed(renderer.frame()) }

    /// Whether a daemon refuses the observation of this control step: its frame is lost, and so are those before, for longer than
    /// the newest one stands in for them.
    var isBlind: Bool {
        guard let newestStep else { return true }
        return renderer.simulation.stepCount - newestStep > heldSteps
    }

    private func packed(_ pixels: [UInt8]) throws -> CameraFrame {
        let (height, width) = (renderer.height, renderer.width)
        guard let quality = settings.jpegQuality,
            let picture = try encoder?.jpeg(pixels.span, height: height, width: width, quality: quality)
        else { return CameraFrame(height: height, width: width, pixels: pixels) }
        return CameraFrame(.picture(picture, format: .jpeg))
    }

    /// For a title: what it gives.
    var title: String {
        let form = settings.jpegQuality.map { "JPEG of quality \($0)" } ?? "pixels"
        let disturbances = settings.disturbances.map { ", disturbed: \($0.name)" } ?? ""
        return "\(name): \(renderer.height) x \(renderer.width), sent as \(form)\(disturbances)"
    }
}

/// What `sim` reports of a camera.
struct CameraReport: Encodable {
    let name: String
    /// `pixels` or `jpeg`.
    let encoding: String
    /// Nil: pixels are sent.
    let jpegQuality: Int?
    /// The name of what disturbs it, and what that did; nil: nothing.
    let disturbances: String?
    let lostFrames: Int?
    let repeatedFrames: Int?
    let blindSteps: Int?

    init(_ camera: SimulatedCamera) {
        let settings = camera.settings
        let figures = settings.disturbances == nil ? nil : camera.figures
        name = camera.name
        encoding = settings.jpegQuality == nil ? "pixels" : CameraFrame.Format.jpeg.rawValue
        jpegQuality = settings.jpegQuality
        disturbances = settings.disturbances?.name
        lostFrames = figures?.lost
        repeatedFrames = figures?.repeated
        blindSteps = figures?.blindSteps
    }

    func print() {
        guard let lostFrames, let repeatedFrames, let blindSteps else { return }
        Console.result(
            "  the camera lost \(lostFrames) frames and repeated \(repeatedFrames); in \(blindSteps) control steps the "
                + "robot saw nothing new enough"
        )
    }
}

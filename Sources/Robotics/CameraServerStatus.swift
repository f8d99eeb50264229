/// How the frames come that a camera server sends for one camera of the policy.
public struct CameraServerStatus: Sendable, Hashable, Encodable {
    /// The policy's camera, by its LeRobot name.
    public var camera: String
    /// Where the server publishes.
    public var endpoint: String
    /// What the server calls the camera.
    public var name: String
    /// Frames that came and could be used.
    public var frames: UInt64
    /// Messages and pictures that could not be used.
    public var refused: UInt64
    /// Pictures that came again, with the time stamp of the one before; they are not used.
    public var repeated: UInt64
    /// The time since the newest frame came, in nanoseconds; nil: none has come.
    public var ageNs: UInt64?

    /// A camera server's status.
    public init(
        camera: String,
        endpoint: String,
        name: String,
        frames: UInt64 = 0,
        refused: UInt64 = 0,
        repeated: UInt64 = 0,
        ageNs: UInt64? = nil
    ) {
        self.camera = camera
        self.endpoint = endpoint
        self.name = name
        self.frames = frames
        self.refused = refused
        self.repeated = repeated
        self.ageNs = ageNs
    }
}

/// Where the frames of one of the policy's cameras come from, if robots do not send them: a camera server of LeRobot.
public struct CameraSource: Sendable, Hashable {
    /// The policy's camera, by its LeRobot name, such as `observation.images.front`.
    public let camera: String
    /// Where the server publishes.
    public let endpoint: String
    /// What the server calls the camera.
    public let name: String

    /// - Parameter name: nil: the last part of the camera's name: `front` of `observation.images.front`.
    public init(camera: String, endpoint: String, name: String? = nil) {
        self.camera = camera
        self.endpoint = endpoint
        self.name = name ?? String(camera.split(separator: ".").last ?? Substring(camera))
    }
}

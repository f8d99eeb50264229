import ArgumentParser
import Foundation
import PushT

/// How the camera of a simulated robot is.
struct CameraOptions: ParsableArguments {
    @Option(
        defaultAsFlag: 95,
        help: ArgumentHelp(
            "Send frames as JPEG, of a quality from 1 to 100, instead of pixels. For a policy with a camera.",
            valueName: "quality"
        )
    )
    var jpeg: Int?

    @Option(
        help: ArgumentHelp(
            """
            Disturb the camera as a file says, such as sim/disturbances/poor-camera.json: noise, brightness, frames that are \
            lost or stand still. For a policy with a camera.
            """,
            valueName: "file"
        )
    )
    var disturb: String?

    /// The first option that was given.
    var firstGiven: String? {
        let given = [("--jpeg", jpeg != nil), ("--disturb", disturb != nil)]
        return given.first(where: \.1)?.0
    }

    func validate() throws {
        if let jpeg, !(1...100).contains(jpeg) {
            throw ValidationError("--jpeg is \(jpeg), expected 1...100")
        }
    }

    /// The settings, with the file read.
    ///
    /// - Throws: `Failure` for a file that is not what it should be.
    func load() throws -> CameraSettings {
        CameraSettings(
            jpegQuality: jpeg,
            disturbances: try disturb.map { path in
                try Failure.asInput(path: path) { try Disturbances(contentsOf: URL(filePath: path)) }
            }
        )
    }
}

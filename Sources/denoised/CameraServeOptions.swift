import ArgumentParser
import Daemon

/// The options of `serve` for policies with cameras.
struct CameraServeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            How long a camera's newest frame stands in for those that observations leave out, because the camera is slower \
            than the others, 0...60000; after that such an observation is refused as stale. Default: 500.
            """,
            valueName: "ms"
        )
    )
    var frameAge: Double?

    @Flag(
        help: """
            Encode frames only when a chunk needs them. Else those of observations that ask for no chunk are encoded as they come, \
            while nothing is planned, so that a later chunk need not wait for it.
            """
    )
    var encodeOnDemand = false

    func validate() throws {
        if let frameAge, !(0...60_000).contains(frameAge) {
            throw ValidationError("--frame-age is \(frameAge), expected 0...60000")
        }
    }

    /// Takes the options into a daemon's configuration.
    func apply(to configuration: inout DaemonConfiguration) {
        if let frameAge { configuration.frameAge = .milliseconds(frameAge) }
        configuration.encodesAhead = !encodeOnDemand
    }
}

import Foundation

/// What goes wrong while a robot acts, as data, so that scores under it can be compared.
///
/// A file has the form of `sim/disturbances/poor-camera.json`, with these names in snake case. Read it with
/// ``init(contentsOf:)``, which checks every field; a bare `JSONDecoder` does not.
public struct Disturbances: Sendable, Hashable, Codable {
    /// A name for people.
    public let name: String
    /// What it is for.
    public let description: String
    /// What becomes of the simulator's frames.
    public let camera: CameraDisturbance

    /// Reads and checks a file.
    /// - Throws: ``DataFileError`` that names the file, the field, the value found and what was expected.
    public init(contentsOf url: URL) throws(DataFileError) {
        try self.init(json: DataFile.contents(of: url), source: url.lastPathComponent)
    }

    /// Reads and checks disturbances.
    /// - Parameters:
    ///   - json: the contents of the file.
    ///   - source: the name that errors give it.
    /// - Throws: ``DataFileError``.
    public init(json: Data, source: String) throws(DataFileError) {
        self = try DataFile.decode(Disturbances.self, from: json, source: source)
        var checks = FieldChecks(source: source)
        checks.require("name", name, "a name") { !$0.isEmpty }
        camera.check(&checks)
        if let error = checks.error { throw error }
    }
}

extension CameraDisturbance {
    private static let steps = 0...1_000_000

    fileprivate func check(_ checks: inout FieldChecks) {
        if brightness == nil, noise == nil, dropped == nil, frozen == nil {
            checks.require("camera", "{}", "one or more of brightness, noise, dropped, frozen") { _ in false }
        }
        if let brightness {
            checks.inRange("camera.brightness.gain", brightness.gain, in: 0...10)
            checks.inRange("camera.brightness.offset", brightness.offset, in: -255...255)
        }
        if let noise {
            checks.inRange("camera.noise.standard_deviation", noise.standardDeviation, in: 0...255)
        }
        if let dropped { check(dropped, &checks) }
        if let frozen {
            checks.inRange("camera.frozen.from_step", frozen.fromStep, in: Self.steps)
            checks.inRange("camera.frozen.steps", frozen.steps, in: 1...Self.steps.upperBound)
        }
    }

    private func check(_ dropped: DroppedFrames, _ checks: inout FieldChecks) {
        if dropped.probability == nil, dropped.steps == nil {
            checks.require("camera.dropped", "{}", "a probability, a list of steps, or both") { _ in false }
        }
        if let probability = dropped.probability {
            checks.inRange("camera.dropped.probability", probability, in: 0...1)
        }
        if let steps = dropped.steps {
            checks.require("camera.dropped.steps", steps, "one or more steps") { !$0.isEmpty }
            for (index, step) in steps.enumerated() {
                checks.inRange("camera.dropped.steps[\(index)]", step, in: Self.steps)
            }
        }
    }
}

import StrictJSON

/// Why a policy cannot use an observation.
public enum ObservationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The observation lacks a feature, which has `expected` numbers.
    case missing(feature: String, expected: Int)
    /// A feature has another count of numbers.
    case wrongCount(feature: String, found: Int, expected: Int)
    /// A feature has a number that is not finite.
    case notFinite(feature: String, index: Int, value: Float)
    /// The observation lacks a camera's frame.
    case missingFrame(camera: String, expected: FrameSize)
    /// A frame has another size than the camera's.
    case wrongFrameSize(camera: String, found: FrameSize, expected: FrameSize)
    /// A camera's frame is no picture of the format that it names, or of a kind that is not read.
    case badPicture(camera: String, reason: String)
    /// There are features that the policy does not observe: their names, sorted, at least one.
    case unknown(features: [String], expected: [String])

    /// One line: feature, what was found and what was expected.
    public var description: String {
        switch self {
        case .missing(let feature, let expected): "\(feature): missing; expected \(expected) numbers"
        case .wrongCount(let feature, let found, let expected):
            "\(feature): \(found) numbers; expected \(expected)"
        case .notFinite(let feature, let index, let value):
            "\(feature): \(value) at index \(index); expected finite numbers"
        case .missingFrame(let camera, let expected):
            "\(camera): missing; expected a frame of \(expected) pixels"
        case .wrongFrameSize(let camera, let found, let expected):
            "\(camera): a frame of \(found) pixels; expected \(expected), as in training: frames are not resized"
        case .badPicture(let camera, let reason): "\(camera): \(reason)"
        case .unknown(let features, let expected):
            "\(features[0].quoted): a feature the policy does not observe; "
                + "expected only \(expected.joined(separator: " and "))"
        }
    }
}

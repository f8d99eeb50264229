import Safetensors
import StrictJSON

/// Why a policy bundle cannot be used, or a policy cannot be made from it.
public struct PolicyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Name of the file concerned, without its folder; "sampler settings" where the caller's settings are.
    public let file: String
    /// What in it: a key path such as `input_features.observation.state.shape`, or a tensor.
    public let field: String?
    /// What is there.
    public let found: String
    /// What should be there; empty if `found` says it all.
    public let expected: String

    init(_ file: String, _ field: String? = nil, found: String, expected: String) {
        self.file = file
        self.field = field
        self.found = found
        self.expected = expected
    }

    init(_ error: SafetensorsError) {
        self.init(
            error.file,
            error.tensor.map { "tensor \($0.quoted)" },
            found: error.found,
            expected: error.expected
        )
    }

    /// One line: file, field, what was found and what was expected.
    public var description: String {
        let place = field.map { "\(file): \($0)" } ?? file
        return expected.isEmpty ? "\(place): \(found)" : "\(place): \(found); expected \(expected)"
    }
}

/// Runs `body` and turns its error into a `PolicyError`.
func withPolicyError<Result>(_ body: () throws(SafetensorsError) -> Result) throws(PolicyError) -> Result {
    do throws(SafetensorsError) {
        return try body()
    } catch {
        throw PolicyError(error)
    }
}

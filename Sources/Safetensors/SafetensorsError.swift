import StrictJSON

/// What is wrong with a safetensors file, a shard index, or a request made of one.
public struct SafetensorsError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The rule that was broken.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The file cannot be opened, read, mapped or written.
        case inputOutput
        /// The header length is beyond the file or the format's limit.
        case headerLength
        /// The header or index is not the JSON it must be.
        case headerSyntax
        /// A name occurs twice.
        case duplicateName
        /// The element type is not one of the format's.
        case unknownDType
        /// A shape has a negative, huge or fractional dimension, or too many of them.
        case shape
        /// Offsets lie outside the data or contradict dtype and shape.
        case offsets
        /// Two tensors share bytes.
        case overlap
        /// Bytes of the data belong to no tensor.
        case hole
        /// The index and its shards do not agree.
        case shardIndex
        /// There is no tensor of that name.
        case missingTensor
        /// The tensor's element type or size is not the one asked for.
        case mismatch
    }

    /// The rule that was broken.
    public let reason: Reason
    /// Name of the file, without its folder.
    public let file: String
    /// The tensor concerned, if it is one.
    public let tensor: String?
    /// What the file says.
    public let found: String
    /// What it should say.
    public let expected: String

    init(_ reason: Reason, file: String, tensor: String? = nil, found: String, expected: String) {
        self.reason = reason
        self.file = file
        self.tensor = tensor
        self.found = found
        self.expected = expected
    }

    /// One line: file, tensor, what was found and what was expected.
    public var description: String {
        let place = tensor.map { "\(file): tensor \($0.quoted)" } ?? file
        return "\(place): \(found); expected \(expected)"
    }
}

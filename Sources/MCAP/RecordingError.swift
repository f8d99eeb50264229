/// Why a recording cannot be written or read.
public struct RecordingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is.
    public enum Kind: Sendable, Hashable {
        /// The system refused: a full disk, a missing folder, a file that is there already.
        case inputOutput
        /// The file is no MCAP file.
        case notMCAP
        /// The file is an MCAP file whose bytes contradict each other.
        case damaged
        /// The file is sound and uses what is not read here.
        case unsupported
        /// The writer has as many channels as it takes.
        case tooManyChannels
    }

    /// What kind of error it is.
    public var kind: Kind
    /// The file's name.
    public var file: String
    /// Where in the file, in bytes from its start; nil for the whole file.
    public var offset: UInt64?
    /// What was found, and what was expected if that is not plain.
    public var problem: String

    /// An error at a place of a file, or, without `offset`, about all of it.
    public init(_ kind: Kind, file: String, offset: UInt64? = nil, _ problem: String) {
        self.kind = kind
        self.file = file
        self.offset = offset
        self.problem = problem
    }

    /// One line: the file, the place, what is wrong.
    public var description: String {
        if let offset { "\(file): byte \(offset): \(problem)" } else { "\(file): \(problem)" }
    }
}

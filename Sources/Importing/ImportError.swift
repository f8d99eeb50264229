import Pickle
import StrictJSON

/// Why a checkpoint cannot become a policy folder.
public struct ImportError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Name of the file or folder concerned, without its path.
    public let file: String
    /// What in it: an entry of the archive, a key of the configuration, a tensor; nil: all of it.
    public let field: String?
    /// What is there.
    public let found: String
    /// What should be there; empty if `found` says it all.
    public let expected: String
    /// Whether the output could not be written, which is not the checkpoint's fault.
    public let isOfOutput: Bool

    init(_ file: String, _ field: String? = nil, found: String, expected: String, isOfOutput: Bool = false) {
        self.file = file
        self.field = field
        self.found = found
        self.expected = expected
        self.isOfOutput = isOfOutput
    }

    /// Whoever asked for a folder has ended the import.
    static func ended(_ folder: String) -> ImportError {
        ImportError(folder, found: "not written, the import was ended", expected: "", isOfOutput: true)
    }

    /// One line: file, field, what was found and what was expected.
    public var description: String {
        let place = field.map { "\(file): \($0)" } ?? file
        let text = expected.isEmpty ? "\(place): \(found)" : "\(place): \(found); expected \(expected)"
        return text.inOneLine
    }
}

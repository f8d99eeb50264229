/// A model's name on Hugging Face's hub, `org/name`, with a revision if there is one: `org/name@revision`.
struct HubName: Sendable, Hashable {
    /// The name as it was given.
    let text: String
    /// `org/name`.
    let repository: String
    /// A branch, a tag, a pull request's `refs/pr/1` or a commit's hash; nil: `main`.
    let revision: String?

    static let mainRevision = "main"
    private static let longestPart = 96
    private static let mostBytesOfRevision = 255

    /// - Returns: nil for text that cannot be such a name: the hub's own rules say so.
    init?(_ text: String) {
        self.text = text
        let atSign = text.firstIndex(of: "@")
        repository = String(text[..<(atSign ?? text.endIndex)])
        revision = atSign.map { String(text[text.index(after: $0)...]) }
        guard Self.isRepository(repository), revision.map(Self.isRevision) ?? true else { return nil }
    }

    /// The name of the repository's folder in the hub's cache: `models--org--name`.
    var folderName: String { "models--" + repository.split(separator: "/").joined(separator: "--") }

    private static func isRepository(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy(isPart) && !text.hasSuffix(".git")
            && !text.contains("--") && !text.contains("..")
    }

    private static func isPart(_ part: Substring) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        let bytes = part.utf8
        guard let first = bytes.first, let last = bytes.last, bytes.count <= longestPart else { return false }
        return isWord(first) && isWord(last)
            && bytes.allSatisfy { isWord($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    /// A revision names a file below `refs`, so no part of it may lead out of there.
    private static func isRevision(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return text.utf8.count <= mostBytesOfRevision
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}

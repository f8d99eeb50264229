import Foundation

/// A format of files that show episodes.
package enum FilmFormat: String, Sendable, CaseIterable {
    /// An animated WebP.
    case webp
    /// An animated GIF, of 255 colours.
    case gif
    /// A picture of the episode's end.
    case png

    /// The format that a file's name asks for by its extension, in capitals or not; nil for others.
    package init?(path: String) {
        self.init(rawValue: URL(filePath: path).pathExtension.lowercased())
    }

    /// The formats' extensions, for people: ".webp, .gif or .png".
    package static var extensions: String {
        let names = allCases.map { ".\($0.rawValue)" }
        return names.dropLast().joined(separator: ", ") + " or " + names.suffix(1).joined()
    }
}

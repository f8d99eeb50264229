import Files
import Foundation

/// The file that a drawing is written to.
enum DrawingFile {
    /// Checks, before the work, that there is a folder for what is written after it, and no folder in its place.
    static func check(_ path: String) throws {
        // A dash asks other programs for standard output.
        guard path != "-" else {
            throw Failure.run("-: cannot be written; it does not go to standard output, expected a file name")
        }
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        var isFolder = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder,
            FileManager.default.isWritableFile(atPath: folder)
        else {
            throw Failure.run(
                "\(path): cannot be written; expected a file name in a folder that can be written to"
            )
        }
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder {
            throw Failure.run("\(path): cannot be written; it is a folder, expected a file name")
        }
    }

    static func write(_ drawing: String, to path: String) throws { try write(Data(drawing.utf8), to: path) }

    static func write(_ drawing: Data, to path: String) throws {
        do {
            try drawing.writeWhole(to: URL(filePath: path))
        } catch {
            throw Failure.run(
                "\(path): cannot be written (\(error.systemReason)); "
                    + "expected a file name in a folder that can be written to"
            )
        }
    }
}

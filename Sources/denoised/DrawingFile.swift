import Files
import Foundation

/// The file that a drawing is written to.
enum DrawingFile {
    /// Checks, before the work, that there is a folder for what is written after it.
    static func check(_ path: String) throws {
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        var isFolder = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder,
            FileManager.default.isWritableFile(atPath: folder)
        else {
            throw Failure.run(
                "\(path): cannot be written; expected a file name in a folder that can be written to"
            )
        }
    }

    static func write(_ drawing: String, to path: String) throws {
        do {
            try Data(drawing.utf8).writeWhole(to: URL(filePath: path))
        } catch {
            throw Failure.run(
                "\(path): cannot be written (\(error.systemReason)); "
                    + "expected a file name in a folder that can be written to"
            )
        }
    }
}

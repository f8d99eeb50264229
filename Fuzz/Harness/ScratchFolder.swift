import Foundation

/// A folder in memory whose files a fuzzer writes again for every input. Each process has its own.
public enum ScratchFolder {
    private static let url: URL = {
        let memory = URL(filePath: "/dev/shm", directoryHint: .isDirectory)
        let parent =
            FileManager.default.isWritableFile(atPath: memory.path)
            ? memory : FileManager.default.temporaryDirectory
        let url = parent.appending(path: "denoised-fuzz-\(ProcessInfo.processInfo.processIdentifier)")
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            fail("cannot make \(url.path): \(error)")
        }
        atexit { try? FileManager.default.removeItem(at: ScratchFolder.url) }
        return url
    }()

    /// The folder.
    public static var folder: URL { url }

    /// Writes a file of that name, and returns where it is.
    @discardableResult
    public static func write(_ bytes: [UInt8], as name: String) -> URL {
        let file = url.appending(path: name)
        do {
            try Data(bytes).write(to: file)
        } catch {
            fail("cannot write \(file.path): \(error)")
        }
        return file
    }
}

import Files
import MCAP
import StrictJSON

/// What a file has to report: runs, or measured deviations.
package struct RunFile: Sendable {
    package private(set) var runs: [Run] = []
    package private(set) var deviations: [DeviationPoint] = []

    /// A larger text is refused before it is read: hundreds of thousands of episodes take less.
    static let mostBytes = 64 << 20
    private static let mostValues = 2_000_000

    init(runs: [Run]) { self.runs = runs }

    /// Reads a file. What it is, its first bytes say, not its name.
    ///
    /// - Throws: ``RunFileError`` for what is no such file, and for one whose values cannot be.
    package init(_ path: String) throws(RunFileError) {
        let recording: MCAPReader?
        do throws(RecordingError) {
            recording = try MCAPReader(path)
        } catch {
            guard error.kind == .notMCAP else { throw RunFileError(path, error.place) }
            recording = nil
        }
        if let recording {
            runs = [try Run(recording: recording, file: path)]
        } else {
            self = try RunFile(json: try Self.bytes(of: path), file: path)
        }
    }

    private static func bytes(of path: String) throws(RunFileError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(FileRefusal) {
            bytes = try RegularFile(path).read(upTo: mostBytes + 1)
        } catch {
            throw RunFileError(path, "\(error)")
        }
        guard bytes.count <= mostBytes else {
            throw RunFileError(path, "found more than \(mostBytes >> 20) MiB, expected less")
        }
        return bytes
    }

    /// Reads what a command of `denoised` prints with `--json`, or the evaluation that ends a training.
    init(json bytes: [UInt8], file: String) throws(RunFileError) {
        guard !bytes.isEmpty else {
            throw RunFileError(file, "an empty file, expected a JSON object or a recording")
        }
        // RFC 8259, section 8.1: a reader may ignore a byte order mark.
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let text = bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue(parsing: text, maximumValues: Self.mostValues)
        } catch {
            let place = error.offset + bytes.count - text.count
            throw RunFileError(
                file,
                "\(error.problem) (byte \(place)); expected a JSON object or an MCAP recording"
            )
        }
        let root = RunReader(value, of: RunSource(file: file))
        let object = try root.object()
        if object["per_episode"] != nil {
            runs = [try Run(episodes: root)]
        } else if let first = object["results"]?.elements?.first?.members {
            if first["deviation_mean"] != nil {
                deviations = try root.deviations()
            } else if first["rewards"] != nil {
                runs = try root.paperRuns()
            }
        }
        guard !runs.isEmpty || !deviations.isEmpty else {
            let names = object.names.prefix(8).map(\.inOneLine).joined(separator: ", ")
            throw RunFileError(
                file,
                "found an object with \(names.isEmpty ? "no members" : "the members \(names)"), expected what "
                    + "`denoised sim`, `bench paper` or `bench chunk` prints with --json, or a recording"
            )
        }
    }
}

extension RecordingError {
    /// What is wrong, and where.
    var place: String { offset.map { "byte \($0): \(problem)" } ?? problem }
}

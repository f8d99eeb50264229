import Foundation
import StrictJSON

extension JSONValue {
    /// Reads a file that holds one JSON document.
    ///
    /// - Parameter maximumByteCount: a larger file is refused before it is read.
    /// - Throws: `SafetensorsError` for a file that cannot be read, is too large, or is not JSON.
    package init(contentsOf url: URL, maximumByteCount: Int) throws(SafetensorsError) {
        let mapping = try MappedFile(url)
        guard mapping.byteCount <= maximumByteCount else {
            throw SafetensorsError(
                .headerSyntax,
                file: mapping.name,
                found: "\(mapping.byteCount) bytes",
                expected: "at most \(maximumByteCount)"
            )
        }
        let text = try mapping.withBytes(in: 0..<mapping.byteCount) { bytes throws(SafetensorsError) in
            bytes.withUnsafeBytes { Array($0) }
        }
        // RFC 8259, section 8.1: a reader may ignore a byte order mark.
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        let markCount = text.starts(with: mark) ? mark.count : 0
        do throws(JSONSyntaxError) {
            try self.init(parsing: Array(text.dropFirst(markCount)))
        } catch {
            throw SafetensorsError(
                error.reason == .duplicateName ? .duplicateName : .headerSyntax,
                file: mapping.name,
                found: "\(error.problem) (byte \(error.offset + markCount))",
                expected: error.reason == .duplicateName ? "each name once" : "JSON"
            )
        }
    }
}

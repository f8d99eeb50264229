import Foundation
import Testing

@testable import Safetensors

/// A file of the Fixtures folder.
func fixture(_ name: String) throws -> URL {
    try #require(Bundle.module.url(forResource: "Fixtures", withExtension: nil)).appendingPathComponent(name)
}

/// Calls `body` with an empty folder that is removed afterwards.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("denoised-tests-\(UInt64.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// The bytes of a file with this header, padded as writers do, and this many bytes of data.
func fileBytes(header: String, dataByteCount: Int) -> [UInt8] {
    var text = Array(header.utf8)
    text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
    return withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
        + [UInt8](repeating: 0, count: dataByteCount)
}

/// The error that opening these bytes as a file gives.
func error(opening bytes: [UInt8]) throws -> SafetensorsError {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("lying.safetensors")
        try Data(bytes).write(to: url)
        return try #require(throws: SafetensorsError.self) { try SafetensorsFile(contentsOf: url) }
    }
}

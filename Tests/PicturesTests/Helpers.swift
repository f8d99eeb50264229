import Foundation
import Testing

@testable import Pictures

/// A picture of Resources, as Tests/Oracles/pictures.py describes it.
struct GoldenPicture: Sendable, CustomTestStringConvertible {
    let name: String
    let format: PictureFormat
    let height: Int
    let width: Int
    let colour: PictureColour
    let bits: Int

    var testDescription: String { name }
    /// The compressed bytes.
    var bytes: [UInt8] { resource("\(name).\(format.rawValue)") }
    /// What Pillow decodes them to.
    var pixels: [UInt8] { resource("\(name).rgb") }

    static let all: [GoldenPicture] = {
        struct Line: Decodable { let format, colour: String, height, width, bits: Int }
        return table("pictures", of: Line.self).compactMap { name, line in
            guard let format = PictureFormat(rawValue: line.format),
                let colour = PictureColour(rawValue: line.colour)
            else { return nil }
            return GoldenPicture(
                name: name,
                format: format,
                height: line.height,
                width: line.width,
                colour: colour,
                bits: line.bits
            )
        }
    }()

    static func named(_ name: String) throws -> GoldenPicture {
        try #require(all.first { $0.name == name })
    }
}

/// The bytes of a file of Resources; empty if there is none, which no test takes for a picture.
func resource(_ name: String) -> [UInt8] {
    guard let folder = Bundle.module.url(forResource: "Resources", withExtension: nil),
        let data = try? Data(contentsOf: folder.appending(path: name))
    else { return [] }
    return [UInt8](data)
}

/// A JSON object of Resources, in the order of its names.
func table<Line: Decodable>(_ name: String, of line: Line.Type) -> [(name: String, line: Line)] {
    let lines = try? JSONDecoder().decode([String: Line].self, from: Data(resource("\(name).json")))
    return (lines ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
}

/// The pixels of `bytes`, whose header says how many they are.
func decoded(_ bytes: [UInt8], as format: PictureFormat) throws(PictureError) -> [UInt8] {
    let header = try PictureHeader(reading: bytes.span, as: format)
    var pixels = [UInt8](repeating: 77, count: header.pixelByteCount)
    var decoder = try PictureDecoder()
    var span = pixels.mutableSpan
    try decoder.decode(bytes.span, header, into: &span)
    return pixels
}

/// The error with which reading `bytes` ends; nil if they decode.
func refusal(of bytes: [UInt8], as format: PictureFormat) -> PictureError? {
    do throws(PictureError) {
        _ = try decoded(bytes, as: format)
        return nil
    } catch {
        return error
    }
}

/// The largest difference of two samples at the same place.
func largestDifference(_ first: [UInt8], _ second: [UInt8]) -> Int {
    zip(first, second).map { abs(Int($0) - Int($1)) }.max() ?? 0
}

/// A PNG chunk with its checksum, which Foundation does not compute.
func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + data
    var sum = UInt32.max
    for byte in body {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xedb8_8320 }
    }
    return bigEndian(UInt32(data.count)) + body + bigEndian(~sum)
}

func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }

let pngSignature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/// A PNG's first chunk.
func imageHeader(height: UInt32, width: UInt32, bits: UInt8 = 8, type: UInt8 = 2, interlace: UInt8 = 0)
    -> [UInt8]
{
    chunk("IHDR", bigEndian(width) + bigEndian(height) + [bits, type, 0, 0, interlace])
}

import Foundation
import Pictures
import Robotics
import Testing

@testable import Monitoring

@Suite struct ThumbnailTests {
    private func pixels(_ height: Int, _ width: Int, _ pixel: (Int, Int, Int) -> UInt8) -> CameraFrame {
        var bytes: [UInt8] = []
        for row in 0..<height {
            for column in 0..<width { for channel in 0..<3 { bytes.append(pixel(row, column, channel)) } }
        }
        return CameraFrame(height: height, width: width, pixels: bytes)
    }

    /// The format and the bytes of a picture's URL.
    private func bytes(_ picture: Thumbnails.Picture?) throws -> (format: String, bytes: [UInt8]) {
        let picture = try #require(picture)
        #expect(picture.problem == "")
        let parts = picture.url.components(separatedBy: ";base64,")
        try #require(parts.count == 2)
        return (parts[0], Array(try #require(Data(base64Encoded: parts[1]))))
    }

    private func header(_ picture: Thumbnails.Picture?) throws -> PictureHeader {
        let (format, bytes) = try bytes(picture)
        #expect(format == "image/jpeg")
        return try PictureHeader(reading: bytes.span, as: .jpeg)
    }

    @Test func aSmallPictureGoesOnAsItCame() throws {
        let thumbnails = Thumbnails()
        for format in CameraFrame.Format.allCases {
            let frame = CameraFrame(.picture([1, 2, 3], format: format))
            let found = try bytes(thumbnails.picture(of: frame, nowNs: 0))
            #expect(found.format == "image/\(format.rawValue)" && found.bytes == [1, 2, 3])
        }
    }

    @Test(arguments: [
        (96, 96, 96, 96), (480, 640, 240, 320), (1000, 20, 250, 5), (2, 1000, 1, 250), (321, 321, 160, 160),
    ])
    func pixelsAreMadeSmallAndCompressed(height: Int, width: Int, rows: Int, columns: Int) throws {
        let picture = Thumbnails().picture(of: pixels(height, width) { _, _, _ in 7 }, nowNs: 0)
        let header = try header(picture)
        #expect((header.height, header.width) == (rows, columns))
    }

    @Test func aLongPictureIsMadeSmaller() throws {
        var encoder = try PictureEncoder()
        var seed: UInt32 = 1
        let noise = (0..<480 * 640 * 3).map { _ -> UInt8 in
            seed = seed &* 1_664_525 &+ 1_013_904_223
            return UInt8(seed >> 24)
        }
        let bytes = try encoder.jpeg(noise.span, height: 480, width: 640)
        try #require(bytes.count > Thumbnails.mostBytesAsTheyCame)
        let frame = CameraFrame(.picture(bytes, format: .jpeg))
        let header = try header(Thumbnails().picture(of: frame, nowNs: 0))
        #expect((header.height, header.width) == (240, 320))
    }

    @Test func pixelsAreMeans() {
        let picture = (0..<4 * 5 * 3).map { UInt8($0) }
        let (small, height, width) = Thumbnails.shrunk(picture, height: 4, width: 5, by: 2)
        #expect((height, width) == (2, 2))
        // The mean of bytes 0, 3, 15 and 18, and so on.
        #expect(small == [9, 10, 11, 15, 16, 17, 39, 40, 41, 45, 46, 47])
        #expect(Thumbnails.shrunk([9, 8, 7], height: 1, width: 1, by: 4).0 == [9, 8, 7])
    }

    @Test func whatIsNoPictureIsToldInWords() throws {
        let garbage = CameraFrame(
            .picture([UInt8](repeating: 1, count: Thumbnails.mostBytesAsTheyCame + 1), format: .jpeg)
        )
        let picture = try #require(Thumbnails().picture(of: garbage, nowNs: 0))
        #expect(picture.url == "" && picture.problem.contains("JPEG"), "\(picture)")
    }

    @Test func picturesASecondAreBounded() throws {
        let thumbnails = Thumbnails()
        let frames = (0..<Thumbnails.picturesPerSecond + 3).map { number in
            pixels(4, 4) { _, _, _ in UInt8(number) }
        }
        let made = frames.map { thumbnails.picture(of: $0, nowNs: 5_000_000_000) }
        #expect(made.filter { $0 != nil }.count == Thumbnails.picturesPerSecond)
        // What was made is made once.
        #expect(thumbnails.picture(of: frames[0], nowNs: 5_500_000_000) == made[0])
        #expect(thumbnails.picture(of: frames[9], nowNs: 5_999_999_999) == nil)
        #expect(thumbnails.picture(of: frames[9], nowNs: 6_000_000_000) != nil)
    }
}

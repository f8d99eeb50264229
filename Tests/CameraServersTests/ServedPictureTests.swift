import Pictures
import Robotics
import Testing

@testable import CameraServers

@Suite struct ServedPictureTests {
    private let camera = CameraDescription(name: "observation.images.front", height: 16, width: 32)

    private func jpeg(_ colour: [UInt8], height: Int = 16, width: Int = 32) throws -> [UInt8] {
        var encoder = try PictureEncoder()
        let pixels: [UInt8] = (0..<height * width).flatMap { _ -> [UInt8] in colour }
        return try encoder.jpeg(pixels.span, height: height, width: width)
    }

    /// As LeRobot's server writes, which gives OpenCV red, green and blue as if they were blue, green and red.
    @Test func `Red and blue are exchanged`() throws {
        var decoder = ServedPictureDecoder()
        let frame = try decoder.frame(of: jpeg([200, 120, 30]), for: camera, field: "images.front")
        guard case .pixels(let pixels, 16, 32) = frame.content else {
            Issue.record("\(frame.content)")
            return
        }
        for pixel in stride(from: 0, to: pixels.count, by: 3) {
            let distances = zip(pixels[pixel..<pixel + 3], [30, 120, 200]).map { abs(Int($0) - $1) }
            #expect(distances.allSatisfy { $0 <= 2 }, "\(pixels[pixel..<pixel + 3]) at \(pixel)")
        }
    }

    @Test func `Pictures that do not fit are refused, and the next is taken`() throws {
        var decoder = ServedPictureDecoder()
        func refusal(_ jpeg: [UInt8]) -> MessageError? {
            do throws(MessageError) {
                _ = try decoder.frame(of: jpeg, for: camera, field: "images.front")
                return nil
            } catch {
                return error
            }
        }
        let large = refusal(try jpeg([0, 0, 0], height: 32))
        #expect(large?.code == .badArray)
        #expect(
            large?.description
                == "images.front: a picture of 32 x 32 pixels, observation.images.front is 16 x 32, "
                + "as in training: frames are not resized"
        )
        let whole = try jpeg([1, 2, 3])
        for broken in [[], [1, 2, 3], Array(whole.prefix(40)), Array(whole.dropLast(12))] {
            #expect(refusal(broken)?.code == .badImage, "\(broken.count) bytes")
        }
        #expect(refusal(whole) == nil)
    }
}

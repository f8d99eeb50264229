import Robotics
import Transport
import Wire

/// A message to a ROUTER socket: the way back to its sender, and what the sender asks.
///
/// libzmq puts the sender's routing id in front. A DEALER sends `[request]`, a REQ `["", request]`; each proxy on the way adds an
/// id of its own before the empty frame.
struct RequestFrames {
    /// The most frames that are read.
    static let mostFrames = 8

    /// The frames that lead back to the sender, which come before the reply.
    let route: [[UInt8]]
    /// The packed request, or why there is none that can be read.
    let request: Result<[UInt8], MessageError>

    /// - Parameter longestRequest: the most bytes that a request may have.
    init(_ message: ReceivedMessage, longestRequest: Int) {
        let delimiter = message.frameBytes.indices.dropFirst().first { message.frameBytes[$0] == 0 }
        let start = (delimiter ?? 0) + 1
        let count = message.frames.count - start
        route = count > 0 ? Array(message.frames[..<start]) : [message.frames[0]]
        if message.frames.count > Self.mostFrames {
            request = .failure(.badRequest("more than \(Self.mostFrames) frames"))
        } else if count != 1 {
            request = .failure(.badRequest(count < 1 ? "an empty frame alone" : "\(count) frames"))
        } else if message.frameBytes[start] == 0 {
            request = .failure(.badRequest("an empty frame"))
        } else if message.isLeftOut(start) {
            request = .failure(.tooLong(message.frameBytes[start], limit: longestRequest))
        } else {
            request = .success(message.frames[start])
        }
    }
}

extension MessageError {
    fileprivate static func badRequest(_ found: String) -> MessageError {
        MessageError(
            .badFrames,
            "\(found), expected the request as one frame, or an empty frame and the request"
        )
    }
}

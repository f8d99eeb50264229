import ForeignText

/// What libzmq asks about a client that wants to connect: ZAP 1.0, ZeroMQ RFC 27.
///
/// The frames come from libzmq in the same process, but the routing id among them is the client's own choice, and the key
/// is whatever it sent.
struct ZAPRequest {
    /// What a server socket's connections are asked about under.
    static let domain = "denoised"
    /// The frames of a request, as a ROUTER gets it: the way back, an empty one, and version, request id, domain,
    /// address, routing id, mechanism and key.
    static let frameCount = 9

    /// A request that gets no 200.
    enum Failure: Error, Equatable {
        /// There is nowhere to send an answer.
        case unanswerable(String)
        /// The answer is 400.
        case malformed(String)
    }

    private static let version = Array("1.0".utf8)
    private static let longestFrame = 255

    /// What begins every answer: the way back, the empty frame, the version and the request's id.
    let answerHead: [[UInt8]]
    private let asked: ArraySlice<[UInt8]>

    /// - Throws: `unanswerable`.
    init(_ frames: [[UInt8]]) throws(Failure) {
        guard frames.count >= 4, frames[1].isEmpty else {
            throw .unanswerable("\(frames.count) frames without an envelope")
        }
        guard frames[3].count <= Self.longestFrame else {
            throw .unanswerable("a request id of \(frames[3].count) bytes")
        }
        answerHead = [frames[0], [], Self.version, frames[3]]
        asked = frames[2...]
    }

    /// Where the client is, as far as it is text of a sensible length.
    var address: String {
        let frame = asked.dropFirst(3).first ?? []
        return printable(String(decoding: frame.prefix(Self.longestFrame), as: UTF8.self), limit: 64)
    }

    /// The client's public key.
    /// - Throws: `malformed`.
    func key() throws(Failure) -> CurvePublicKey {
        guard asked.count == Self.frameCount - 2 else { throw .malformed("the wrong number of frames") }
        guard asked.allSatisfy({ $0.count <= Self.longestFrame }) else {
            throw .malformed("a frame of more than \(Self.longestFrame) bytes")
        }
        let fields = Array(asked)
        guard fields[0] == Self.version else { throw .malformed("a version that is not 1.0") }
        guard fields[2] == Array(Self.domain.utf8) else { throw .malformed("another domain") }
        guard fields[5] == Array("CURVE".utf8) else { throw .malformed("another mechanism than CURVE") }
        guard let key = CurvePublicKey(bytes: fields[6]) else {
            throw .malformed("a key of \(fields[6].count) bytes")
        }
        return key
    }

    /// The answer that lets the client in, under a name.
    func accepted(as name: String) -> [[UInt8]] { answer("200", "OK", user: name) }

    /// The answer that keeps the client out.
    func refused() -> [[UInt8]] { answer("400", "the key is not allowed", user: "") }

    private func answer(_ status: String, _ text: String, user: String) -> [[UInt8]] {
        // The empty frame is the metadata.
        answerHead + [Array(status.utf8), Array(text.utf8), Array(user.utf8.prefix(Self.longestFrame)), []]
    }
}

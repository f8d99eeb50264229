/// How far a connection has come: one request, one answer, the end. Does no I/O.
///
/// A connection that is closed while something is unread takes the answer back. So if the client sent more than the head
/// of a request, or has said that it will, so much of it is read and passed over.
package struct Exchange {
    /// What is to be done next.
    package enum Step: Equatable {
        case nothing
        /// Send the request to its page.
        case answer(HTTPRequest)
        /// Send the answer to a request that is refused.
        case refuse(HTTPAnswer)
        /// Read no more.
        case stopReading
        /// Tell the client that nothing else comes, and read on.
        case closeOutput
        case close
    }

    private enum Phase: Equatable {
        case reading
        /// The request is decoded; the end of its head may still bring an error.
        case decoded(HTTPRequest)
        case answering
        /// The answer is sent, the client's bytes are passed over.
        case draining
        case over
    }

    /// How much of what comes after a request is read.
    package static let mostPassedOverBytes = 1 << 16

    private var phase = Phase.reading
    private var passedOverBytes = 0
    private var expectsMore = false
    private var hasInputEnded = false

    /// The head of a request was decoded.
    ///
    /// - Parameter hasBody: whether the head says that a body comes.
    package mutating func decode(_ request: HTTPRequest, hasBody: Bool) {
        guard phase == .reading else { return }
        phase = .decoded(request)
        expectsMore = expectsMore || hasBody
    }

    /// The decoder has read all of the head.
    package mutating func endHead() -> Step {
        switch phase {
        case .decoded(let request):
            phase = .answering
            return .answer(request)
        case .reading: return refuse(.badRequest())
        case .answering, .draining, .over: return .nothing
        }
    }

    /// The request is no good. After the answer has begun that is too late to be told, and does not matter: what follows the
    /// head means nothing.
    package mutating func refuse(_ refusal: HTTPRefusal) -> Step {
        switch phase {
        case .reading, .decoded:
            phase = .answering
            expectsMore = true
            return .refuse(refusal.answer)
        case .answering, .draining, .over: return .nothing
        }
    }

    /// Bytes came that are not of the request's head.
    package mutating func passOver(_ bytes: Int) -> Step {
        passedOverBytes += min(bytes, Self.mostPassedOverBytes + 1)
        expectsMore = true
        guard passedOverBytes > Self.mostPassedOverBytes else { return .nothing }
        switch phase {
        case .reading, .decoded, .answering: return .stopReading
        case .draining: return close()
        case .over: return .nothing
        }
    }

    /// The client sends nothing more.
    package mutating func endInput() -> Step {
        hasInputEnded = true
        switch phase {
        case .reading, .decoded, .draining: return close()
        case .answering, .over: return .nothing
        }
    }

    /// The whole answer was given to the system.
    package mutating func endAnswer() -> Step {
        guard phase == .answering else { return .nothing }
        guard expectsMore, !hasInputEnded, passedOverBytes <= Self.mostPassedOverBytes else { return close() }
        phase = .draining
        return .closeOutput
    }

    /// The connection has failed, or cannot be used.
    package mutating func close() -> Step {
        guard phase != .over else { return .nothing }
        phase = .over
        return .close
    }
}

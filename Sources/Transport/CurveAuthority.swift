import Foundation
import Synchronization

/// Decides who may connect to the CURVE servers of a context: the clients of an allow-list, and nobody else.
///
/// libzmq asks at `inproc://zeromq.zap.01`, where a thread of this object answers; a context has one authority. Where none
/// answers, nobody gets in. A connection is asked about once, when it is made: who is taken off the list stays connected
/// until the connection ends.
public final class CurveAuthority: Sendable {
    /// What happens, told on the authority's thread.
    public enum Event: Sendable {
        /// A client was not let in: its address, and its key, nil if it could not be read.
        case denied(address: String, key: CurvePublicKey?)
        /// A question could not be read, so nobody was let in: why.
        case malformed(String)
        /// The socket failed: from now on nobody gets in.
        case failed(ZeroMQError)
    }

    private static let endpoint = "inproc://zeromq.zap.01"

    private let allowed: Shared<CurveAllowList>
    private let isStopped = Shared(false)
    private let wakeUp: WakeUp

    /// Begins to answer.
    ///
    /// - Parameters:
    ///   - context: whose sockets ask the authority.
    ///   - list: the keys that may connect.
    ///   - onEvent: called on the authority's thread, which answers nobody meanwhile.
    /// - Throws: ``ZeroMQError`` if the context has an authority already, or no socket left.
    public init(
        context: ZeroMQContext,
        allowing list: CurveAllowList,
        onEvent: @escaping @Sendable (Event) -> Void
    ) throws(ZeroMQError) {
        allowed = Shared(list)
        wakeUp = try WakeUp()
        // Made here, so that a failure is the caller's to see; from the thread's start on, the thread's alone.
        nonisolated(unsafe) let socket = try ZeroMQSocket(.router, context: context)
        _ = try socket.bind(Self.endpoint)
        let (allowed, isStopped, wakeUp) = (allowed, isStopped, wakeUp)
        let thread = Thread {
            Thread.current.name = "curve"
            do throws(ZeroMQError) {
                while !isStopped.value {
                    guard try ZeroMQSocket.wait(for: [socket], wakeUp: wakeUp)[0] else { continue }
                    while let frames = try socket.receive(maximumFrames: ZAPRequest.frameCount) {
                        guard let answer = Self.answer(to: frames, allowed: allowed.value, onEvent: onEvent)
                        else {
                            continue
                        }
                        try socket.send(answer)
                    }
                }
            } catch {
                onEvent(.failed(error))
            }
        }
        thread.start()
    }

    deinit { stop() }

    /// Lets in the clients of another list from now on.
    public func allow(_ list: CurveAllowList) { allowed.value = list }

    /// Ends the thread, some time after the call. From then on nobody gets in.
    public func stop() {
        isStopped.value = true
        wakeUp.signal()
    }

    /// The answer to a question, or nil if it has nowhere to go.
    static func answer(
        to frames: [[UInt8]],
        allowed: CurveAllowList,
        onEvent: (Event) -> Void
    ) -> [[UInt8]]? {
        let request: ZAPRequest
        do throws(ZAPRequest.Failure) {
            request = try ZAPRequest(frames)
        } catch {
            onEvent(.malformed(error.reason))
            return nil
        }
        do throws(ZAPRequest.Failure) {
            let key = try request.key()
            if let name = allowed.names[key] { return request.accepted(as: name) }
            onEvent(.denied(address: request.address, key: key))
        } catch {
            onEvent(.malformed(error.reason))
        }
        return request.refused()
    }
}

extension ZAPRequest.Failure {
    fileprivate var reason: String {
        switch self {
        case .unanswerable(let reason), .malformed(let reason): reason
        }
    }
}

/// A value that several threads read and write.
private final class Shared<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    init(_ value: Value) { state = Mutex(value) }

    var value: Value {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

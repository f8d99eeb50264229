import HTTP
import NIOCore
import NIOHTTP1

/// What a ``WebSocketServer`` serves. All of it is asked on the server's thread, and must not wait.
package protocol WebSocketService: Sendable {
    /// Why a request for a WebSocket is refused; nil: it is let in.
    ///
    /// - Parameter peer: the address of who asks.
    func refusal(of request: HTTPRequestHead, from peer: String) -> HTTPRefusal?

    /// The answer to a request for anything but a WebSocket.
    func answer(_ request: HTTPRequest) -> HTTPAnswer

    /// Somebody has connected. Returns the first message to send.
    func begin(_ client: WebSocketClient) -> [UInt8]

    /// A message has come, whole. The next one is taken when `client` has been sent an answer.
    ///
    /// - Parameters:
    ///   - isText: whether it came as text.
    ///   - previousTotalNs: from the receipt of the client's message before to the end of its answer; nil for the first one.
    func take(_ message: [UInt8], isText: Bool, from client: WebSocketClient, previousTotalNs: UInt64?)

    /// Why a client is failed for what it sent: it broke the rules of the protocol, or of the server. Returns what it is told.
    func refuse(_ fault: WebSocketFault, of client: WebSocketClient) -> String

    /// The client has gone, is failed, or closes. Called once for each client, before it can know.
    func end(_ client: WebSocketClient)
}

/// What ends a connection that its client did not end.
package enum WebSocketFault: Error, Sendable, Hashable {
    /// A frame that RFC 6455 forbids: in words.
    case forbidden(String)
    /// A message of so many bytes, or of more.
    case tooLong(Int)
    /// A message was not there whole in time.
    case tooSlow
    /// Nothing came for too long, not even the answer to a ping.
    case silent
    /// The client does not read what it is sent.
    case unread

    /// The status code to close with (RFC 6455, section 7.4.1).
    var code: UInt16 {
        switch self {
        case .forbidden: 1002
        case .tooLong: 1009
        case .tooSlow, .silent, .unread: 1008
        }
    }
}

/// A client of a ``WebSocketServer``, to which any thread may send.
package final class WebSocketClient: Sendable {
    /// Tells clients of a server apart; no two have the same.
    package let id: UInt64
    /// Its address and port.
    package let address: String
    let loop: any EventLoop
    private let connection: NIOLoopBoundBox<WebSocketConnection?>

    init(id: UInt64, address: String, loop: any EventLoop) {
        self.id = id
        self.address = address
        self.loop = loop
        connection = NIOLoopBoundBox(nil, eventLoop: loop)
    }

    /// Connects the client with its connection, or, with nil, parts them. On the server's thread.
    func attach(_ connection: WebSocketConnection?) { self.connection.value = connection }

    /// Sends an answer, a binary message, after which the next message is taken. A client that has gone gets nothing.
    package func answer(_ message: [UInt8]) {
        loop.execute { self.connection.value?.answer(message) }
    }

    /// Sends a text, and closes the connection as failed (1011, or another status code).
    package func fail(_ text: String, code: UInt16 = 1011) {
        loop.execute { self.connection.value?.fail(text, code: code) }
    }
}

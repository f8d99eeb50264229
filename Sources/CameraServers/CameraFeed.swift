import Clocks
import ForeignText
import Robotics
import Transport
import Wire

/// What comes from one camera server, for the thread that reads it.
final class CameraFeed {
    /// The longest message that is read, in bytes: pictures of several cameras of 1920 x 1080 pixels.
    static let longestMessage = 16 << 20
    /// Messages that wait to be read. The newest picture wins, and the server drops what finds no room.
    static let waitingMessages = 4
    /// Without a message for so long, the server is called anew: of a machine that lost its power, nobody hears.
    static let silenceNs: UInt64 = 5_000_000_000

    let endpoint: String
    private(set) var socket: ZeroMQSocket
    /// Whether nothing has come for so long that the server was called anew.
    private(set) var isSilent = false
    private let context: ZeroMQContext
    private let board: CameraBoard
    /// The places on the board of what this server sends, and the policy's cameras, by the server's names.
    private let cameras: [String: [(source: Int, camera: CameraDescription)]]
    private let refuse: (MessageError) -> Void
    private var decoder = ServedPictureDecoder()
    private var heard = MonotonicTime.now()

    /// - Parameters:
    ///   - cameras: the policy's.
    ///   - refuse: is told of each message, or picture, that cannot be used.
    /// - Throws: `ZeroMQError` for an endpoint that cannot be connected.
    init(
        endpoint: String,
        cameras: [CameraDescription],
        board: CameraBoard,
        context: ZeroMQContext,
        refuse: @escaping (MessageError) -> Void
    ) throws(ZeroMQError) {
        self.endpoint = endpoint
        self.board = board
        self.context = context
        self.refuse = refuse
        let described = Dictionary(cameras.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var known: [String: [(source: Int, camera: CameraDescription)]] = [:]
        for (index, source) in board.sources.enumerated() where source.endpoint == endpoint {
            guard let camera = described[source.camera] else { continue }
            known[source.name, default: []].append((index, camera))
        }
        self.cameras = known
        socket = try Self.call(endpoint, context: context)
    }

    private static func call(_ endpoint: String, context: ZeroMQContext) throws(ZeroMQError) -> ZeroMQSocket {
        var options = ZeroMQSocket.Options()
        // Twice as much, so that a message that is too long is counted: libzmq would hang up without a word.
        options.maximumFrameBytes = 2 * longestMessage
        options.receiveHighWaterMark = waitingMessages
        options.lingerMilliseconds = 0
        let socket = try ZeroMQSocket(.subscribe, context: context, options: options)
        try socket.subscribe(to: [])
        _ = try socket.connect(endpoint)
        return socket
    }

    /// Calls the server anew if it has been silent. Returns whether it just fell silent.
    func callAgainIfSilent(now: MonotonicTime) throws(ZeroMQError) -> Bool {
        guard now.elapsedNs(since: heard) >= Self.silenceNs else { return false }
        heard = now
        socket = try Self.call(endpoint, context: context)
        defer { isSilent = true }
        return !isSilent
    }

    /// Takes the messages that are there. Returns whether the server was silent before.
    func receive() throws(ZeroMQError) -> Bool {
        var newest: [String: (picture: CameraServerMessage.Picture, received: MonotonicTime)] = [:]
        for _ in 0..<Self.waitingMessages {
            guard
                let message = try socket.receive(
                    maximumFrames: 1,
                    maximumFrameBytes: Self.longestMessage
                )
            else { break }
            heard = .now()
            do throws(MessageError) {
                let message = try read(message)
                for (name, picture) in message.pictures { newest[name] = (picture, heard) }
                checkNames(of: message)
            } catch {
                countRefusal(of: cameras.keys, error)
            }
        }
        for (name, (picture, received)) in newest { show(picture, of: name, received: received) }
        defer { isSilent = false }
        return isSilent
    }

    private func read(_ message: ReceivedMessage) throws(MessageError) -> CameraServerMessage {
        guard message.frames.count == 1 else {
            throw MessageError(.badFrames, "more than 1 frame, expected the JSON text alone")
        }
        guard !message.isLeftOut(0) else {
            throw .tooLong(message.frameBytes[0], limit: Self.longestMessage)
        }
        return try CameraServerMessage(parsing: message.frames[0], wanted: Set(cameras.keys))
    }

    /// A server leaves out a camera without a new picture; but one of which there never was one may be misspelt.
    private func checkNames(of message: CameraServerMessage) {
        guard !message.names.isEmpty else { return }
        for (name, places) in cameras.sorted(by: { $0.key < $1.key }) where message.pictures[name] == nil {
            guard let source = places.first?.source, board.entry(source).newest == nil else { continue }
            let found = message.names.prefix(8).map { printable($0, limit: 64) }.joined(separator: ", ")
            countRefusal(
                of: [name],
                MessageError(
                    .badCameraMessage,
                    field: "images.\(name)",
                    "has never come, the server sends \(found); "
                        + "--camera \(board.sources[source].camera)=NAME@\(endpoint) names one"
                )
            )
        }
    }

    private func show(_ picture: CameraServerMessage.Picture, of name: String, received: MonotonicTime) {
        guard let places = cameras[name] else { return }
        for (source, camera) in places {
            if let timestamp = picture.timestamp, timestamp == board.entry(source).timestamp {
                // A camera that stands still is like one that sends nothing.
                board.update(source) { $0.repeated += 1 }
                continue
            }
            do throws(MessageError) {
                let frame = try decoder.frame(of: picture.jpeg, for: camera, field: "images.\(name)")
                board.update(source) { entry in
                    entry.newest = ServedFrame(frame: frame, received: received)
                    entry.timestamp = picture.timestamp
                    entry.frames += 1
                }
            } catch {
                countRefusal(of: [name], error)
            }
        }
    }

    private func countRefusal(of names: some Sequence<String>, _ error: MessageError) {
        for name in names {
            for (source, _) in cameras[name] ?? [] { board.update(source) { $0.refused += 1 } }
        }
        refuse(error)
    }
}

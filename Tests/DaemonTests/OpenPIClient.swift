import Robotics
import TestSupport
import Testing

@testable import Daemon
@testable import Wire

/// A client of the openpi endpoint.
final class OpenPIClient {
    private let socket: RawWebSocket
    /// Stops the daemon when it goes; nil: others see to that.
    private let owner: AnyObject?
    /// What the daemon sent first.
    let metadata: MessagePackMap

    /// Connects to the endpoint of a daemon, `ws://127.0.0.1:PORT`.
    init(_ endpoint: String?, headers: [String] = [], owner: AnyObject? = nil) throws {
        self.owner = owner
        socket = try RawWebSocket(
            port: try Self.port(endpoint),
            headers: RawWebSocket.handshake + headers
        )
        try #require(socket.status == 101, "\(socket.answer)")
        metadata = try Self.map(socket.read())
    }

    /// A client, which keeps the daemon running.
    convenience init(_ toy: ToyDaemon, headers: [String] = []) throws {
        try self.init(toy.endpoints.openpi, headers: headers, owner: toy)
    }

    static func port(_ endpoint: String?) throws -> UInt16 {
        try #require(
            endpoint?.split(separator: ":").last.flatMap { UInt16($0) },
            "\(endpoint ?? "no endpoint")"
        )
    }

    private static func map(_ frame: RawWebSocket.Frame?) throws -> MessagePackMap {
        let frame = try #require(frame)
        guard frame.isA(.binary),
            case .map(let map) = try MessagePackDecoder.decode(frame.payload, limits: .standard)
        else { throw MessageError(.wrongType, frame.text) }
        return map
    }

    func send(_ observation: MessagePackMap) {
        let encoder = MessagePackEncoder()
        encoder.value(.map(observation))
        socket.send(.binary, encoder.bytes)
    }

    func send(_ opcode: RawWebSocket.Opcode, _ payload: [UInt8]) { socket.send(opcode, payload) }

    func write(_ bytes: [UInt8]) { socket.write(bytes) }

    func answer() throws -> OpenPIAnswer { try OpenPIAnswer(Self.map(socket.read())) }

    func disconnect() { socket.disconnect() }

    /// Sends an observation and waits for its answer.
    func infer(_ observation: MessagePackMap) throws -> OpenPIAnswer {
        send(observation)
        return try answer()
    }

    /// The actions of an observation whose state's first number is each of `firsts` in turn: [T, 2] if there are several, else [2].
    func infer(_ firsts: Float..., options: MessagePackMap? = nil) throws -> OpenPIAnswer {
        try infer(Self.observation(firsts, options: options))
    }

    /// What the daemon says instead of an answer, and the status code that it closes with.
    func error() -> (text: String, code: Int?) {
        let (text, close) = (socket.read(), socket.read())
        return (text.map { $0.isA(.text) ? $0.text : "no text" } ?? "nothing", close?.closeCode)
    }

    static func observation(_ firsts: [Float], options: MessagePackMap? = nil) -> MessagePackMap {
        let time = firsts.count == 1 ? [] : [firsts.count]
        var map = MessagePackMap([
            "observation.state": array(firsts.flatMap { [$0, 0] }, time + [2]),
            "observation.environment_state": array(firsts.flatMap { _ in [1, 2, 3] }, time + [3]),
            "prompt": .string("push the T"),
        ])
        if let options { _ = map.append("options", .map(options)) }
        return map
    }

    static func array(_ elements: [Float], _ shape: [Int]) -> MessagePackValue {
        array(elements.withUnsafeBytes { Array($0) }, shape, dtype: "<f4")
    }

    static func array(_ data: [UInt8], _ shape: [Int], dtype: String = "|u1") -> MessagePackValue {
        .map(
            MessagePackMap([
                "__ndarray__": .bool(true), "data": .binary(data), "dtype": .string(dtype),
                "shape": .array(shape.map { .unsigned(UInt64($0)) }),
            ])
        )
    }
}

/// The answer to an observation.
struct OpenPIAnswer {
    let map: MessagePackMap

    init(_ map: MessagePackMap) { self.map = map }

    /// The numbers and the shape of an array.
    func array(_ key: String = "actions") throws -> (elements: [Float], shape: [Int]) {
        try NumericArray.decode(try #require(map[key]), field: key)
    }

    /// The first number of the first action: with ``ToyPlanner`` the sum of the history's first numbers.
    var first: Float? { try? array().elements.first }

    subscript(section: String, name: String) -> MessagePackValue? {
        guard case .map(let map)? = map[section] else { return nil }
        return map[name]
    }

    /// A time in milliseconds.
    func time(_ name: String, of section: String = "server_timing") -> Double? { self[section, name]?.number }

    var robot: MessagePackValue? { self["chunk", "robot"] }
    var episode: MessagePackValue? { self["chunk", "episode"] }
    var sequence: MessagePackValue? { self["chunk", "sequence"] }
}

import Foundation
import Robotics
import Testing
import Transport

@testable import Daemon
@testable import Gr00t
@testable import Planning
@testable import Wire

/// A client of the GR00T endpoint inside the process.
final class Gr00tClient {
    struct NoAnswer: Error {}

    private let daemon: Daemon
    /// Stops the daemon when it goes.
    private let owner: AnyObject
    private let socket: ZeroMQSocket

    /// A client, which keeps the daemon running.
    convenience init(_ toy: ToyDaemon) throws {
        try self.init(of: toy.daemon, at: toy.endpoints.gr00t, owner: toy)
    }

    /// A client, which keeps the daemon running.
    convenience init(_ seeing: SeeingDaemon) throws {
        try self.init(of: seeing.daemon, at: seeing.endpoints.gr00t, owner: seeing)
    }

    private init(of daemon: Daemon, at endpoint: String?, owner: AnyObject) throws {
        (self.daemon, self.owner) = (daemon, owner)
        socket = try ZeroMQSocket(.dealer, context: daemon.context)
        _ = try socket.connect(endpoint ?? "")
    }

    /// Sends a request and waits for its answer.
    func ask(_ endpoint: String, _ data: MessagePackMap? = nil) throws -> MessagePackValue {
        try send(endpoint, data)
        return try answer()
    }

    func send(_ endpoint: String, _ data: MessagePackMap? = nil, token: String? = nil) throws {
        let encoder = MessagePackEncoder()
        var request = MessagePackMap(["endpoint": .string(endpoint)])
        if let data { _ = request.append("data", .map(data)) }
        if let token { _ = request.append("api_token", .string(token)) }
        encoder.value(.map(request))
        try send(encoder.bytes)
    }

    func send(_ bytes: [UInt8]) throws { try socket.send([[], bytes]) }

    func answer() throws -> MessagePackValue {
        _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(20))
        guard let frames = try socket.receive(maximumFrames: 2), frames.count == 2, frames[0].isEmpty else {
            throw NoAnswer()
        }
        return try MessagePackDecoder.decode(frames[1], limits: .standard)
    }

    /// The text of the error that is answered.
    func error(_ endpoint: String, _ data: MessagePackMap? = nil) throws -> String? {
        let answer = try ask(endpoint, data)
        return answer.errorText
    }

    /// Asks for actions, which must be refused with a text, and counted as the first message that is.
    func expectRefusal(
        of data: MessagePackMap,
        _ text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let error = try error("get_action", data)
        #expect(error?.contains(text) == true, "\(error ?? "no error")", sourceLocation: sourceLocation)
        let rejected = daemon.statistics.rejectedMessages.values.reduce(0, +)
        #expect(rejected == 1, sourceLocation: sourceLocation)
    }

    /// Asks for the actions of an observation whose state's first number is each of `firsts` in turn.
    func getAction(_ firsts: Float..., options: MessagePackMap? = nil) throws -> Gr00tAnswer {
        try Gr00tAnswer(ask("get_action", Gr00tClient.data(firsts, options: options)))
    }

    /// The data of `get_action` with a state of [first, 0] at each time step.
    static func data(
        _ firsts: [Float],
        batch: Int = 1,
        form: Gr00tArray.Form = .npy,
        options: MessagePackMap? = nil
    ) -> MessagePackMap {
        let count = firsts.count
        let state = array(firsts.flatMap { [$0, 0] }, [batch, count / batch, 2], form: form)
        let environment = array(firsts.flatMap { _ in [1, 2, 3] }, [batch, count / batch, 3], form: form)
        return MessagePackMap([
            "observation": .map(
                MessagePackMap(["observation.state": state, "observation.environment_state": environment])
            ),
            "options": options.map { .map($0) } ?? .null,
        ])
    }

    /// The same as clients of N1.5 send it: the observation is the data, and a batch may be left out.
    static func dataOfN15(
        _ firsts: [Float],
        isBatched: Bool = false,
        options: MessagePackMap? = nil
    ) -> MessagePackMap {
        let batch = isBatched ? [1] : []
        var data = MessagePackMap([
            "video.front": array([0], batch + [1, 1, 1, 1]),
            "state.observation.state": array(firsts.flatMap { [$0, 0] }, batch + [firsts.count, 2]),
            "observation.environment_state": array(
                firsts.flatMap { _ in [1, 2, 3] },
                batch + [firsts.count, 3]
            ),
            "annotation.human.action.task_description": .array([.string("push the T")]),
        ])
        if let options { _ = data.append("options", .map(options)) }
        return data
    }

    /// The frames of a camera, packed as ``array(_:_:form:)`` packs numbers; one byte is one element.
    static func video(
        _ pixels: [UInt8],
        _ shape: [Int],
        dtype: String = "|u1",
        form: Gr00tArray.Form = .npy
    ) -> MessagePackValue {
        switch form {
        case .npy:
            let extents = shape.map(String.init).joined(separator: ", ")
            let text = "{'descr': '\(dtype)', 'fortran_order': False, 'shape': (\(extents)), }\n"
            let header = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.utf8.count), 0] + Array(text.utf8)
            return .map(
                MessagePackMap(["__ndarray_class__": .bool(true), "as_npy": .binary(header + pixels)])
            )
        case .messagePackNumPy:
            return .map(
                MessagePackMap([
                    "nd": .bool(true), "type": .string(dtype), "kind": .binary([]),
                    "shape": .array(shape.map { .unsigned(UInt64($0)) }), "data": .binary(pixels),
                ])
            )
        }
    }

    static func array(
        _ elements: [Float],
        _ shape: [Int],
        form: Gr00tArray.Form = .npy
    ) -> MessagePackValue {
        switch form {
        case .npy:
            return .map(
                MessagePackMap([
                    "__ndarray_class__": .bool(true),
                    "as_npy": .binary(NPYArray.encode(elements, shape: shape)),
                ])
            )
        case .messagePackNumPy:
            let data = elements.withUnsafeBytes { Array($0) }
            return .map(
                MessagePackMap([
                    "nd": .bool(true), "type": .string("<f4"), "kind": .binary([]),
                    "shape": .array(shape.map { .unsigned(UInt64($0)) }), "data": .binary(data),
                ])
            )
        }
    }
}

/// The answer to `get_action` since N1.6.
struct Gr00tAnswer {
    var actions: [String: Gr00tArray] = [:]
    var info: MessagePackMap

    init(_ value: MessagePackValue) throws {
        guard case .array(let pair) = value, pair.count == 2, case .map(let arrays) = pair[0],
            case .map(let info) = pair[1]
        else { throw MessageError(.wrongType, value.errorText ?? value.summary) }
        self.info = info
        for key in arrays.keys {
            actions[key] = try Gr00tArray(arrays[key] ?? .null, field: key)
        }
    }

    /// The first number of the first action: with ``ToyPlanner`` the sum of the history's first numbers.
    var first: Float? { actions["action"]?.elements.first }
}

/// The answer to `get_action` in N1.5.
struct Gr00tAnswerOfN15 {
    var actions: [String: Gr00tArray] = [:]

    init(_ value: MessagePackValue) throws {
        guard case .map(let arrays) = value else { throw MessageError(.wrongType, value.summary) }
        for key in arrays.keys {
            actions[key] = try Gr00tArray(arrays[key] ?? .null, field: value.errorText ?? key)
        }
    }

    /// As in ``Gr00tAnswer``.
    var first: Float? { actions["action.action"]?.elements.first }
}

extension MessagePackValue {
    /// The text under `error`, where the value is a map that has one.
    var errorText: String? {
        guard case .map(let map) = self, case .string(let text)? = map["error"] else { return nil }
        return text
    }
}

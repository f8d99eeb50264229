import Harness
import Robotics

@testable import Wire

/// Everything that comes out of a socket, read as every kind of message.
///
/// What is accepted is finite and within the limits, and packing it gives a message that reads the same. (Packed bytes are
/// compared, not values: a chunk's tolerance may be NaN, which equals nothing.)
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    observation(bytes)
    chunk(bytes)
    request(bytes)
    reply(bytes)
    command(bytes)
    status(bytes)
    array(bytes)
    return 0
}

/// Packing may take more bytes than were read: numbers of one byte become numbers of four.
private let roomy = MessagePackLimits(messageBytes: 1 << 26, depth: 8, values: 1 << 20, mapEntries: 512)

private func observation(_ bytes: [UInt8]) {
    do throws(MessageError) {
        let message = try RobotObservation(decoding: bytes)
        check(message)
        requireSame(message.encoded()) { bytes throws(MessageError) in
            try RobotObservation(decoding: bytes, limits: roomy).encoded()
        }
    } catch {
        requireOneLine(error)
    }
}

private func check(_ message: RobotObservation) {
    require(RobotID(message.robot.text) == message.robot, "a robot id that is none")
    for (name, values) in message.values {
        require(values.allSatisfy(\.isFinite), "\(name) has a number that is not finite")
    }
}

private func chunk(_ bytes: [UInt8]) {
    do throws(MessageError) {
        var message = try RobotChunk(decoding: bytes)
        check(message)
        requireSame(message.encode()) { bytes throws(MessageError) in
            var message = try RobotChunk(decoding: bytes, limits: roomy)
            return message.encode()
        }
    } catch {
        requireOneLine(error)
    }
}

private func check(_ chunk: RobotChunk) {
    require((chunk.actions + chunk.beyond).allSatisfy(\.isFinite), "an action that is not finite")
    require(chunk.actionSteps > 0 && chunk.actionDim > 0, "no actions")
    require(chunk.actions.count == chunk.actionSteps * chunk.actionDim, "actions do not fill their shape")
    require(chunk.beyond.count == chunk.beyondSteps * chunk.actionDim, "part of an action beyond")
    for index in 0..<chunk.actionSteps {
        require(chunk.action(index).count == chunk.actionDim, "action \(index) has another size")
    }
}

private func request(_ bytes: [UInt8]) {
    let (number, result) = Request.decode(bytes)
    switch result {
    case .failure(let error): requireOneLine(error)
    case .success(let request):
        if case .predict(let observation) = request { check(observation) }
        requireSame(request.encoded(number: number)) { bytes throws(MessageError) in
            let (number, result) = Request.decode(bytes, limits: roomy)
            return try result.get().encoded(number: number)
        }
    }
}

private func reply(_ bytes: [UInt8]) {
    do throws(MessageError) {
        let (number, reply) = try Reply.decode(bytes)
        if case .chunk(let chunk) = reply { check(chunk) }
        requireSame(reply.encoded(number: number)) { bytes throws(MessageError) in
            let (number, reply) = try Reply.decode(bytes, limits: roomy)
            return reply.encoded(number: number)
        }
    } catch {
        requireOneLine(error)
    }
}

private func command(_ bytes: [UInt8]) {
    do throws(MessageError) {
        let message = try RobotCommand(decoding: bytes)
        require(message.action.allSatisfy(\.isFinite), "a command that is not finite")
        requireSame(message.encoded()) { bytes throws(MessageError) in
            try RobotCommand(decoding: bytes, limits: roomy).encoded()
        }
    } catch {
        requireOneLine(error)
    }
}

private func status(_ bytes: [UInt8]) {
    do throws(MessageError) {
        let message = try StatusMessage(decoding: bytes)
        requireSame(message.encoded()) { bytes throws(MessageError) in
            try StatusMessage(decoding: bytes, limits: roomy).encoded()
        }
    } catch {
        requireOneLine(error)
    }
}

private func array(_ bytes: [UInt8]) {
    do throws(MessageError) {
        let value = try MessagePackDecoder.decode(bytes, limits: .standard)
        let (elements, shape) = try NumericArray.decode(value, field: "array")
        require(elements.allSatisfy(\.isFinite), "an element that is not finite")
        require(
            shape.contains(0) ? elements.isEmpty : shape.reduce(1, *) == elements.count,
            "\(elements.count) elements of shape \(shape)"
        )
    } catch {
        requireOneLine(error)
    }
}

private func requireSame(_ packed: [UInt8], _ again: ([UInt8]) throws(MessageError) -> [UInt8]) {
    do throws(MessageError) {
        require(try again(packed) == packed, "a message does not read as what was packed")
    } catch {
        require(false, "a packed message is refused: \(error)")
    }
}

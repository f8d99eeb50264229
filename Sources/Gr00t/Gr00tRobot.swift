import Robotics

/// The robot of a client of a GR00T policy server that names none.
package enum Gr00tRobot {
    /// The robot of a client that names none, from the routing id of its connection.
    /// - Throws: `MessageError` `out_of_range` for an id that was set by the client and is too long.
    package static func robot(ofConnection routingID: [UInt8]) throws(MessageError) -> RobotID {
        // libzmq's own ids are a zero and 4 bytes.
        let id = routingID.first == 0 ? routingID.dropFirst() : routingID[...]
        let digits = id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard let robot = RobotID("gr00t.\(digits)") else {
            throw MessageError(
                .outOfRange,
                "the client's ZeroMQ routing id has \(routingID.count) bytes; expected at most 29, or a robot in options.robot"
            )
        }
        return robot
    }
}

import ForeignText
import Robotics

extension FieldReader {
    package func robot() throws(MessageError) -> RobotID {
        let text = try string("robot")
        guard let robot = RobotID(text) else {
            throw MessageError(
                .outOfRange,
                field: path(of: "robot"),
                "found \"\(printable(text, limit: 80))\", expected \(RobotID.rule)"
            )
        }
        return robot
    }

    package func episode() throws(MessageError) -> EpisodeID {
        let value = try value("episode")
        if let number = value.wholeNumber { return .number(number) }
        switch value {
        case .string(let name) where isName(name):
            return .name(name)
        default:
            let isNameable = if case .string = value { true } else { false }
            throw MessageError(
                isNameable ? .outOfRange : .wrongType,
                field: path(of: "episode"),
                "found \(value.summary), expected an integer from 0 up or \(RobotID.rule)"
            )
        }
    }
}

extension RobotID {
    /// Stands in a message until its robot has been read.
    package static let unread = RobotID("unread")!
}

extension MessagePackEncoder {
    package func episode(_ episode: EpisodeID) { pack(.episode(episode)) }
}

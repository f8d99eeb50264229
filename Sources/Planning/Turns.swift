import Robotics

/// The order in which robots have their turns at the planner: who they are, not what is planned.
///
/// The observations of robots that get commands come first: such a robot holds, and is then stopped, when its chunk is late.
/// Behind them the others take turns: robots that get no commands, and predictions, whosever they are. So that those do not
/// wait for ever, they get a turn after ``mostInARow`` of the first kind.
package struct Turns {
    /// The two lines in which robots wait. A robot that gets commands may stand in both.
    package enum Line {
        /// Observations of robots that get commands.
        case commanded
        /// Everything else.
        case others
    }

    /// The most turns of robots that get commands in a row, while others wait.
    package static let mostInARow = 8

    private var commanded: [RobotID] = []
    private var others: [RobotID] = []
    private var inARow = 0

    private subscript(_ line: Line) -> [RobotID] {
        get { line == .commanded ? commanded : others }
        set { if line == .commanded { commanded = newValue } else { others = newValue } }
    }

    /// How many robots at the head of a line, one behind the other, fulfil a condition.
    package func countAtHead(of line: Line, _ condition: (RobotID) -> Bool) -> Int {
        self[line].firstIndex { !condition($0) } ?? self[line].count
    }

    /// The robots whose time a turn of a line takes: a robot that gets commands does not make room for the others.
    package func count(waitingFor line: Line) -> Int {
        line == .commanded ? commanded.count : commanded.count + others.count
    }

    /// The robot that comes up in a line.
    package func first(_ line: Line) -> RobotID? { self[line].first }

    /// Puts a robot at the end of a line, unless it stands there.
    package mutating func add(_ robot: RobotID, to line: Line) {
        if !self[line].contains(robot) { self[line].append(robot) }
    }

    /// Takes a robot out of a line.
    package mutating func remove(_ robot: RobotID, from line: Line) { self[line].removeAll { $0 == robot } }

    /// Takes out the robot that comes up in a line.
    package mutating func takeFirst(_ line: Line) -> RobotID? {
        self[line].isEmpty ? nil : self[line].removeFirst()
    }

    /// The line whose turn it is, which is counted; nil if nobody waits.
    package mutating func nextLine() -> Line? {
        guard !commanded.isEmpty, !others.isEmpty else {
            inARow = 0
            return !commanded.isEmpty ? .commanded : !others.isEmpty ? .others : nil
        }
        guard inARow < Self.mostInARow else {
            inARow = 0
            return .others
        }
        inARow += 1
        return .commanded
    }
}

import Clocks

/// The last commands of a motion, by the time at which they were sent: what a robot's feedback is compared with.
package struct SentCommands: Sendable {
    private struct Entry: Sendable {
        let time: MonotonicTime
        let action: [Float]
    }

    private static let remembered = 128
    private var entries: [Entry] = []
    private var oldest = 0
    /// When the last command was sent; nil if there was none.
    package private(set) var lastSent: MonotonicTime?
    /// When the last command was sent that was not the same as the one before it; nil if there was none.
    package private(set) var lastMoved: MonotonicTime?
    private var lastAction: [Float]?

    /// Notes a command.
    package mutating func add(_ action: [Float], at time: MonotonicTime) {
        if lastAction != action { lastMoved = time }
        (lastSent, lastAction) = (time, action)
        let entry = Entry(time: time, action: action)
        if entries.count < Self.remembered {
            entries.append(entry)
        } else {
            entries[oldest] = entry
            oldest = (oldest + 1) % Self.remembered
        }
    }

    /// A motion begins anew; what was sent before says nothing of where the robot is during it.
    package mutating func beginMotion() {
        entries.removeAll(keepingCapacity: true)
        oldest = 0
    }

    /// The command that the robot followed at a time; nil if that was before the motion, or longer ago than is remembered.
    package func inForce(at time: MonotonicTime) -> [Float]? {
        for age in 0..<entries.count {
            let index = (oldest + entries.count - 1 - age) % entries.count
            if entries[index].time <= time { return entries[index].action }
        }
        return nil
    }
}

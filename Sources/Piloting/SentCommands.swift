/// The last commands of a motion, by the time at which they were sent: what a robot's feedback is compared with.
package struct SentCommands: Sendable {
    private struct Entry: Sendable {
        let timeNs: UInt64
        let action: [Float]
    }

    private static let remembered = 128
    private var entries: [Entry] = []
    private var oldest = 0
    /// When the last command was sent; nil if there was none.
    package private(set) var lastNs: UInt64?
    /// When the last command was sent that was not the same as the one before it; nil if there was none.
    package private(set) var lastMovedNs: UInt64?
    private var lastAction: [Float]?

    /// Notes a command.
    package mutating func add(_ action: [Float], timeNs: UInt64) {
        if lastAction != action { lastMovedNs = timeNs }
        (lastNs, lastAction) = (timeNs, action)
        let entry = Entry(timeNs: timeNs, action: action)
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
    package func inForce(at timeNs: UInt64) -> [Float]? {
        for age in 0..<entries.count {
            let index = (oldest + entries.count - 1 - age) % entries.count
            if entries[index].timeNs <= timeNs { return entries[index].action }
        }
        return nil
    }
}

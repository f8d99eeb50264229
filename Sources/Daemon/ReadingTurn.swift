/// How long one socket is read before the others, commands and the planner get their turn.
enum ReadingTurn {
    /// The most messages.
    static let messages = 256
    /// The longest time, in nanoseconds.
    static let nanoseconds: UInt64 = 2_000_000
}

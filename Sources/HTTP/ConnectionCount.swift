/// How many connections there are, and whether another may be accepted. Does no I/O.
package struct ConnectionCount {
    private let most: Int
    private var open = 0
    private var isAcceptWanted = false

    /// - Parameter most: connections at a time.
    package init(most: Int) { self.most = most }

    /// The next connection is wanted. Returns whether it may be accepted at once; else ``end()`` says when.
    package mutating func wantAccept() -> Bool {
        isAcceptWanted = open >= most
        return !isAcceptWanted
    }

    /// A connection has begun.
    package mutating func begin() { open += 1 }

    /// A connection has ended. Returns whether the next one is to be accepted.
    package mutating func end() -> Bool {
        open -= 1
        guard isAcceptWanted, open < most else { return false }
        isAcceptWanted = false
        return true
    }
}

import Dispatch
import Foundation
import Synchronization

/// Lines that wait for the thread that writes them.
final class LineQueue: Sendable {
    /// What the thread is to do, in order.
    enum Entry {
        /// A line, and the second at which it was handed over if it is to tell.
        case line(String, second: time_t?)
        /// So many lines found no room here.
        case lost(UInt64)
        /// Somebody waits for the thread to come here.
        case mark(DispatchSemaphore)
    }

    private struct State {
        var entries: [Entry] = []
        /// The lines that wait or are being written, and their bytes.
        var lines = 0
        var bytes = 0
        /// Lines that found no room since the last entry.
        var refused: UInt64 = 0
        var isClosed = false

        mutating func addRefused() {
            if refused > 0 { entries.append(.lost(refused)) }
            refused = 0
        }
    }

    /// All lines that were lost.
    let lost = Atomic<UInt64>(0)
    /// The `errno` of the write that failed last; 0: none failed.
    let lastError = Atomic<Int32>(0)
    private let mostLines: Int
    private let mostBytes: Int
    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)

    init(mostLines: Int, mostBytes: Int) {
        self.mostLines = mostLines
        self.mostBytes = mostBytes
    }

    /// Adds a line, which is lost if there is no room.
    func add(_ text: String, second: time_t?) {
        let size = text.utf8.count
        let isFirst = state.withLock { state in
            guard state.lines < mostLines, state.bytes + size <= mostBytes else {
                state.refused += 1
                lost.add(1, ordering: .relaxed)
                return false
            }
            let wasEmpty = state.entries.isEmpty
            state.addRefused()
            state.entries.append(.line(text, second: second))
            state.lines += 1
            state.bytes += size
            return wasEmpty
        }
        if isFirst { news.signal() }
    }

    /// Adds a mark. Returns what is signalled when the thread has come to it.
    func addMark() -> DispatchSemaphore {
        let mark = DispatchSemaphore(value: 0)
        state.withLock { state in
            state.addRefused()
            state.entries.append(.mark(mark))
        }
        news.signal()
        return mark
    }

    /// Lets the thread end when it has done what waits.
    func close() {
        state.withLock { $0.isClosed = true }
        news.signal()
    }

    /// Waits for something to do; nil at the end.
    func take() -> [Entry]? {
        while true {
            let (entries, isClosed) = state.withLock { state in
                // The thread is back, so there is room again, and what was refused meanwhile can be told.
                state.addRefused()
                defer { state.entries = [] }
                return (state.entries, state.isClosed)
            }
            if !entries.isEmpty { return entries }
            if isClosed { return nil }
            news.wait()
        }
    }

    /// Makes room for other lines: this one has been written, or could not be.
    func release(_ text: String) {
        let size = text.utf8.count
        state.withLock { state in
            state.lines -= 1
            state.bytes -= size
        }
    }
}

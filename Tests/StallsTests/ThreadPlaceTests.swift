import Dispatch
import Foundation
import Synchronization
import Testing

@testable import Stalls

@Suite(.timeLimit(.minutes(10))) struct ThreadPlaceTests {
    /// The processors that the thread which calls may run on, as the kernel lists them.
    private static func allowed() throws -> String {
        let status = try String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
        return String(line.split(whereSeparator: \.isWhitespace)[1])
    }

    @Test func aThreadIsBroughtToAnothersCoreAndLetGo() throws {
        let place = ThreadPlace()
        let isPlaced = DispatchSemaphore(value: 0)
        let isBrought = DispatchSemaphore(value: 0)
        let hasSeen = DispatchSemaphore(value: 0)
        let seen = Mutex<Result<[String], any Error>?>(nil)
        let thread = Thread {
            let lists = Result {
                let before = try Self.allowed()
                var brought = ""
                var released = ""
                try place.place {
                    isPlaced.signal()
                    isBrought.wait()
                    brought = try Self.allowed()
                    place.release()
                    released = try Self.allowed()
                }
                return [before, brought, released]
            }
            seen.withLock { $0 = lists }
            hasSeen.signal()
        }
        thread.start()
        isPlaced.wait()
        place.bringHere()
        isBrought.signal()
        hasSeen.wait()
        let lists = try #require(seen.withLock { $0 }).get()
        #expect(Int(lists[1]) != nil, "one processor: \(lists[1])")
        #expect(lists[0] == lists[2])
    }

    /// Before and after its time, and without having been brought anywhere, a thread keeps what it may run on.
    @Test func aThreadThatIsNotPlacedStaysWhereItIs() throws {
        let place = ThreadPlace()
        let before = try Self.allowed()
        place.bringHere()
        place.release()
        try place.place {
            place.release()
            let within = try Self.allowed()
            #expect(within == before)
        }
        place.bringHere()
        #expect(try Self.allowed() == before)
    }
}

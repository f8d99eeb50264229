import Clocks
import Stalls
import Synchronization
import Testing

@Suite struct StallWatchTests {
    /// A watch, and how often its rescuer was woken.
    private final class Watched: Sendable {
        private let wakes: Counter
        let watch: StallWatch

        private final class Counter: Sendable { let count = Atomic<Int>(0) }

        init() {
            let counter = Counter()
            wakes = counter
            watch = StallWatch { counter.count.add(1, ordering: .relaxed) }
        }

        var wakeCount: Int { wakes.count.load(ordering: .relaxed) }
    }

    @Test func `A pass whose time is over is reported once`() {
        let watched = Watched()
        for pass in 1...3 {
            watched.watch.passBegins(due: .now())
            for _ in 0..<5 { watched.watch.checkWhileWaiting() }
            #expect(watched.wakeCount == pass)
            #expect(watched.watch.takeReport())
            #expect(!watched.watch.takeReport())
        }
    }

    @Test func `A pass within its time, without one, or none at all is not reported`() {
        let watched = Watched()
        watched.watch.checkWhileWaiting()
        watched.watch.passBegins(due: .now() + .seconds(600))
        watched.watch.checkWhileWaiting()
        // A pass without a time forgets that of the one before.
        watched.watch.passBegins(due: .now())
        watched.watch.passBegins(due: nil)
        watched.watch.checkWhileWaiting()
        #expect(watched.wakeCount == 0)
        #expect(!watched.watch.takeReport())
    }

    @Test func `A dropped report is not taken for the next chunk's`() {
        let watched = Watched()
        watched.watch.report()
        watched.watch.dropReport()
        #expect(!watched.watch.takeReport())
        watched.watch.report()
        #expect(watched.watch.takeReport())
    }

    @Test func `A ready chunk wakes the rescuer and reports nothing`() {
        let watched = Watched()
        watched.watch.beRescuer {
            watched.watch.wakeRescuerHere()
            watched.watch.releaseRescuer()
        }
        #expect(watched.wakeCount == 1)
        #expect(!watched.watch.takeReport())
    }
}

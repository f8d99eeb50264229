import Clocks
import Glibc
import Testing

@Suite("The monotonic clock") struct MonotonicTimeTests {
    private let time = MonotonicTime(nanoseconds: 5_000_000_000)

    @Test func `now is what the system's monotonic clock shows`() {
        func system() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
        let before = system()
        let now = MonotonicTime.now()
        let after = system()
        #expect((before...after).contains(now.unsignedNs))
    }

    @Test func `durations are added and taken away`() {
        #expect((time + .milliseconds(20)).nanoseconds == 5_020_000_000)
        #expect((time - .seconds(2)).nanoseconds == 3_000_000_000)
        #expect((time + .seconds(-2)).nanoseconds == 3_000_000_000)
        #expect((time + .nanoseconds(1)) - time == .nanoseconds(1))
        #expect(time - (time + .seconds(3)) == .seconds(-3))
        #expect(time < time + .nanoseconds(1) && !(time < time))
    }

    @Test func `what passes is counted, and never less than nothing`() {
        let later = time.advanced(byNanoseconds: 7)
        #expect(later.nanoseconds(since: time) == 7 && time.nanoseconds(since: later) == -7)
        #expect(later.elapsedNs(since: time) == 7 && time.elapsedNs(since: later) == 0)
    }

    @Test func `sums that no number holds stop at the ends`() {
        let first = MonotonicTime(nanoseconds: Int64.min)
        let last = MonotonicTime(nanoseconds: UInt64.max)
        #expect(last.nanoseconds == .max)
        #expect(last + .nanoseconds(1) == last && first - .nanoseconds(1) == first)
        #expect(time + .seconds(Int64.max) == last && first - .seconds(Int64.max) == first)
        #expect(time - .seconds(Int64.max) < time - .seconds(1_000_000_000))
        #expect(time.advanced(byNanoseconds: UInt64.max) == last)
        #expect(last.nanoseconds(since: first) == .max && first.nanoseconds(since: last) == .min)
        #expect(last.elapsedNs(since: first) == UInt64(Int64.max) && first.elapsedNs(since: last) == 0)
    }

    @Test func `before the clock's beginning messages have 0`() {
        let before = time - .seconds(6)
        #expect(before.nanoseconds == -1_000_000_000 && before.unsignedNs == 0)
        #expect(before < time && time.nanoseconds(since: before) == 6_000_000_000)
    }
}

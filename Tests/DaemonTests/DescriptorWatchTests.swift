import Glibc
import Testing

@testable import Daemon

@Suite struct DescriptorWatchTests {
    @Test(
        arguments: [
            (.lowestFree(40), 1024, nil), (.lowestFree(973), 1024, nil),
            (.lowestFree(974), 1024, "at most 50 of 1024 file descriptors are left"),
            (.none, 1024, "no file descriptor is left of 1024"),
            (.lowestFree(31), 64, nil),
            (.lowestFree(33), 64, "at most 31 of 64 file descriptors are left"),
            (.lowestFree(498_075), 524_288, "at most 26213 of 524288 file descriptors are left"),
        ] as [(DescriptorWatch.Finding, Int, String?)]
    )
    func fewAreAProblem(finding: DescriptorWatch.Finding, limit: Int, problem: String?) {
        let found = DescriptorWatch.problem(finding, limit: limit)
        #expect(problem.map { found?.hasPrefix($0) == true } ?? (found == nil), "\(found ?? "nothing")")
    }

    @Test func theLogIsToldOnceAMinuteAndWhenItIsOver() {
        let log = LogLines()
        var looks = 0
        var finding = DescriptorWatch.Finding.lowestFree(1000)
        var watch = DescriptorWatch {
            looks += 1
            return (finding, 1024)
        }
        let second: UInt64 = 1_000_000_000
        // Ten heartbeats a second, of which one looks.
        for tenth in 0..<UInt64(610) {
            #expect(watch.warning(now: at(tenth * second / 10), logger: log.logger) != nil)
        }
        #expect(looks == 61)
        #expect(log.lines.count == 2)
        finding = .lowestFree(40)
        #expect(watch.warning(now: at(62 * second), logger: log.logger) == nil)
        #expect(log.lines.last == "notice: there are file descriptors again")
        #expect(watch.warning(now: at(64 * second), logger: log.logger) == nil)
        #expect(log.lines.count == 3)
    }

    @Test func thisProcessHasDescriptors() {
        let log = LogLines()
        var watch = DescriptorWatch()
        #expect(watch.warning(now: at(1), logger: log.logger) == nil)
        #expect(DescriptorLimit.current > 0)
    }
}

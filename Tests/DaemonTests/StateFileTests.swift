import Clocks
import Dispatch
import Foundation
import Robotics
import Synchronization
import TestSupport
import Testing

@testable import Daemon
@testable import Piloting
@testable import Planning

@Suite struct StateFileTests {
    /// A folder that is removed with the value.
    final class Folder {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "denoised-state-\(UInt64.random(in: 0 ... .max))").path(percentEncoded: false)

        init() throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        var file: String { path + "/state.json" }
        var names: [String] {
            get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
        }
        func put(_ text: String, _ name: String = "state.json") throws {
            try Data(text.utf8).write(to: URL(filePath: path + "/" + name))
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let folder = try Folder()
        var stops = Stops()
        do {
            let file = try StateFile(folder.file)
            #expect(file.stops == Stops())
            #expect(try folder.names == ["state.json", "state.json.lock"])
            stops.robots[try id("arm1")] = StopsTests.stop("x")
            try file.write(stops)
        }
        let file = try StateFile(folder.file)
        #expect(file.stops == stops)
        #expect(file.damage == nil)
        #expect(try folder.names == ["state.json", "state.json.lock"], "nothing is left lying about")
    }

    @Test func twoDaemonsDoNotHaveOneFile() throws {
        let folder = try Folder()
        try withExtendedLifetime(StateFile(folder.file)) {
            let error = #expect(throws: StateFileError.self) { try StateFile(folder.file) }
            #expect(error?.isTaken == true)
            #expect(error?.description == "\(folder.file): another daemon keeps its state there")
        }
        _ = try StateFile(folder.file)
    }

    @Test(arguments: ["", "{", "\u{0}\u{0}\u{0}", String(repeating: " ", count: StateFile.mostBytes + 1)])
    func aDamagedFileStopsEveryRobotAlsoTheNextTime(text: String) throws {
        let folder = try Folder()
        try folder.put(text)
        var reason = ""
        do {
            let file = try StateFile(folder.file)
            #expect(file.damage != nil)
            reason = try #require(file.stops.everyRobot).reason
            #expect(reason.contains("damaged"))
            let kept = try Data(contentsOf: URL(filePath: folder.file + ".damaged"))
            #expect(kept == Data(text.utf8), "for whoever wants to know")
        }
        let file = try StateFile(folder.file)
        #expect(file.damage == nil)
        #expect(file.stops.everyRobot?.reason == reason)
    }

    @Test func whatCannotBeOneIsRefused() throws {
        let folder = try Folder()
        #expect(throws: StateFileError.self) { try StateFile(folder.path + "/none/state.json") }
        try FileManager.default.createDirectory(atPath: folder.file, withIntermediateDirectories: true)
        let error = #expect(throws: StateFileError.self) { try StateFile(folder.file) }
        #expect(error?.problem == "not a regular file")
        #expect(error?.isTaken == false)
    }

    @Test func aFileThatCannotBeWrittenIsRefusedAtTheStart() throws {
        let folder = try Folder()
        let before = try Stops(robots: [id("arm1"): StopsTests.stop("x")])
        try folder.put(String(decoding: before.text(), as: UTF8.self))
        try FileManager.default.createDirectory(
            atPath: folder.file + ".new",
            withIntermediateDirectories: true
        )
        let error = #expect(throws: StateFileError.self) { try StateFile(folder.file) }
        #expect(error?.path == folder.file + ".new")
        // What was known is still there.
        try FileManager.default.removeItem(atPath: folder.file + ".new")
        #expect(try StateFile(folder.file).stops == before)
    }

    @Test(arguments: ["", "/", "state/"])
    func aPathThatIsNoFilesLeavesNothingBehind(name: String) throws {
        let folder = try Folder()
        let path = name.isEmpty ? "" : folder.path + "/" + name
        let error = #expect(throws: StateFileError.self) { try StateFile(path) }
        #expect(
            error?.description.hasSuffix("expected the name of a file") == true,
            "\(String(describing: error))"
        )
        try FileManager.default.createDirectory(atPath: folder.file, withIntermediateDirectories: true)
        #expect(throws: StateFileError.self) { try StateFile(folder.file) }
        #expect(try folder.names == ["state.json"])
        if name.isEmpty {
            #expect(!FileManager.default.fileExists(atPath: ".lock"))
            #expect(error?.description == "\"\": found nothing, expected the name of a file")
        }
    }

    @Test(arguments: [true, false])
    func aSymbolicLinkStaysAndItsTargetIsReplaced(isThere: Bool) throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(
            atPath: folder.path + "/kept",
            withIntermediateDirectories: true
        )
        if isThere { try folder.put(String(decoding: Stops().text(), as: UTF8.self), "kept/real.json") }
        for (link, target) in [("state.json", "second"), ("second", "kept/real.json")] {
            try FileManager.default.createSymbolicLink(
                atPath: folder.path + "/" + link,
                withDestinationPath: target
            )
        }
        let stops = try Stops(robots: [id("arm1"): StopsTests.stop("x")])
        do {
            let file = try StateFile(folder.file)
            #expect(file.path == folder.path + "/kept/real.json")
            try file.write(stops)
            // The file is one daemon's by whatever name.
            let other = #expect(throws: StateFileError.self) {
                try StateFile(folder.path + "/kept/real.json")
            }
            #expect(other?.isTaken == true)
        }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.file) == "second")
        #expect(try folder.names == ["kept", "second", "state.json"])
        #expect(try StateFile(folder.path + "/kept/real.json").stops == stops)

        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/loop",
            withDestinationPath: "loop"
        )
        #expect(throws: StateFileError.self) { try StateFile(folder.path + "/loop") }
    }

    @Test(arguments: ["lock", "folder"])
    func whatAnotherDaemonMayOwnIsNotWritten(replaced: String) throws {
        let folder = try Folder()
        let inner = folder.path + "/state"
        let path = inner + "/state.json"
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
        let first = try StateFile(path)
        try first.checkOwnership()
        if replaced == "lock" {
            try FileManager.default.removeItem(atPath: path + ".lock")
        } else {
            try FileManager.default.moveItem(atPath: inner, toPath: folder.path + "/old")
            try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
        }
        let removed = #expect(throws: StateFileError.self) { try first.checkOwnership() }
        #expect(
            removed?.description.hasPrefix("\(path).lock: was removed, so that another daemon may") == true
        )

        let second = try StateFile(path)
        let stops = try Stops(robots: [id("arm1"): StopsTests.stop("x")])
        try second.write(stops)
        let error = #expect(throws: StateFileError.self) { try first.write(Stops()) }
        #expect(error?.description.hasPrefix("\(path).lock: was replaced") == true)
        #expect(throws: StateFileError.self) { try first.checkOwnership() }
        try second.checkOwnership()
        second.release()
        #expect(try StateFile(path).stops == stops, "the second's, which the first has left")
    }

    /// What stands for a disk: it takes what it is given, fails, or waits.
    final class Disk: Sendable {
        private let state = Mutex<(fails: Bool, written: [Stops])>((false, []))
        private let gate: DispatchSemaphore?

        init(isSlow: Bool = false) { gate = isSlow ? DispatchSemaphore(value: 0) : nil }

        var written: [Stops] { state.withLock { $0.written } }
        func fail(_ fails: Bool) { state.withLock { $0.fails = fails } }
        func goOn() { gate?.signal() }

        func write(_ stops: Stops) throws(StateFileError) {
            gate?.wait()
            let fails = state.withLock { state in
                if !state.fails { state.written.append(stops) }
                return state.fails
            }
            if fails { throw StateFileError("disk", "no room") }
        }

        func file(holding stops: Stops = Stops()) -> StateFile {
            StateFile(holding: stops) { [self] stops throws(StateFileError) in try write(stops) }
        }
    }

    @Test func theNewestIsWrittenAndFailuresAreTriedAgain() throws {
        let disk = Disk(isSlow: true)
        let log = LogLines()
        let told = DispatchSemaphore(value: 0)
        let keeper = StateKeeper(Stops(), logger: log.logger, tell: { told.signal() }) {
            stops throws(StateFileError) in try disk.write(stops)
        }
        func stops(_ name: String) throws -> Stops { Stops(robots: [try id(name): StopsTests.stop("x")]) }
        #expect(keeper.keeping(of: keeper.keep(Stops())) == .kept, "the file holds that already")

        disk.fail(true)
        let first = keeper.keep(try stops("a"))
        #expect(keeper.keeping(of: first) == nil)
        let second = keeper.keep(try stops("b"))
        let third = keeper.keep(try stops("c"))
        #expect(first < second && second < third)
        disk.goOn()
        told.wait()
        disk.goOn()
        told.wait()
        #expect(keeper.keeping(of: third) == .failed("disk: no room"))
        #expect(keeper.problem(now: .now()) == "disk: no room")
        disk.fail(false)
        // It is tried again without being asked.
        disk.goOn()
        told.wait()
        #expect(keeper.keeping(of: third) == .kept)
        #expect(keeper.problem(now: .now()) == nil)
        #expect(disk.written.last == (try stops("c")))
        #expect(disk.written.count == 1)
        keeper.close()
        #expect(keeper.waitForEnd(until: .now() + .seconds(10)))
        #expect(log.lines.contains { $0.contains("no room") })
        #expect(log.lines.contains { $0.contains("kept again") })
    }

    @Test func `a disk that does not answer is a problem that passes`() throws {
        let disk = Disk(isSlow: true)
        let log = LogLines()
        let told = DispatchSemaphore(value: 0)
        let keeper = StateKeeper(Stops(), logger: log.logger, tell: { told.signal() }) {
            stops throws(StateFileError) in try disk.write(stops)
        }
        _ = keeper.keep(Stops(robots: [try id("a"): StopsTests.stop("x")]))
        let second: UInt64 = 1_000_000_000
        let beganNs = MonotonicTime.now().unsignedNs
        // Up to the moment at which the keeper took it up.
        eventually {
            keeper.problem(now: at(beganNs + 3 * second + second / 2))
        } is: {
            $0 != nil
        }
        #expect(keeper.problem(now: at(beganNs + second / 2)) == nil)
        #expect(
            keeper.problem(now: at(beganNs + 9 * second + second / 2)) == "the disk has not answered for 9 s"
        )
        func lines() -> Int { log.lines.count { $0.contains("the disk has not answered") } }
        #expect(lines() == 1)
        #expect(keeper.problem(now: at(beganNs + 70 * second)) != nil)
        #expect(lines() == 2, "again each minute")
        #expect(!keeper.waitForEnd(until: .now() + .milliseconds(20)))
        keeper.close()
        #expect(!keeper.waitForEnd(until: .now() + .milliseconds(50)))
        disk.goOn()
        told.wait()
        #expect(keeper.problem(now: .now()) == nil)
        #expect(log.lines.contains { $0.contains("the disk answers again") })
        #expect(keeper.waitForEnd(until: .now() + .seconds(10)))
    }

    @Test func `a file that is not the daemon's any more is a problem`() throws {
        let disk = Disk()
        let log = LogLines()
        let isLost = Mutex(false)
        let keeper = StateKeeper(
            Stops(),
            logger: log.logger,
            tell: {},
            check: { () throws(StateFileError) in
                if isLost.withLock({ $0 }) { throw StateFileError("x.lock", "was replaced") }
            },
            write: { stops throws(StateFileError) in try disk.write(stops) }
        )
        usleep(50_000)
        #expect(keeper.problem(now: .now()) == nil)
        isLost.withLock { $0 = true }
        // Without a robot that is stopped, within about a second.
        eventually(every: .milliseconds(10)) {
            keeper.problem(now: .now())
        } is: {
            $0 != nil
        }
        #expect(
            log.lines.contains { $0.contains("restart would forget") && $0.contains("x.lock: was replaced") }
        )
        keeper.close()
        #expect(keeper.waitForEnd(until: .now() + .seconds(10)))
    }
}

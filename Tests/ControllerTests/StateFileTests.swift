import Dispatch
import Foundation
import Synchronization
import Testing
import Wire

@testable import Controller

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
        #expect(keeper.problem == "disk: no room")
        disk.fail(false)
        // It is tried again without being asked.
        disk.goOn()
        told.wait()
        #expect(keeper.keeping(of: third) == .kept)
        #expect(keeper.problem == nil)
        #expect(disk.written.last == (try stops("c")))
        #expect(disk.written.count == 1)
        keeper.finish()
        #expect(log.lines.contains { $0.contains("no room") })
        #expect(log.lines.contains { $0.contains("kept again") })
    }
}

import Foundation
import TestRandom
import Testing

@testable import Configuration

@Suite struct ConfigurationFileTests {
    private static let good = """
        # What runs here.
        policy: ../policies/pusht
        robots:
          - arm1.yaml
          - /etc/arm2.yaml
        cameras: {front: "tcp://127.0.0.1:6000", wrist: ipc:///run/wrist}
        endpoints:
          observations: tcp://127.0.0.1:*
        sampler: {solver: ddim, window: auto, threads: -3, tolerance: 5e-3}
        http:
          address: 9464
          token: true
          read_only: false
        """

    @Test func everyKindOfKeyIsRead() throws {
        let file = try file(Self.good)
        #expect(
            file.settings.map { "\($0.line) \($0.arguments.joined(separator: " "))" } == [
                "2 --policy=conf/../policies/pusht",
                "3 --robot=conf/arm1.yaml --robot=/etc/arm2.yaml",
                "6 --camera=front=tcp://127.0.0.1:6000 --camera=wrist=ipc:///run/wrist",
                "8 --observations=tcp://127.0.0.1:*",
                "9 --solver=ddim",
                "9 --window=auto",
                "9 --threads=-3",
                "9 --tolerance=5e-3",
                "11 --http=9464",
                "12 --http-token",
                "13 ",
            ]
        )
        #expect(file.settings.last?.values == ["false"])
    }

    @Test func aFlagMayHaveAWord() throws {
        func arguments(_ value: String) throws -> [String] {
            try file("sampler: {warm_start: \(value)}").settings.flatMap(\.arguments)
        }
        #expect(try arguments("true") == ["--warm-start"])
        #expect(try arguments("false") == [])
        #expect(try arguments("partial") == ["--warm-start=partial"])
        for value in ["full", "3", "[partial]"] {
            let problem = try #require(problems("sampler: {warm_start: \(value)}").first)
            #expect(problem.contains("expected true, false or one of guess, partial"), "\(problem)")
        }
    }

    @Test func severalPoliciesHaveNames() throws {
        let file = try file("policies: {pick: a, place: /b}")
        #expect(file.settings.first?.arguments == ["--policy=pick=conf/a", "--policy=place=/b"])
    }

    /// A file in the working folder has no folder in its name.
    @Test func pathsBeginAtTheFilesFolder() throws {
        for (name, expected) in [("denoised.yaml", "arm.yaml"), ("/etc/d/x.yaml", "/etc/d/arm.yaml")] {
            let file = try ConfigurationFile(text: "robots: [arm.yaml]", path: name, table: testTable)
            #expect(file.settings.first?.values == [expected])
        }
    }

    @Test(arguments: ["", "# policy: nothing yet\n", "robots: []"])
    func aFileMaySayNothing(text: String) throws {
        #expect(try file(text).settings.flatMap(\.arguments) == [])
    }

    @Test(
        arguments: [
            // Unknown keys.
            ("polcy: a", 1, "polcy", "unknown key, did you mean policy?"),
            ("sampler:\n  treads: 2", 2, "sampler.treads", "unknown key, did you mean sampler.threads?"),
            ("threads: 2", 1, "threads", "unknown key, did you mean sampler.threads?"),
            ("http-read-only: true", 1, "http-read-only", "unknown key, did you mean http.read_only?"),
            ("endpoint: {observations: a}", 1, "endpoint", "unknown key, did you mean endpoints?"),
            ("http: {port: 80}", 1, "http.port", "unknown key, expected one of address, read_only, token"),
            (
                "sampler.threads: 2", 1, "sampler.threads",
                "unknown key, expected threads below a key sampler of its own"
            ),
            // Types.
            ("policy: [a]", 1, "policy", "found a list of 1, expected a path"),
            (
                "policy: \"\"", 1, "policy",
                "found \"\", expected a path, not empty, without control characters"
            ),
            (
                "policy: \"a\\0b\"", 1, "policy",
                "found \"a?b\", expected a path, not empty, without control characters"
            ),
            ("policy:", 1, "policy", "found no value, expected a path, or the key left out"),
            ("sampler:", 1, "sampler", "found no value, expected keys below it, or the key left out"),
            ("sampler: ddim", 1, "sampler", "found \"ddim\", expected a mapping"),
            ("- policy", nil, nil, "found a list of 1, expected a mapping"),
            ("robots: arm.yaml", 1, "robots", "found \"arm.yaml\", expected a list"),
            ("robots:\n  - a\n  - {b: c}", 3, "robots[1]", "found a mapping of 1, expected a path"),
            ("cameras: [a]", 1, "cameras", "found a list of 1, expected a mapping"),
            ("cameras:\n  front:", 2, "cameras.front", "found no value, expected text, or the key left out"),
            (
                "cameras: {a=b: c}", 1, "cameras.a=b",
                "found this name, expected one without = and control characters"
            ),
            ("http: {token: maybe}", 1, "http.token", "found \"maybe\", expected true or false"),
            ("http: {token: 1}", 1, "http.token", "found \"1\", expected true or false"),
            ("sampler: {threads: 2.5}", 1, "sampler.threads", "found \"2.5\", expected a whole number"),
            ("sampler: {threads: 0x10}", 1, "sampler.threads", "found \"0x10\", expected a whole number"),
            (
                "sampler: {window: automatic}", 1, "sampler.window",
                "found \"automatic\", expected a whole number or auto"
            ),
            ("sampler: {tolerance: .inf}", 1, "sampler.tolerance", "found \".inf\", expected a number"),
            ("sampler: {tolerance: nan}", 1, "sampler.tolerance", "found \"nan\", expected a number"),
            ("sampler: {solver: euler}", 1, "sampler.solver", "found \"euler\", expected one of ddim, ddpm"),
            ("[a]: b", nil, "a list of 1", "found a name that is no text, expected text"),
            // The form of the file.
            (
                "policy: a\npolicy: b", 1, nil,
                "not YAML: policy: given twice in one mapping, expected once"
            ),
            ("policy: *a", 1, nil, "found *, expected a file without anchors and aliases"),
        ] as [(String, Int?, String?, String)]
    )
    func anErrorHasFileLineAndKey(text: String, line: Int?, key: String?, message: String) {
        let place = "conf/denoised.yaml" + (line.map { ":\($0)" } ?? "")
        let found = problems(text)
        #expect(found.count == 1, "\(found)")
        let expected = "\(place): \(key.map { "\($0): " } ?? "")\(message)"
        // The line of a key that is no text is not worth a promise.
        if line == nil, key != nil {
            #expect(found.first?.hasSuffix("\(key ?? ""): \(message)") == true, "\(found)")
        } else {
            #expect(found.first == expected)
        }
    }

    @Test func allProblemsAreToldAtOnceInTheOrderOfTheFile() {
        let found = problems("polcy: a\nsampler:\n  threads: many\n  window: 4\nhttp: {token: 3}\n")
        #expect(found.count == 3)
        #expect(
            zip(found, [":1: polcy:", ":3: sampler.threads:", ":5: http.token:"]).allSatisfy {
                $0.contains($1)
            }
        )
    }

    @Test func ofVeryManyProblemsTheFirstAreTold() {
        let found = problems((0..<50).map { "key\($0): 1" }.joined(separator: "\n"))
        #expect(found.count == ConfigurationProblems.mostProblems + 1)
        #expect(found.last == "and 30 more problems in this file")
    }

    @Test func aFileThatIsMissingIsAnError() {
        #expect(throws: ConfigurationProblems.self) {
            try ConfigurationFile("/nowhere/denoised.yaml", table: testTable)
        }
    }

    @Test func aFolderStandsForTheFileInIt() throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.path(percentEncoded: false)
        try Data("policy: a".utf8).write(to: folder.appending(path: ConfigurationFile.name))
        let file = try ConfigurationFile(path, table: testTable)
        let name = (path.hasSuffix("/") ? path : path + "/") + ConfigurationFile.name
        #expect(file.path == name)
        #expect(file.settings.first?.values == [name.replacing(ConfigurationFile.name, with: "a")])
    }

    /// Whatever a file says: an error is text of bounded length, and what is accepted is of known keys.
    @Test func damagedFilesAreReadOrRefused() {
        var random = SplitMix64(seed: 1)
        let bytes = Array(Self.good.utf8)
        var accepted = 0
        for _ in 0..<3000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: changed.indices, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: changed.remove(at: place)
                case 1: changed[place] = UInt8.random(in: 0x20...0x7e, using: &random)
                default:
                    changed.insert(
                        contentsOf: Array("\n  - {}:".utf8).shuffled(using: &random).prefix(2),
                        at: place
                    )
                }
            }
            let lines = problems(String(decoding: changed, as: UTF8.self))
            accepted += lines.isEmpty ? 1 : 0
            for line in lines {
                #expect(line.hasPrefix("conf/denoised.yaml") || line.hasPrefix("and "), "\(line)")
                #expect(line.utf8.count < 5000 && !line.contains("\n"), "\(line)")
            }
        }
        #expect(accepted > 100 && accepted < 2900, "\(accepted)")
    }
}

@Suite struct PathOrNameTests {
    /// Beside the file `conf/denoised.yaml`, `name` is the folder `conf/name`, and never the policy `conf/name` of a cache.
    @Test(arguments: [
        ("name", "./conf/name"), ("org/name", "org/name"), ("./org/name", "./conf/./org/name"),
        ("a/b/c", "./conf/a/b/c"),
        ("/org/name", "/org/name"), ("../name", "./conf/../name"),
    ])
    func aPathIsNoName(written: String, read: String) throws {
        #expect(try file("teacher: \(written)").settings.first?.values == [read])
    }

    @Test(arguments: ["bad name", "\"\"", "a=b", "é"])
    func namesOfPoliciesAreThoseThatRobotsMaySend(name: String) {
        #expect(
            problems("policies: {\(name): /a}").first?
                .contains("found this name, expected 1 to 64 letters, digits, ., _ and -") == true,
            "\(problems("policies: {\(name): /a}"))"
        )
    }
}

@Suite struct NearestKeyTests {
    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("ab", "ba", 1), ("ca", "abc", 3),
        ("window", "windwo", 1),
    ])
    func distancesAreThoseOfOptimalStringAlignment(first: String, second: String, distance: Int) {
        #expect(ConfigurationTable.distance(first, second) == distance)
        #expect(ConfigurationTable.distance(second, first) == distance)
    }

    @Test(arguments: [
        ("sampler.windwo", ["sampler.window"]), ("Policy", ["policy", "policies"]),
        ("observation", ["endpoints.observations"]), ("samplre", ["sampler"]), ("xyz", []),
    ])
    func whatIsMeantIsFound(path: String, expected: [String]) {
        #expect(testTable.suggestions(for: path) == expected)
    }
}

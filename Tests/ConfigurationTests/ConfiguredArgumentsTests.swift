import Testing

@testable import Configuration

@Suite struct ConfiguredArgumentsTests {
    private static let text = """
        policy: pusht
        robots: [arm1.yaml, arm2.yaml]
        endpoints: {observations_from: "tcp://camera:5555"}
        sampler:
          window: 8
          threads: 300
          tolerance: 0.1
        http:
          address: 0.0.0.0:9464
          token: true
        """

    private static func configured(_ arguments: String..., without: [String] = []) throws
        -> ConfiguredArguments
    {
        let given = GivenOptions(arguments) { option in
            testTable.keys(for: option).contains { $0.shape != .flag }
        }
        return ConfiguredArguments(try file(text), without: without, given: given, table: testTable)
    }

    // MARK: Which value is in force

    @Test func theFileHoldsWhereTheCommandLineIsSilent() throws {
        #expect(
            try Self.configured().arguments == [
                "--policy=conf/pusht", "--robot=conf/arm1.yaml", "--robot=conf/arm2.yaml",
                "--observations-from=tcp://camera:5555", "--window=8", "--threads=300", "--tolerance=0.1",
                "--http=0.0.0.0:9464", "--http-token",
            ]
        )
    }

    @Test func theCommandLineWins() throws {
        let arguments = try Self.configured("--window", "auto", "--robot=x.yaml", "--http-token").arguments
        #expect(!arguments.contains { $0.hasPrefix("--window") || $0.hasPrefix("--http-token") })
        #expect(!arguments.contains { $0.hasPrefix("--robot") }, "one robot takes the place of the list")
        #expect(arguments.contains("--threads=300"))
    }

    @Test func anAlternativeOnTheCommandLineTakesTheFilesPlace() throws {
        let arguments = try Self.configured("--observations", "tcp://127.0.0.1:1").arguments
        #expect(!arguments.contains { $0.hasPrefix("--observations") })
    }

    @Test func keysAndSectionsCanBeLeftOut() throws {
        let arguments = try Self.configured(without: ["http", "sampler.window"]).arguments
        #expect(!arguments.contains { $0.hasPrefix("--http") || $0.hasPrefix("--window") })
        #expect(arguments.contains("--threads=300"))
    }

    @Test func rowsSayWhereValuesComeFrom() throws {
        let rows = try Self.configured("--window", "4", "--window", "auto", "--solver=ddim").rows
        func row(_ path: String) throws -> ConfiguredArguments.Row {
            try #require(rows.first { $0.key.path == path }, "no row of \(path)")
        }
        #expect(try row("policy").values == ["conf/pusht"])
        #expect(try row("policy").origin == .file(line: 1))
        #expect(!rows.contains { $0.key.path == "policies" }, "one key of the option is set")
        #expect(try row("robots").values == ["conf/arm1.yaml", "conf/arm2.yaml"])
        #expect(try row("sampler.window").values == ["auto"], "the last one counts")
        #expect(try row("sampler.window").origin == .commandLine(insteadOf: 5))
        #expect(try row("sampler.solver").origin == .commandLine(insteadOf: nil))
        #expect(try row("http.read_only").values == ["false"])
        #expect(try row("http.read_only").origin == .standard)
        #expect(try row("endpoints.observations").values == ["tcp://a:1"])
        #expect(rows.count == testTable.keys.count - 1)
    }

    @Test func withoutAFileTheCommandLineIsAllThereIs() throws {
        let configured = ConfiguredArguments(nil, given: options("--policy", "a"), table: testTable)
        #expect(configured.arguments.isEmpty)
        #expect(configured.rows.first?.origin == .commandLine(insteadOf: nil))
        #expect(configured.explained("--threads is 300") == "--threads is 300")
    }

    @Test func optionsAreFoundOnTheCommandLine() {
        let given = options(
            "file",
            "--window",
            "auto",
            "--http-token",
            "other",
            "--threads=-5",
            "--policy",
            "--robot",
            "a",
            "--robot",
            "b",
            "--",
            "--solver",
            "ddim"
        )
        #expect(
            given.values == [
                "--window": ["auto"], "--http-token": ["true"], "--threads": ["-5"], "--policy": [""],
                "--robot": ["a", "b"],
            ]
        )
        #expect(given.others == ["file", "other", "--solver", "ddim"])
    }

    @Test func anOptionMayStandWithoutItsValue() {
        #expect(options("--warm-start").values == ["--warm-start": ["true"]])
        #expect(options("--warm-start", "--window", "2").values["--warm-start"] == ["true"])
        #expect(options("--warm-start", "partial", "--window", "2").values["--warm-start"] == ["partial"])
        #expect(options("--warm-start=partial").values["--warm-start"] == ["partial"])
        let beforeFile = options("--warm-start", "denoised.yaml")
        #expect(beforeFile.values["--warm-start"] == ["true"] && beforeFile.others == ["denoised.yaml"])
    }

    // MARK: Errors

    @Test(arguments: [
        (
            "--threads is 300, expected 1...256",
            "conf/denoised.yaml:6: sampler.threads is 300, expected 1...256"
        ),
        (
            "--http-read-only is for the live page, expected --http with it",
            "conf/denoised.yaml:9: http.read_only is for the live page, expected http.address with it"
        ),
        (
            "The value 'tcp://camera:5555' is invalid for '--observations-from <endpoint>': expected tcp://HOST:PORT",
            "conf/denoised.yaml:3: endpoints.observations_from: found \"tcp://camera:5555\", expected tcp://HOST:PORT"
        ),
        (
            "The value '8' is invalid for '--window <w>'. Please provide one of 'a' or 'b'.",
            "conf/denoised.yaml:5: sampler.window: found \"8\", expected a whole number or auto that can be used"
        ),
        (
            "conf/arm2.yaml: actions: found 3, expected 2",
            "conf/denoised.yaml:2: robots: conf/arm2.yaml: actions: found 3, expected 2"
        ),
        (
            "0.0.0.0:9464 is open to other machines, expected --http-token",
            "conf/denoised.yaml:9: http.address: 0.0.0.0:9464 is open to other machines, expected http.token"
        ),
        ("the disk is full", "the disk is full"),
        ("--curve-key is not in this table", "--curve-key is not in this table"),
    ])
    func errorsNameFileLineAndKey(message: String, expected: String) throws {
        #expect(try Self.configured().explained(message) == expected)
    }

    @Test func whatTheCommandLineSaysKeepsItsName() throws {
        let configured = try Self.configured("--threads", "0", "--http", "1")
        #expect(
            configured.explained("--threads is 0, expected 1...256") == "--threads is 0, expected 1...256"
        )
        #expect(
            configured.explained("--http and --http-token exclude each other")
                == "conf/denoised.yaml:10: --http and http.token exclude each other"
        )
    }

    @Test func aMissingKeyIsMissingInTheFile() throws {
        let configured = ConfiguredArguments(try file("robots: []"), given: options(), table: testTable)
        #expect(
            configured.explained("Missing expected argument '--policy <dir>'")
                == "conf/denoised.yaml: policy: the key is missing, expected it or --policy on the command line"
        )
    }

    @Test func aKeyIsNamedAsTheFileHasIt() throws {
        let configured = ConfiguredArguments(
            try file("policies: {pick: a}"),
            given: options(),
            table: testTable
        )
        #expect(
            configured.explained("--policy pick is no policy")
                == "conf/denoised.yaml:1: policies pick is no policy"
        )
        #expect(
            configured.explained("conf/a: no such folder")
                == "conf/denoised.yaml:1: policies: conf/a: no such folder"
        )
    }

    /// Stands in for the parser: says the first thing that is wrong.
    private static func refusal(_ arguments: [String]) -> String? {
        if !arguments.contains(where: { $0.hasPrefix("--policy=") }) {
            return "Missing expected argument '--policy <dir>'"
        }
        if arguments.contains("--threads=300") { return "--threads is 300, expected 1...256" }
        if arguments.contains("--tolerance=0.1") { return "--tolerance is 0.1, expected less" }
        if !arguments.contains(where: { $0.hasPrefix("--threads") }) { return "--threads is needed" }
        return nil
    }

    @Test func severalValuesAreFoundWrongInOneGo() throws {
        #expect(
            try Self.configured().problems(Self.refusal) == [
                "conf/denoised.yaml:6: sampler.threads is 300, expected 1...256",
                "conf/denoised.yaml:7: sampler.tolerance is 0.1, expected less",
            ]
        )
        #expect(try Self.configured().problems { _ in nil } == [])
        // What does not go away is told once.
        #expect(try Self.configured().problems { _ in "--window and --threads clash" }.count == 1)
        #expect(try Self.configured().problems { _ in "the disk is full" } == ["the disk is full"])
    }
}

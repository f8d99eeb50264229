import Foundation
import Testing
import TestRandom

@testable import Limits
@testable import RobotDescription

@Suite struct RobotFileTests {
    static let good = """
        robot: arm1
        control_hz: 10
        command_hz: 50
        interpolation: cubic
        clock: wall
        strategy: blend
        actions:
          - {name: x, position: [-1, 1.5], velocity: 2, acceleration: 3e1}
          - name: y
          - {name: v, kind: velocity, velocity: 0.5}
        workspace:
          axes: [y, x]
          minimum: [0, -0.5]
          maximum: [1, 0.5]
        on_violation: stop
        feedback:
          feature: observation.state
          indices: [4, 0, 2]
        watchdogs:
          observation_ms: 250
          stop_after_ms: never
        """

    static func error(_ text: String) -> RobotFileError? {
        do throws(RobotFileError) {
            _ = try RobotFile(text)
            return nil
        } catch {
            return error
        }
    }

    @Test func aByteOrderMarkIsReadOver() throws {
        for text in [Self.good, "%YAML 1.2\n---\n" + Self.good] {
            #expect(try RobotFile("\u{FEFF}" + text).limits == RobotFile(text).limits)
        }
    }

    @Test func everyFieldIsRead() throws {
        let file = try RobotFile(Self.good)
        #expect(file.robot == "arm1")
        #expect((file.controlHz, file.commandHz) == (10, 50))
        #expect((file.interpolation, file.clock, file.strategy) == (.cubic, .wall, "blend"))
        #expect(
            file.limits
                == ActionLimits(
                    dimensions: [
                        .init(name: "x", position: -1...1.5, velocity: 2, acceleration: 30),
                        .init(name: "y"),
                        .init(name: "v", kind: .velocity, velocity: 0.5),
                    ],
                    workspace: Workspace(tool: .coordinates([1, 0]), box: [0...1, -0.5...0.5]),
                    onViolation: .stop
                )
        )
        #expect(file.feedback?.feature == "observation.state")
        #expect(file.feedback?.indices == [4, 0, 2])
        #expect(file.watchdogs.observationNs == 250_000_000)
        #expect(file.watchdogs.stopAfterNs == nil)
    }

    @Test func whatIsLeftOutHasADefault() throws {
        let file = try RobotFile("control_hz: 20\nactions: [{name: a}]")
        #expect(file.robot == nil)
        #expect(try RobotFile("robot: /ns/arm_1\ncontrol_hz: 20\nactions: [{name: a}]").robot == "/ns/arm_1")
        #expect(file.commandHz == 20)
        #expect((file.interpolation, file.clock, file.strategy) == (.linear, .own, nil))
        #expect(file.limits == ActionLimits(dimensions: [.init(name: "a")]))
        #expect(file.feedback == nil)
        #expect(file.watchdogs.observationNs == 500_000_000)
        #expect(file.watchdogs.stopAfterNs == 5_000_000_000)
    }

    @Test func limitsOfMotionAreRead() throws {
        let file = try RobotFile(
            """
            control_hz: 10
            actions: [{name: a, acceleration: 2, deceleration: 3, jerk: 40}, {name: b}]
            feedback: {feature: observation.state, following_error: [0.5, 7]}
            """
        )
        #expect(
            file.limits.dimensions
                == [.init(name: "a", acceleration: 2, deceleration: 3, jerk: 40), .init(name: "b")]
        )
        #expect(file.feedback?.followingError == [0.5, 7])
        let one = try RobotFile(
            "control_hz: 10\nactions: [{name: a}, {name: b}]\nfeedback: {feature: s, following_error: 2}"
        )
        #expect(one.feedback?.followingError == [2, 2])
    }

    /// A robot may lose one observation and is still fresh.
    @Test(arguments: [(0.1, 25_000), (1, 2500), (2, 1250), (5, 500), (50, 500)])
    func freshnessFollowsTheControlRate(controlHz: Double, milliseconds: UInt64) throws {
        for watchdogs in ["", "watchdogs: {stop_after_ms: never}"] {
            let file = try RobotFile("control_hz: \(controlHz)\nactions: [{name: a}]\n\(watchdogs)")
            #expect(file.watchdogs.observationNs == milliseconds * 1_000_000)
        }
    }

    @Test func jointsAreRead() throws {
        let file = try RobotFile(
            """
            control_hz: 10
            actions: [{name: a}, {name: b}, {name: gripper}]
            workspace:
              joints: [{d: 0.1, a: 0.2, alpha: -1.5, offset: 3}, {}]
              minimum: [-1, -1, 0]
              maximum: [1, 1, 1]
            feedback: {feature: observation.state}
            """
        )
        let links = [Workspace.Link(d: 0.1, a: 0.2, alpha: -1.5, offset: 3), .init(d: 0, a: 0, alpha: 0)]
        #expect(file.limits.workspace == Workspace(tool: .joints(links), box: [-1...1, -1...1, 0...1]))
        #expect(file.feedback?.indices == [0, 1, 2])
    }

    @Test func namesForTheGr00tEndpointAreRead() throws {
        let file = try RobotFile(
            """
            control_hz: 10
            actions: [{name: a}, {name: b}]
            gr00t:
              observations: {observation.state: [state.arm, hand]}
              cameras: {observation.images.front: video.ego_view, observation.image: top}
              actions: {hand: [b], arm: [a]}
              lookback: repeated
              version: N1.5
            """
        )
        var names = RobotFile.Gr00tNames()
        names.observations = ["observation.state": ["state.arm", "hand"]]
        names.cameras = ["observation.images.front": "video.ego_view", "observation.image": "top"]
        names.actions = [.init(key: "hand", dimensions: [1]), .init(key: "arm", dimensions: [0])]
        names.lookback = "repeated"
        names.version = "N1.5"
        #expect(file.gr00t == names)
        #expect(try RobotFile("control_hz: 10\nactions: [{name: a}]\ngr00t: {}").gr00t == .init())
        let error = Self.error("control_hz: 10\nactions: [{name: a}]\ngr00t: {versions: N1.5}")
        #expect(error?.field?.hasPrefix("gr00t") == true)
    }

    @Test func namesForTheOpenPIEndpointAreRead() throws {
        let file = try RobotFile(
            """
            control_hz: 10
            actions: [{name: a}, {name: b}]
            openpi:
              observations: {observation.state: [observation/joint_position, observation/gripper_position]}
              cameras: {observation.images.front: observation/exterior_image_1_left}
              actions: {actions: [b, a]}
              lookback: repeated
              reset: is_first
            """
        )
        var names = RobotFile.OpenPINames()
        names.observations = [
            "observation.state": ["observation/joint_position", "observation/gripper_position"]
        ]
        names.cameras = ["observation.images.front": "observation/exterior_image_1_left"]
        names.actions = [.init(key: "actions", dimensions: [1, 0])]
        names.lookback = "repeated"
        names.reset = "is_first"
        #expect(file.openpi == names)
        #expect(file.gr00t == nil)
        #expect(try RobotFile("control_hz: 10\nactions: [{name: a}]\nopenpi: {}").openpi == .init())
        for (text, field) in [
            ("{version: N1.5}", "openpi.version"), ("{actions: {x: [c]}}", "openpi.actions.x"),
            ("{reset: [a]}", "openpi.reset"), ("{observations: {s: 1}}", "openpi.observations.s"),
        ] {
            let error = Self.error("control_hz: 10\nactions: [{name: a}]\nopenpi: \(text)")
            #expect(error?.field == field, "\(text)")
        }
    }

    @Test(arguments: [
        ("[front]", "gr00t.cameras", "a mapping of names to texts"), ("front", "gr00t.cameras", "a mapping"),
        ("{a: [front]}", "gr00t.cameras.a", "text"), ("{a: {b: c}}", "gr00t.cameras.a", "text"),
        ("{a: }", "gr00t.cameras.a", "text"),
    ])
    func keysOfCamerasAreChecked(cameras: String, field: String, expected: String) {
        let error = Self.error("control_hz: 10\nactions: [{name: a}]\ngr00t: {cameras: \(cameras)}")
        #expect(error?.field == field)
        #expect(error?.message.contains(expected) == true, "\(error?.message ?? "no error")")
    }

    @Test(arguments: ["pusht.yaml", "arm6.yaml"])
    func exampleIsRead(name: String) throws {
        let file = try RobotFile(contentsOf: Self.examples.appendingPathComponent(name))
        #expect(file.limits.dimensions.count == (name == "pusht.yaml" ? 2 : 6))
        #expect(file.limits.workspace != nil && file.feedback != nil)
    }

    static let examples = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("examples/robots")

    /// A text to put in the place of another one in the good file, and the error: its field, and words of its message.
    static let wrong: [(from: String, to: String, field: String?, words: [String])] = [
        ("robot: arm1", "robot: arm 1", "robot", ["arm 1", "64 ASCII"]),
        ("robot: arm1", "robot: ärm", "robot", ["64 ASCII"]),
        ("robot: arm1", "robot: \"\"", "robot", ["64 ASCII"]),
        ("robot: arm1", "robot: [arm1]", "robot", ["a list of 1", "text"]),
        ("robot: arm1", "robot:", "robot", ["no value"]),
        ("robot: arm1", "robot: ~", "robot", ["no value"]),
        ("control_hz: 10", "control_hertz: 10", "control_hertz", ["unknown field", "control_hz"]),
        ("control_hz: 10\n", "", "control_hz", ["missing"]),
        ("control_hz: 10", "control_hz: ten", "control_hz", ["ten", "0.1 to 1000"]),
        ("control_hz: 10", "control_hz: 0", "control_hz", ["\"0\"", "0.1 to 1000"]),
        ("control_hz: 10", "control_hz: -10", "control_hz", ["-10"]),
        ("control_hz: 10", "control_hz: 1e-9", "control_hz", ["1e-9"]),
        ("control_hz: 10", "control_hz: .nan", "control_hz", [".nan"]),
        ("control_hz: 10", "control_hz: .inf", "control_hz", [".inf"]),
        ("control_hz: 10", "control_hz: 1e999", "control_hz", ["1e999"]),
        ("control_hz: 10", "control_hz: 1001", "control_hz", ["1001"]),
        ("control_hz: 10", "control_hz: {hz: 10}", "control_hz", ["a mapping of 1"]),
        ("control_hz: 10", "control_hz: 10\ncontrol_hz: 10", nil, ["control_hz"]),
        ("command_hz: 50", "command_hz: 9.99", "command_hz", ["9.99", "at least control_hz, 10"]),
        ("command_hz: 50", "command_hz: 5", "command_hz", ["5", "at least"]),
        ("command_hz: 50", "command_hz: 2000", "command_hz", ["2000"]),
        ("interpolation: cubic", "interpolation: Cubic", "interpolation", ["Cubic", "hold, linear, cubic"]),
        ("interpolation: cubic", "interpolation: [cubic]", "interpolation", ["a list of 1"]),
        ("clock: wall", "clock: utc", "clock", ["utc", "own, monotonic, wall"]),
        ("strategy: blend", "strategy: {a: b}", "strategy", ["a mapping of 1", "text"]),
        ("on_violation: stop", "on_violation: halt", "on_violation", ["halt", "clamp, stop"]),
        ("on_violation: stop", "on_violation:", "on_violation", ["no value"]),
        ("velocity: 2,", "velocity: 0,", "actions[0].velocity", ["\"0\""]),
        ("velocity: 2,", "velocity: 1e-60,", "actions[0].velocity", ["1e-60"]),
        ("velocity: 2,", "velocity: ,", "actions[0].velocity", ["no value"]),
        ("velocity: 2,", "velocity: .nan,", "actions[0].velocity", [".nan"]),
        ("velocity: 2,", "velocity: .inf,", "actions[0].velocity", [".inf"]),
        ("velocity: 2,", "velocty: 2,", "actions[0].velocty", ["unknown field", "velocity"]),
        ("acceleration: 3e1", "acceleration: -3", "actions[0].acceleration", ["-3"]),
        ("acceleration: 3e1", "acceleration: null", "actions[0].acceleration", ["no value"]),
        ("[-1, 1.5]", "[1.5, -1]", "actions[0].position", ["[1.5, -1.0]", "lower bound first"]),
        ("[-1, 1.5]", "[1, 1]", "actions[0].position", ["lower bound first"]),
        ("[-1, 1.5]", "[1]", "actions[0].position", ["a list of 1", "a list of 2"]),
        ("[-1, 1.5]", "[-1, .inf]", "actions[0].position[1]", [".inf", "finite"]),
        ("[-1, 1.5]", "[.nan, 1]", "actions[0].position[0]", [".nan"]),
        ("[-1, 1.5]", "[-1e39, 1]", "actions[0].position[0]", ["-1e39"]),
        ("[-1, 1.5]", "5", "actions[0].position", ["\"5\"", "a list of 2"]),
        ("- name: y", "- name: x", "actions[1].name", ["\"x\" twice"]),
        ("- name: y", "- position: [0, 1]", "actions[1].name", ["missing"]),
        ("- name: y", "- y", "actions[1]", ["\"y\"", "a mapping of name"]),
        ("kind: velocity, velocity: 0.5", "kind: speed", "actions[2].kind", ["speed", "position, velocity"]),
        ("velocity: 0.5", "position: [0, 1]", "actions[2].position", ["kind velocity"]),
        ("axes: [y, x]", "axes: [y, z]", "workspace.axes[1]", ["\"z\"", "kind position"]),
        ("axes: [y, x]", "axes: [y, v]", "workspace.axes[1]", ["\"v\""]),
        ("axes: [y, x]", "axes: []", "workspace.axes", ["a list of 0"]),
        ("  axes: [y, x]\n", "", "workspace", ["axes or joints"]),
        ("axes: [y, x]", "joints: [{}, {}, {}]", "workspace.joints[2]", ["action v of kind velocity"]),
        ("axes: [y, x]", "joints: [{}, {}, {}, {}]", "workspace.joints", ["4", "3 actions"]),
        ("axes: [y, x]", "joints: [{theta: 1}]", "workspace.joints[0].theta", ["unknown field"]),
        ("axes: [y, x]", "joints: [{d: .inf}]", "workspace.joints[0].d", [".inf"]),
        ("axes: [y, x]", "joints: [{}]", "workspace.minimum", ["a list of 2", "a list of 3"]),
        ("minimum: [0, -0.5]", "minimum: [0]", "workspace.minimum", ["a list of 1", "a list of 2"]),
        ("minimum: [0, -0.5]", "minimum: [2, -0.5]", "workspace.maximum[0]", ["1.0", "2.0"]),
        ("  maximum: [1, 0.5]\n", "", "workspace", ["minimum and maximum"]),
        ("feature: observation.state", "feature: []", "feedback.feature", ["a list of 0", "text"]),
        ("  feature: observation.state\n", "", "feedback.feature", ["missing"]),
        ("[4, 0, 2]", "[4, 0]", "feedback.indices", ["a list of 2", "a list of 3"]),
        ("[4, 0, 2]", "[4, 0, -1]", "feedback.indices[2]", ["-1", "index"]),
        ("[4, 0, 2]", "[4, 0.5, 1]", "feedback.indices[1]", ["0.5", "index"]),
        ("[4, 0, 2]", "[4, 1e20, 1]", "feedback.indices[1]", ["index"]),
        ("acceleration: 3e1", "deceleration: 0", "actions[0].deceleration", ["\"0\""]),
        ("acceleration: 3e1", "jerk: -1", "actions[0].jerk", ["-1"]),
        ("[4, 0, 2]", "[4, 0, 2]\n  following_error: 0", "feedback.following_error", ["\"0\""]),
        (
            "[4, 0, 2]", "[4, 0, 2]\n  following_error: [1, 2]", "feedback.following_error",
            ["a list of 2", "of 3"]
        ),
        ("[4, 0, 2]", "[4, 0, 2]\n  following_error: [1, 2, x]", "feedback.following_error[2]", ["\"x\""]),
        ("[4, 0, 2]", "[4, 0, 2]\n  following_error: {x: 1}", "feedback.following_error", ["a mapping of 1"]),
        (
            "observation_ms: 250", "observation_ms: 100", "watchdogs.observation_ms",
            ["100.0", "more than a control step"]
        ),
        ("observation_ms: 250", "observation_ms: never", "watchdogs.observation_ms", ["never"]),
        ("observation_ms: 250", "observation_ms: 0", "watchdogs.observation_ms", ["\"0\""]),
        ("observation_ms: 250", "observation_ms: 1e10", "watchdogs.observation_ms", ["1e10"]),
        ("stop_after_ms: never", "stop_after_ms: soon", "watchdogs.stop_after_ms", ["soon"]),
        ("stop_after_ms: never", "stop_after_ms:", "watchdogs.stop_after_ms", ["no value"]),
        ("stop_after_ms: never", "stop_after_ms: [1]", "watchdogs.stop_after_ms", ["a list of 1"]),
        ("strategy: blend", "strategy: *x", nil, ["anchors and aliases"]),
        ("strategy: blend", "strategy: &x blend", nil, ["anchors and aliases"]),
        ("strategy: blend", "? [a]\n: b", "a list of 1", ["unknown field"]),
        ("  axes", "\taxes", nil, ["not YAML"]),
        ("robot: arm1", "robot: arm1\n---\nrobot: arm2", nil, ["not YAML"]),
    ]

    @Test(arguments: wrong.indices)
    func wrongFieldIsNamed(index: Int) throws {
        let (from, to, field, words) = Self.wrong[index]
        let text = Self.good.replacing(from, with: to, maxReplacements: 1)
        try #require(text != Self.good, "\(from) is not in the good file")
        let error = try #require(Self.error(text), "\(to) was accepted")
        #expect(error.field == field, "\(error)")
        for word in words { #expect(error.description.contains(word), "\(error)") }
        #expect(!error.description.contains("\n"))
        #expect(error.description.utf8.count < 500)
    }

    @Test(arguments: [
        "", "   \n", "# only a comment\n", "---\n", "arm1", "[1, 2]", "null", "\u{0}", "{", "]", "a: [", ":",
    ])
    func whatIsNoMappingIsTurnedAway(text: String) {
        #expect(Self.error(text) != nil)
    }

    @Test func commentsMayHoldAnything() throws {
        let file = try RobotFile(
            "control_hz: 10 # steps * a second & [[[[[[[[[[[[[[[[[[[[[[[[\nactions: [{name: a*b}]"
        )
        #expect(file.limits.dimensions[0].name == "a*b")
    }

    @Test(arguments: [
        String(repeating: "[", count: 60_000), String(repeating: "{a: ", count: 15_000),
        String(repeating: "- ", count: 30_000), String(repeating: "? ", count: 30_000),
        String(repeating: "a:\n", count: 20_000),
        (0..<300).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        String(repeating: "\"", count: 60_000), String(repeating: "!", count: 60_000),
        String(repeating: "a", count: 60_000), String(repeating: "[a, ", count: 16) + "b",
    ])
    func deepOrLongTextIsTurnedAway(text: String) throws {
        let error = try #require(Self.error(text))
        #expect(error.description.utf8.count < 500)
    }

    /// Ten aliases of ten aliases of ten..., also as keys, which are compared.
    @Test(arguments: ["x: [*a8, *a8]", "? *a8\n: x"])
    func aliasesDoNotMultiply(end: String) throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...8 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(Self.error(text + end) != nil)
    }

    @Test func tooManyDimensionsAreTurnedAway() throws {
        let actions = (0...64).map { "{name: a\($0)}" }.joined(separator: ", ")
        let error = try #require(Self.error("control_hz: 10\nactions: [\(actions)]"))
        #expect(error.field == "actions")
        #expect(error.message.contains("a list of 65"))
    }

    @Test func controlCharactersDoNotReachTheMessage() throws {
        let error = try #require(Self.error("control_hz: \"\\u001b[31m\\n\"\nactions: [{name: a}]"))
        #expect(error.field == "control_hz")
        #expect(!error.description.unicodeScalars.contains { $0.properties.generalCategory == .control })
    }

    @Test func filesAreBounded() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "robot-\(UUID().uuidString)"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func error(_ name: String, _ data: Data?) throws -> RobotFileError? {
            let url = folder.appendingPathComponent(name)
            try data?.write(to: url)
            do throws(RobotFileError) {
                _ = try RobotFile(contentsOf: url)
                return nil
            } catch {
                return error
            }
        }
        #expect(try error("good.yaml", Data(Self.good.utf8)) == nil)
        let padding = Data(repeating: UInt8(ascii: "#"), count: 10 << 20)
        #expect(
            try error("long.yaml", Data(Self.good.utf8) + padding)?.message.contains("65536 bytes") == true
        )
        #expect(try error("binary.yaml", Data((0...255).map(UInt8.init)))?.message == "not UTF-8 text")
        #expect(try error("empty.yaml", Data())?.message == "the file is empty")
        #expect(try error("missing.yaml", nil)?.message == "No such file or directory")
        let folderError = #expect(throws: RobotFileError.self) { try RobotFile(contentsOf: folder) }
        #expect(folderError?.message == "a folder, expected a regular file")
        // Nobody ever writes to this pipe.
        let pipe = folder.appending(path: "pipe.yaml")
        mkfifo(pipe.path(percentEncoded: false), 0o600)
        let pipeError = #expect(throws: RobotFileError.self) { try RobotFile(contentsOf: pipe) }
        #expect(pipeError?.message == "a named pipe, expected a regular file")
    }

    /// Bytes of the good file changed at random: every outcome but a crash will do.
    @Test(arguments: 0..<8)
    func mutatedFileDoesNotCrash(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let interesting = Array("\t\n :-[]{}#&*!|>'\"%@`0.e".utf8)
        var accepted = 0
        for _ in 0..<40 {
            var bytes = Array(Self.good.utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[position] = interesting.randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: position)
                default: bytes.insert(interesting.randomElement(using: &random) ?? 0, at: position)
                }
            }
            if Self.error(String(decoding: bytes, as: UTF8.self)) == nil { accepted += 1 }
        }
        #expect(accepted < 40)
    }
}

import Foundation
import Limits
import StrictYAML

/// What the daemon knows of a robot besides its policy: its limits, its rates, and what to do when something fails. Read
/// from a YAML file that docs/ROBOTS.md describes.
public struct RobotFile: Sendable, Hashable {
    /// How commands follow from a chunk's actions.
    public enum Interpolation: String, Sendable, Hashable, CaseIterable {
        /// Each action until the next one.
        case hold
        /// On a straight line from each action to the next.
        case linear
        /// On a smooth curve through the actions that does not swing beyond its neighbours.
        case cubic
    }

    /// What the robot's time stamps can be compared with.
    public enum RobotClock: String, Sendable, Hashable, CaseIterable {
        /// Nothing: the clock runs at the right speed, from an unknown start.
        case own
        /// The monotonic clock of the machine that the daemon runs on.
        case monotonic
        /// The wall clock, kept right on both machines.
        case wall
    }

    /// When something has failed, and how long a robot holds until it is stopped. In nanoseconds.
    public struct Watchdogs: Sendable, Hashable {
        /// Without a fresh observation for so long, the robot holds.
        public var observationNs: UInt64 = 500_000_000
        /// A robot that has been holding for so long is stopped; nil: it holds until there is a chunk again.
        public var stopAfterNs: UInt64? = 5_000_000_000
    }

    /// Where the robot tells its place: the elements of an observation's feature that stand for the dimensions of an action.
    public struct Feedback: Sendable, Hashable {
        /// The LeRobot name of the feature.
        public var feature: String
        /// For each dimension of an action, the index of its element.
        public var indices: [Int]
        /// For each dimension, how far the robot may be from where it was told to be, in its units, above 0; nil: not checked.
        public var followingError: [Float]?
    }

    /// How the names of a client that speaks the protocol of a GR00T policy server relate to the policy's.
    public struct Gr00tNames: Sendable, Hashable {
        /// For each feature of the policy the keys whose arrays, one after the other, are its numbers; nil: each of its own
        /// name.
        public var observations: [String: [String]]?
        /// For each camera of the policy the key of its frames; nil: `video.` and its own name.
        public var cameras: [String: String]?
        /// The keys of an answer, each with the dimensions of the action that it holds; nil: all under `action`.
        public var actions: [ActionPart]?
        /// What is done with a request of too few time steps: a name that the daemon knows.
        public var lookback: String?
        /// The version of the clients: a name that the daemon knows.
        public var version: String?
    }

    /// How the names of a client that speaks the protocol of an openpi policy server relate to the policy's.
    public struct OpenPINames: Sendable, Hashable {
        /// For each feature of the policy the keys whose arrays, one after the other, are its numbers; nil: each of its own
        /// name.
        public var observations: [String: [String]]?
        /// For each camera of the policy the key of its frames; nil: each of its own name.
        public var cameras: [String: String]?
        /// The keys of an answer, each with the dimensions of the action that it holds; nil: all under `actions`.
        public var actions: [ActionPart]?
        /// What is done with an observation of too few time steps: a name that the daemon knows.
        public var lookback: String?
        /// The key whose value tells, when it is true, that a new episode begins; nil: there is none.
        public var reset: String?
    }

    /// A key of an answer to a client of another policy server.
    public struct ActionPart: Sendable, Hashable {
        /// The key.
        public var key: String
        /// The dimensions of the action, by index.
        public var dimensions: [Int]
    }

    /// The id of the robot that the file is for; nil: every robot without a file of its own.
    public var robot: String?
    /// Control steps a second, as the policy was trained.
    public var controlHz: Double
    /// Commands a second, at least `controlHz`.
    public var commandHz: Double
    /// How commands follow from actions.
    public var interpolation: Interpolation
    /// What the time stamps of observations can be compared with.
    public var clock: RobotClock
    /// How one chunk follows another: a name that the daemon knows.
    public var strategy: String?
    /// What the robot may be told to do.
    public var limits: ActionLimits
    /// Where the robot tells its place; nil if it does not.
    public var feedback: Feedback?
    /// When something has failed.
    public var watchdogs: Watchdogs
    /// Names for the GR00T endpoint.
    public var gr00t: Gr00tNames?
    /// Names for the openpi endpoint.
    public var openpi: OpenPINames?

    /// The longest file that is read, in bytes.
    public static let longestFile = StrictYAML.longestFile
    private static let mostDimensions = 64
    private static let fields = [
        "robot", "control_hz", "command_hz", "interpolation", "clock", "strategy", "actions", "workspace",
        "on_violation", "feedback", "watchdogs", "gr00t", "openpi",
    ]

    /// Reads and checks a file.
    /// - Throws: ``RobotFileError`` that names the field, the value found and what was expected.
    public init(contentsOf url: URL) throws(RobotFileError) {
        let text: String
        do throws(YAMLRefusal) {
            text = try StrictYAML.text(ofFile: url.path(percentEncoded: false))
        } catch {
            throw RobotFileError(error)
        }
        try self.init(text)
    }

    /// Reads and checks a file's text.
    /// - Throws: ``RobotFileError`` that names the field, the value found and what was expected.
    public init(_ text: String) throws(RobotFileError) {
        let node: YAMLValue?
        do throws(YAMLRefusal) {
            node = try StrictYAML.value(of: text)
        } catch {
            throw RobotFileError(error)
        }
        guard let top = node else { throw RobotFileError(nil, "the file is empty") }
        let reader = YAMLReader(top, of: RobotFileText())
        try reader.checkNames(Self.fields)

        let id = try reader.optional("robot")
        robot = try id?.string()
        if let id, let robot, !Self.isID(robot) {
            throw id.error(.outOfRange, expected: "1 to 64 ASCII letters, digits, _ - . : or /")
        }
        let controlHz = try reader.required("control_hz").number(in: .between(0.1, 1000))
        self.controlHz = controlHz
        commandHz = try reader.optional("command_hz")?.number(in: .between(0.1, 1000)) ?? controlHz
        try Self.checkRates(controlHz: controlHz, commandHz: commandHz)
        interpolation = try reader.optional("interpolation")?.choice(Interpolation.self) ?? .linear
        clock = try reader.optional("clock")?.choice(RobotClock.self) ?? .own
        strategy = try reader.optional("strategy")?.string()

        var dimensions: [ActionLimits.Dimension] = []
        for action in try reader.required("actions").elements(1...Self.mostDimensions) {
            let dimension = try ActionLimits.Dimension(action)
            guard !dimensions.contains(where: { $0.name == dimension.name }) else {
                throw RobotFileError(
                    action.path(of: "name"),
                    "found \"\(dimension.name)\" twice, expected it once"
                )
            }
            dimensions.append(dimension)
        }
        limits = ActionLimits(
            dimensions: dimensions,
            workspace: try (try reader.optional("workspace")).map { (workspace) throws(RobotFileError) in
                try Workspace(workspace, dimensions: dimensions)
            },
            onViolation: try reader.optional("on_violation")?.choice(ActionLimits.Reaction.self) ?? .clamp
        )
        feedback = try (try reader.optional("feedback")).map { (feedback) throws(RobotFileError) in
            try Feedback(feedback, dimensionCount: dimensions.count)
        }
        watchdogs =
            try (try reader.optional("watchdogs")).map { (watchdogs) throws(RobotFileError) in
                try Watchdogs(watchdogs, controlHz: controlHz)
            } ?? Watchdogs(controlHz: controlHz)
        gr00t = try (try reader.optional("gr00t")).map { (names) throws(RobotFileError) in
            try Gr00tNames(names, dimensions: dimensions)
        }
        openpi = try (try reader.optional("openpi")).map { (names) throws(RobotFileError) in
            try OpenPINames(names, dimensions: dimensions)
        }
    }

    /// Whether a text can be a robot's id, by the rule of docs/PROTOCOL.md. A file for an id that no robot can have would
    /// limit nothing.
    private static func isID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy {
                $0.isASCII
                    && ($0.properties.isAlphabetic || ("0"..."9").contains($0)
                        || "_-.:/".unicodeScalars.contains($0))
            }
    }

    /// Checks that every control step has a command.
    /// - Throws: ``RobotFileError`` if `commandHz` is below `controlHz`.
    public static func checkRates(controlHz: Double, commandHz: Double) throws(RobotFileError) {
        guard commandHz >= controlHz else {
            throw RobotFileError(
                "command_hz",
                "found \(commandHz), expected at least control_hz, \(controlHz)"
            )
        }
    }
}

extension ActionLimits.Dimension {
    fileprivate init(_ reader: YAMLReader) throws(RobotFileError) {
        try reader.checkNames([
            "name", "kind", "position", "velocity", "acceleration", "deceleration", "jerk",
        ])
        let name = try reader.required("name").string()
        let kind = try reader.optional("kind")?.choice(ActionLimits.Kind.self) ?? .position
        let position = try reader.optional("position")?.range()
        if kind == .velocity, position != nil {
            throw RobotFileError(
                reader.path(of: "position"),
                "found a range, expected none for kind velocity: the daemon does not know the place"
            )
        }
        self.init(
            name: name,
            kind: kind,
            position: position.map { Float($0.lowerBound)...Float($0.upperBound) },
            velocity: try reader.optional("velocity")?.float(upTo: 1e9),
            acceleration: try reader.optional("acceleration")?.float(upTo: 1e9),
            deceleration: try reader.optional("deceleration")?.float(upTo: 1e9),
            jerk: try reader.optional("jerk")?.float(upTo: 1e12)
        )
    }
}

extension YAMLReader {
    /// A limit that is greater than 0.
    fileprivate func float(upTo most: Double) throws(RobotFileError) -> Float {
        Float(try number(in: .between(1e-6, most)))
    }
}

extension Workspace {
    fileprivate init(
        _ reader: YAMLReader,
        dimensions: [ActionLimits.Dimension]
    ) throws(RobotFileError) {
        try reader.checkNames(["axes", "joints", "minimum", "maximum"])
        let tool: Tool
        let coordinates: Int
        let axes = try reader.optional("axes")?.elements(1...3)
        let joints = try reader.optional("joints")?.elements(1...16)
        switch (axes, joints) {
        case (let axes?, nil):
            var indices: [Int] = []
            for axis in axes {
                guard let name = axis.node.text,
                    let index = dimensions.firstIndex(where: { $0.name == name && $0.kind == .position })
                else {
                    throw axis.error(.outOfRange, expected: "the name of an action of kind position")
                }
                indices.append(index)
            }
            (tool, coordinates) = (.coordinates(indices), indices.count)
        case (nil, let joints?):
            guard joints.count <= dimensions.count else {
                throw RobotFileError(
                    reader.path(of: "joints"),
                    "found \(joints.count), expected at most the \(dimensions.count) actions"
                )
            }
            if let index = dimensions.prefix(joints.count).firstIndex(where: { $0.kind != .position }) {
                throw RobotFileError(
                    reader.path(of: "joints[\(index)]"),
                    "found action \(dimensions[index].name) of kind \(dimensions[index].kind.rawValue), expected kind position"
                )
            }
            var links: [Link] = []
            for joint in joints { links.append(try Link(joint)) }
            (tool, coordinates) = (.joints(links), 3)
        default:
            throw RobotFileError(reader.path, "expected either axes or joints")
        }
        guard let minimum = try reader.optional("minimum")?.numbers(coordinates...coordinates),
            let maximum = try reader.optional("maximum")?.numbers(coordinates...coordinates)
        else { throw RobotFileError(reader.path, "expected minimum and maximum") }
        var box: [ClosedRange<Double>] = []
        for (index, (low, high)) in zip(minimum, maximum).enumerated() {
            guard low < high else {
                throw RobotFileError(
                    reader.path(of: "maximum[\(index)]"),
                    "found \(high), expected more than the minimum, \(low)"
                )
            }
            box.append(low...high)
        }
        self.init(tool: tool, box: box)
    }
}

extension Workspace.Link {
    fileprivate init(_ reader: YAMLReader) throws(RobotFileError) {
        try reader.checkNames(["d", "a", "alpha", "offset"])
        self.init(
            d: try reader.optional("d")?.number(in: .finite) ?? 0,
            a: try reader.optional("a")?.number(in: .finite) ?? 0,
            alpha: try reader.optional("alpha")?.number(in: .finite) ?? 0,
            offset: try reader.optional("offset")?.number(in: .finite) ?? 0
        )
    }
}

extension RobotFile.Feedback {
    fileprivate init(_ reader: YAMLReader, dimensionCount: Int) throws(RobotFileError) {
        try reader.checkNames(["feature", "indices", "following_error"])
        feature = try reader.required("feature").string()
        let numbers = try reader.optional("indices")?.numbers(dimensionCount...dimensionCount)
        var indices: [Int] = []
        for (position, number) in (numbers ?? (0..<dimensionCount).map(Double.init)).enumerated() {
            guard let index = Int(exactly: number), (0..<65_536).contains(index) else {
                throw RobotFileError(
                    reader.path(of: "indices[\(position)]"),
                    "found \(number), expected an index"
                )
            }
            indices.append(index)
        }
        self.indices = indices
        let followingError = try reader.optional("following_error")?
            .numberOrNumbers(count: dimensionCount, in: .between(1e-9, 1e9))
        self.followingError = followingError?.map(Float.init)
    }
}

extension RobotFile.Watchdogs {
    /// What holds unless a file says otherwise. A robot may lose one observation and be fresh.
    fileprivate init(controlHz: Double) {
        observationNs = max(observationNs, UInt64(2.5e9 / controlHz))
    }

    fileprivate init(_ reader: YAMLReader, controlHz: Double) throws(RobotFileError) {
        self.init(controlHz: controlHz)
        try reader.checkNames(["observation_ms", "stop_after_ms"])
        let range = NumberRange.between(1, 3_600_000)
        if let milliseconds = try reader.optional("observation_ms")?.number(in: range) {
            guard milliseconds > 1000 / controlHz else {
                throw RobotFileError(
                    reader.path(of: "observation_ms"),
                    "found \(milliseconds), expected more than a control step's \(1000 / controlHz) ms: "
                        + "one observation comes in that time"
                )
            }
            observationNs = UInt64(milliseconds * 1e6)
        }
        if let limit = try reader.optional("stop_after_ms") {
            stopAfterNs = limit.node.text == "never" ? nil : UInt64(try limit.number(in: range) * 1e6)
        }
    }
}

extension RobotFile.Gr00tNames {
    fileprivate init(
        _ reader: YAMLReader,
        dimensions: [ActionLimits.Dimension]
    ) throws(RobotFileError) {
        try reader.checkNames(["observations", "cameras", "actions", "lookback", "version"])
        observations = try reader.observationKeys()
        cameras = try reader.optional("cameras")?.texts()
        lookback = try reader.optional("lookback")?.string()
        version = try reader.optional("version")?.string()
        actions = try reader.actionParts(of: dimensions)
    }
}

extension RobotFile.OpenPINames {
    fileprivate init(
        _ reader: YAMLReader,
        dimensions: [ActionLimits.Dimension]
    ) throws(RobotFileError) {
        try reader.checkNames(["observations", "cameras", "actions", "lookback", "reset"])
        observations = try reader.observationKeys()
        cameras = try reader.optional("cameras")?.texts()
        lookback = try reader.optional("lookback")?.string()
        reset = try reader.optional("reset")?.string()
        actions = try reader.actionParts(of: dimensions)
    }
}

extension YAMLReader {
    /// The field `observations`: for each feature the keys that hold its numbers.
    fileprivate func observationKeys() throws(RobotFileError) -> [String: [String]]? {
        let names = try optional("observations")?.lists()
        return names.map {
            Dictionary($0.map { ($0.name, $0.texts) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// The field `actions`: keys of an answer, each with the names of the actions that it holds.
    fileprivate func actionParts(
        of dimensions: [ActionLimits.Dimension]
    ) throws(RobotFileError) -> [RobotFile.ActionPart]? {
        guard let lists = try optional("actions")?.lists() else { return nil }
        var parts: [RobotFile.ActionPart] = []
        for (key, names) in lists {
            var indices: [Int] = []
            for name in names {
                guard let index = dimensions.firstIndex(where: { $0.name == name }) else {
                    throw RobotFileError(
                        path(of: "actions.\(key)"),
                        "found \"\(name)\", expected the name of an action"
                    )
                }
                indices.append(index)
            }
            parts.append(RobotFile.ActionPart(key: key, dimensions: indices))
        }
        return parts
    }
}

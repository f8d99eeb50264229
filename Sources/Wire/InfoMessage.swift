import Robotics

/// What a daemon runs and where it listens: the reply to `info`.
public struct InfoMessage: Sendable, Hashable {
    /// The addresses of the daemon's sockets, as the daemon sees them.
    public struct Endpoints: Sendable, Hashable, Codable {
        /// Where observations come in.
        public var observations: String
        /// Where chunks go out.
        public var chunks: String
        /// Where requests are answered.
        public var requests: String
        /// Where clients of a GR00T policy server are answered; nil if there is no such socket.
        public var gr00t: String?
        /// Where clients of an openpi policy server are answered; nil if nobody listens for them.
        public var openpi: String?

        /// The addresses.
        public init(
            observations: String,
            chunks: String,
            requests: String,
            gr00t: String? = nil,
            openpi: String? = nil
        ) {
            self.observations = observations
            self.chunks = chunks
            self.requests = requests
            self.gr00t = gr00t
            self.openpi = openpi
        }
    }

    /// How much may be sent.
    public struct Limits: Sendable, Hashable {
        /// The longest message, in bytes.
        public var messageBytes: Int
        /// Observations a second that are read under one topic, and as many at once.
        public var messagesPerSecond: Int
        /// An observation counts as one for each so many bytes begun.
        public var countedBytes: Int

        /// Limits.
        public init(messageBytes: Int, messagesPerSecond: Int, countedBytes: Int) {
            self.messageBytes = messageBytes
            self.messagesPerSecond = messagesPerSecond
            self.countedBytes = countedBytes
        }
    }

    /// The daemon's version.
    public var daemonVersion: String
    /// What it runs; of several policies the first.
    public var policy: PolicyDescription
    /// How it samples that policy.
    public var sampler: SamplerDescription
    /// All policies that it runs; empty if it does not tell.
    public var policies: [ServedPolicy] = []
    /// Where it listens.
    public var endpoints: Endpoints
    /// How much it takes; nil if it does not tell.
    public var limits: Limits?
    /// The number of the newest stop of any robot; 0 if there was none.
    public var stop: UInt64
    /// How far the calibration has come, in hundredths, of several policies that of the least; 100: chunks are sampled as was
    /// asked for.
    public var calibrationPercent: UInt64
    /// How the frames of camera servers come; empty without `serve --camera`.
    public var cameraServers: [CameraServerStatus] = []
    /// What it has done.
    public var statistics: DaemonStatistics

    /// An info message.
    public init(
        daemonVersion: String,
        policy: PolicyDescription,
        sampler: SamplerDescription,
        policies: [ServedPolicy] = [],
        endpoints: Endpoints,
        limits: Limits? = nil,
        stop: UInt64 = 0,
        calibrationPercent: UInt64 = 100,
        cameraServers: [CameraServerStatus] = [],
        statistics: DaemonStatistics
    ) {
        self.daemonVersion = daemonVersion
        self.policy = policy
        self.sampler = sampler
        self.policies = policies
        self.endpoints = endpoints
        self.limits = limits
        self.stop = stop
        self.calibrationPercent = calibrationPercent
        self.cameraServers = cameraServers
        self.statistics = statistics
    }

    /// The fields of the reply.
    package static let table = MessageTable(
        InfoMessage(
            daemonVersion: "",
            policy: PolicyDescription(
                name: "",
                features: [],
                horizon: 0,
                nObsSteps: 0,
                nActionSteps: 0,
                actionDim: 0
            ),
            sampler: SamplerDescription(solver: "", steps: 0, method: .sequential, kernel: ""),
            endpoints: Endpoints(observations: "", chunks: "", requests: ""),
            statistics: DaemonStatistics()
        ),
        [
            .required("daemon_version", \.daemonVersion, .string, "the version of `denoised`"),
            .required(
                "policy",
                \.policy,
                .map(PolicyDescription.table),
                "what runs, see below; of several policies the first"
            ),
            .required("sampler", \.sampler, .map(SamplerDescription.table), "how it is sampled, see below"),
            .unlessEmpty(
                "policies",
                \.policies,
                .list(ServedPolicy.table),
                "each policy that runs, see below; earlier daemons, which run one, leave it out"
            ),
            .required(
                "endpoints",
                \.endpoints,
                .map(Endpoints.table),
                """
                where the daemon bound or connected its sockets, see below; 0.0.0.0 and `[::]` stand for the host at which it \
                was reached
                """
            ),
            .optional(
                "limits",
                \.limits,
                .map(Limits.table),
                "how much may be sent, see below; earlier daemons leave it out"
            ),
            .added(
                "stop",
                \.stop,
                .unsigned,
                "the number of the newest stop of any robot, 0 if there was none"
            ),
            .added(
                "calibration_percent",
                \.calibrationPercent,
                .unsigned,
                """
                how far the calibration has come, see [CALIBRATION.md](CALIBRATION.md); below 100 chunks are sampled one step after the \
                other, and `sampler` says so; of several policies that of the least
                """
            ),
            .unlessEmpty(
                "camera_servers",
                \.cameraServers,
                .list(CameraServerStatus.table),
                "the camera servers that the daemon reads, see below; left out if there are none"
            ),
            .required(
                "statistics",
                \.statistics,
                .map(DaemonStatistics.table),
                "what the daemon has done since the start, see below"
            ),
        ]
    )
}

extension InfoMessage.Endpoints {
    /// The addresses.
    package static let table = MessageTable(
        InfoMessage.Endpoints(observations: "", chunks: "", requests: ""),
        [
            .required("observations", \.observations, .string, "where observations come in"),
            .required("chunks", \.chunks, .string, "where chunks, commands and heartbeats go out"),
            .required("requests", \.requests, .string, "where requests are answered"),
            .optional("gr00t", \.gr00t, .string, "where clients of a GR00T policy server are answered"),
            .optional("openpi", \.openpi, .string, "where clients of an openpi policy server are answered"),
        ]
    )
}

extension InfoMessage.Limits {
    /// The limits, which follow from the policy.
    package static let table = MessageTable(
        InfoMessage.Limits(messageBytes: 0, messagesPerSecond: 0, countedBytes: 0),
        [
            .required(
                "message_bytes",
                \.messageBytes,
                .count,
                "the longest message: 1 MiB and the pixels of one frame of each camera of the policy"
            ),
            .required(
                "messages_per_second",
                \.messagesPerSecond,
                .count,
                "observations a second that are read under one topic, and as many at once"
            ),
            .required(
                "counted_bytes",
                \.countedBytes,
                .count,
                "an observation counts as one for each so many bytes begun"
            ),
        ]
    )
}

extension ServedPolicy {
    /// What is told of each policy.
    package static let table = MessageTable(
        ServedPolicy(policy: PolicyDescription.table.blank, sampler: SamplerDescription.table.blank),
        [
            .required("policy", \.policy, .map(PolicyDescription.table), "its name and sizes, see below"),
            .required("sampler", \.sampler, .map(SamplerDescription.table), "how it is sampled, see below"),
            .required("weight_bytes", \.weightBytes, .count, "bytes of its weights in memory"),
            .required(
                "calibration_percent",
                \.calibrationPercent,
                .unsigned,
                "how far its calibration has come"
            ),
        ]
    )
}

extension PolicyDescription {
    /// The policy's sizes.
    package static let table = MessageTable(
        PolicyDescription(name: "", features: [], horizon: 0, nObsSteps: 0, nActionSteps: 0, actionDim: 0),
        [
            .required("name", \.name, .string, "what people call it"),
            .required("features", \.features, .list(FeatureDescription.table), "what an observation holds"),
            .unlessEmpty(
                "cameras",
                \.cameras,
                .list(CameraDescription.table),
                "what the policy sees through; left out if it has no cameras"
            ),
            .required("horizon", \.horizon, .count, "the control steps that one prediction covers"),
            .required("n_obs_steps", \.nObsSteps, .count, "the observations in the history"),
            .required("n_action_steps", \.nActionSteps, .count, "the actions in a chunk"),
            .required("action_dim", \.actionDim, .count, "the numbers in an action"),
        ]
    )
}

extension FeatureDescription {
    /// A feature of an observation.
    package static let table = MessageTable(
        FeatureDescription(name: "", count: 0),
        [
            .required("name", \.name, .string, "its LeRobot name, such as `observation.state`"),
            .required("count", \.count, .count, "how many numbers it has"),
        ]
    )
}

extension CameraDescription {
    /// A camera.
    package static let table = MessageTable(
        CameraDescription(name: "", height: 0, width: 0),
        [
            .required("name", \.name, .string, "its LeRobot name, such as `observation.image`"),
            .required("height", \.height, .count, "rows of a frame"),
            .required("width", \.width, .count, "pixels in a row"),
        ]
    )
}

extension CameraServerStatus {
    /// What is told of a camera server.
    package static let table = MessageTable(
        CameraServerStatus(camera: "", endpoint: "", name: ""),
        [
            .required("camera", \.camera, .string, "the policy's camera, by its LeRobot name"),
            .required("endpoint", \.endpoint, .string, "where the server publishes"),
            .required("name", \.name, .string, "what the server calls the camera"),
            .required("frames", \.frames, .unsigned, "frames that came and could be used"),
            .required("refused", \.refused, .unsigned, "messages and pictures that could not be used"),
            .required(
                "repeated",
                \.repeated,
                .unsigned,
                "pictures with the time stamp of the one before, which are not used"
            ),
            .optional(
                "age_ns",
                \.ageNs,
                .unsigned,
                "the time since the newest frame came; left out if none has come"
            ),
        ]
    )
}

extension SamplerDescription {
    /// The sampler's settings.
    package static let table = MessageTable(
        SamplerDescription(solver: "", steps: 0, method: .sequential, kernel: ""),
        [
            .required("solver", \.solver, .string, "`ddpm`, `ddim` or `dpmsolver++`"),
            .required("steps", \.steps, .count, "denoising steps"),
            .required("method", \.method, .choice, "`sequential`, `quasi-newton` or `paradigms`"),
            .required(
                "window",
                \.window,
                .count,
                "a parallel method's window in denoising steps; 1 if sequential"
            ),
            .required(
                "tolerance",
                \.tolerance,
                .float,
                "a parallel method's tolerance, as in a chunk; 0 if sequential"
            ),
            .required("kernel", \.kernel, .string, "the network's precision and instruction set"),
            .required("budget_ms", \.budgetMs, .float, "the latency that is kept, 0 if none is"),
        ]
    )
}

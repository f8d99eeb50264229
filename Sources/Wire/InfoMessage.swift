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

        /// The addresses.
        public init(observations: String, chunks: String, requests: String, gr00t: String? = nil) {
            self.observations = observations
            self.chunks = chunks
            self.requests = requests
            self.gr00t = gr00t
        }
    }

    /// The daemon's version.
    public var daemonVersion: String
    /// What it runs.
    public var policy: PolicyDescription
    /// How it samples.
    public var sampler: SamplerDescription
    /// Where it listens.
    public var endpoints: Endpoints
    /// The number of the newest stop of any robot; 0 if there was none.
    public var stop: UInt64
    /// What it has done.
    public var statistics: DaemonStatistics

    /// An info message.
    public init(
        daemonVersion: String,
        policy: PolicyDescription,
        sampler: SamplerDescription,
        endpoints: Endpoints,
        stop: UInt64 = 0,
        statistics: DaemonStatistics
    ) {
        self.daemonVersion = daemonVersion
        self.policy = policy
        self.sampler = sampler
        self.endpoints = endpoints
        self.stop = stop
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
            .required("policy", \.policy, .map(PolicyDescription.table), "what runs, see below"),
            .required("sampler", \.sampler, .map(SamplerDescription.table), "how it is sampled, see below"),
            .required(
                "endpoints",
                \.endpoints,
                .map(Endpoints.table),
                """
                where the daemon bound or connected its sockets, see below; 0.0.0.0 and `[::]` stand for the host at which it \
                was reached
                """
            ),
            .added(
                "stop",
                \.stop,
                .unsigned,
                "the number of the newest stop of any robot, 0 if there was none"
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

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
        /// Where clients of a GR00T policy server are answered; nil where there is no such socket.
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

    var entries: KeyValuePairs<String, MessagePackValue> {
        [
            "daemon_version": .string(daemonVersion),
            "policy": .map(
                MessagePackMap([
                    "name": .string(policy.name),
                    "features": .array(
                        policy.features.map { feature in
                            .map(
                                MessagePackMap([
                                    "name": .string(feature.name), "count": .count(feature.count),
                                ])
                            )
                        }
                    ),
                    "horizon": .count(policy.horizon),
                    "n_obs_steps": .count(policy.nObsSteps),
                    "n_action_steps": .count(policy.nActionSteps),
                    "action_dim": .count(policy.actionDim),
                ])
            ),
            "sampler": .map(
                MessagePackMap([
                    "solver": .string(sampler.solver),
                    "steps": .count(sampler.steps),
                    "method": .string(sampler.method.rawValue),
                    "window": .count(sampler.window),
                    "tolerance": .float(sampler.tolerance),
                    "kernel": .string(sampler.kernel),
                    "budget_ms": .float(sampler.budgetMs),
                ])
            ),
            "endpoints": .map(endpoints.messagePack),
            "stop": .unsigned(stop),
            "statistics": statistics.messagePack,
        ]
    }

    init(_ fields: FieldReader) throws(MessageError) {
        daemonVersion = try fields.string("daemon_version")
        let policy = try fields.fields("policy")
        var features: [FeatureDescription] = []
        for feature in try policy.array("features") {
            guard case .map(let map) = feature else {
                throw MessageError(
                    .wrongType,
                    field: "policy.features",
                    "found \(feature.summary), expected maps"
                )
            }
            let reader = FieldReader(map, path: "policy.features")
            features.append(try FeatureDescription(name: reader.string("name"), count: reader.count("count")))
        }
        self.policy = try PolicyDescription(
            name: policy.string("name"),
            features: features,
            horizon: policy.count("horizon"),
            nObsSteps: policy.count("n_obs_steps"),
            nActionSteps: policy.count("n_action_steps"),
            actionDim: policy.count("action_dim")
        )
        let sampler = try fields.fields("sampler")
        self.sampler = try SamplerDescription(
            solver: sampler.string("solver"),
            steps: sampler.count("steps"),
            method: sampler.choice("method"),
            window: sampler.count("window"),
            tolerance: sampler.double("tolerance"),
            kernel: sampler.string("kernel"),
            budgetMs: sampler.double("budget_ms")
        )
        let endpoints = try fields.fields("endpoints")
        self.endpoints = try Endpoints(
            observations: endpoints.string("observations"),
            chunks: endpoints.string("chunks"),
            requests: endpoints.string("requests"),
            gr00t: endpoints.optional("gr00t") == nil ? nil : endpoints.string("gr00t")
        )
        stop = fields.optional("stop") == nil ? 0 : try fields.unsigned("stop")
        statistics = try DaemonStatistics(fields.fields("statistics"))
    }
}

extension InfoMessage.Endpoints {
    fileprivate var messagePack: MessagePackMap {
        var map = MessagePackMap([
            "observations": .string(observations), "chunks": .string(chunks), "requests": .string(requests),
        ])
        if let gr00t { _ = map.append("gr00t", .string(gr00t)) }
        return map
    }
}

extension MessagePackValue {
    /// A number of things.
    fileprivate static func count(_ value: Int) -> MessagePackValue { .unsigned(UInt64(value)) }
}

import Compute
import Configuration
import Daemon
import Foundation
import Logging
import Motion
import Sampling

/// The keys of `serve`'s configuration file: one for each option. A test fails if an option has none.
enum ServeKeys {
    /// All of them, in the order in which docs/CONFIGURATION.md and `denoised config` have them.
    static let table = ConfigurationTable(
        robots + endpoints + frames + sampler + gr00t + openPI + security + http + recording + process,
        alternatives: [["--observations", "--observations-from"], ["--chunks", "--chunks-to"]]
    )

    /// Options of `serve` that no file has: they say which file is read, and what of it.
    static let withoutKey: Set<String> = ["--config", "--without"]

    private static let standard = DaemonConfiguration()
    private static let none = "none"
    private static let no = "false"
    private static let policysOwn = "the policy's own"

    private static let robots: [ConfigurationKey] = [
        ConfigurationKey("policy", "--policy", .one(.pathOrName), standard: none),
        ConfigurationKey("policies", "--policy", .named(.identifier, .pathOrName), standard: none),
        ConfigurationKey("robots", "--robot", .list(.path), standard: none),
        ConfigurationKey("cameras", "--camera", .named(.text, .text), standard: none),
        ConfigurationKey("command_hz", "--command-hz", .one(.number), standard: "what the robot file says"),
        ConfigurationKey(
            "strategy",
            "--strategy",
            .one(.choice(ChunkStrategy.allCases.map(\.rawValue))),
            standard: standard.strategy.rawValue
        ),
        ConfigurationKey("state", "--state", .one(.path), standard: none),
    ]

    private static let endpoints: [ConfigurationKey] = [
        ConfigurationKey(
            "endpoints.observations",
            "--observations",
            .one(.text),
            standard: standard.observations.endpoint
        ),
        ConfigurationKey("endpoints.observations_from", "--observations-from", .one(.text), standard: none),
        ConfigurationKey("endpoints.chunks", "--chunks", .one(.text), standard: standard.chunks.endpoint),
        ConfigurationKey("endpoints.chunks_to", "--chunks-to", .one(.text), standard: none),
        ConfigurationKey("endpoints.requests", "--requests", .one(.text), standard: standard.requests),
        ConfigurationKey(
            "endpoints.messages_per_second",
            "--messages-per-second",
            .one(.whole()),
            standard: "\(standard.messagesPerSecond)"
        ),
    ]

    private static let frames: [ConfigurationKey] = [
        ConfigurationKey(
            "frames.frame_age",
            "--frame-age",
            .one(.number),
            standard: "\(Int(standard.frameAge / .milliseconds(1)))"
        ),
        ConfigurationKey(
            "frames.encode_on_demand",
            "--encode-on-demand",
            .flag,
            standard: "\(!standard.encodesAhead)"
        ),
    ]

    private static let sampler: [ConfigurationKey] = [
        ConfigurationKey(
            "sampler.solver",
            "--solver",
            .one(.choice(Solver.allCases.map(\.rawValue))),
            standard: policysOwn
        ),
        ConfigurationKey("sampler.steps", "--steps", .one(.whole()), standard: policysOwn),
        ConfigurationKey(
            "sampler.window",
            "--window",
            .one(.whole(or: "auto")),
            standard: "auto"
        ),
        ConfigurationKey(
            "sampler.method",
            "--method",
            .one(.choice(ParallelMethod.allCases.map(\.rawValue))),
            standard: ParallelMethod.quasiNewton.rawValue
        ),
        ConfigurationKey("sampler.tolerance", "--tolerance", .one(.number), standard: "the method's"),
        ConfigurationKey("sampler.budget_ms", "--budget-ms", .one(.number), standard: none),
        ConfigurationKey(
            "sampler.warm_start",
            "--warm-start",
            .flagOr(WarmStart.allCases.map(\.rawValue)),
            standard: no
        ),
        ConfigurationKey(
            "sampler.warm_part",
            "--warm-part",
            .one(.number),
            standard: "\(WarmStart.standardPart)"
        ),
        ConfigurationKey("sampler.seed", "--seed", .one(.whole()), standard: "0"),
        ConfigurationKey("sampler.threads", "--threads", .one(.whole()), standard: "one for each core"),
        ConfigurationKey(
            "sampler.precision",
            "--precision",
            .one(.choice(PrecisionChoice.allCases.map(\.rawValue))),
            standard: PrecisionChoice.f32.rawValue
        ),
        ConfigurationKey(
            "sampler.filtering_batch",
            "--filtering-batch",
            .one(.whole()),
            standard: "\(Filtering.none.batch)"
        ),
        ConfigurationKey(
            "sampler.filtering_memory",
            "--filtering-memory",
            .one(.whole()),
            standard: "\(Filtering.standardMemory >> 20)"
        ),
    ]

    private static let openPI: [ConfigurationKey] = [
        ConfigurationKey("openpi.endpoint", "--openpi", .one(.text), standard: none),
        ConfigurationKey("openpi.key_file", "--openpi-key-file", .one(.path), standard: none),
    ]

    private static let gr00t: [ConfigurationKey] = [
        ConfigurationKey("gr00t.endpoint", "--gr00t", .one(.text), standard: none),
        ConfigurationKey("gr00t.token_file", "--gr00t-token-file", .one(.path), standard: none),
    ]

    private static let security: [ConfigurationKey] = [
        ConfigurationKey("security.curve_key", "--curve-key", .one(.path), standard: none),
        ConfigurationKey("security.curve_clients", "--curve-clients", .one(.path), standard: none),
        ConfigurationKey("security.insecure", "--insecure", .flag, standard: no),
    ]

    private static let http: [ConfigurationKey] = [
        ConfigurationKey("http.address", "--http", .one(.text), standard: none),
        ConfigurationKey("http.token", "--http-token", .flag, standard: no),
        ConfigurationKey("http.read_only", "--http-read-only", .flag, standard: no),
    ]

    private static let recording: [ConfigurationKey] = [
        ConfigurationKey("recording.file", "--record", .one(.path), standard: none),
        ConfigurationKey("recording.raw_images", "--record-raw-images", .flag, standard: no),
    ]

    private static let process: [ConfigurationKey] = [
        ConfigurationKey("process.priority", "--priority", .one(.whole()), standard: none),
        ConfigurationKey("process.lock_weights", "--lock-weights", .flag, standard: no),
        ConfigurationKey(
            "process.log_level",
            "--log-level",
            .one(.choice(Logger.Level.allCases.map(\.rawValue))),
            standard: Logger.Level.info.rawValue
        ),
        ConfigurationKey("process.json", "--json", .flag, standard: no),
    ]
}

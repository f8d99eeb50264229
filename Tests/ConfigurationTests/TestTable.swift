@testable import Configuration

/// A table with keys of every kind.
let testTable = ConfigurationTable(
    [
        ConfigurationKey("policy", "--policy", .one(.path), standard: "none"),
        ConfigurationKey("policies", "--policy", .named(.identifier, .path), standard: "none"),
        ConfigurationKey("teacher", "--teacher", .one(.pathOrName), standard: "none"),
        ConfigurationKey("robots", "--robot", .list(.path), standard: "none"),
        ConfigurationKey("cameras", "--camera", .named(.text, .text), standard: "none"),
        ConfigurationKey("endpoints.observations", "--observations", .one(.text), standard: "tcp://a:1"),
        ConfigurationKey("endpoints.observations_from", "--observations-from", .one(.text), standard: "none"),
        ConfigurationKey("sampler.solver", "--solver", .one(.choice(["ddim", "ddpm"])), standard: "ddpm"),
        ConfigurationKey("sampler.window", "--window", .one(.whole(or: "auto")), standard: "none"),
        ConfigurationKey("sampler.threads", "--threads", .one(.whole()), standard: "one for each core"),
        ConfigurationKey("sampler.tolerance", "--tolerance", .one(.number), standard: "0.005"),
        ConfigurationKey(
            "sampler.warm_start",
            "--warm-start",
            .flagOr(["guess", "partial"]),
            standard: "false"
        ),
        ConfigurationKey("http.address", "--http", .one(.text), standard: "none"),
        ConfigurationKey("http.read_only", "--http-read-only", .flag, standard: "false"),
        ConfigurationKey("http.token", "--http-token", .flag, standard: "false"),
    ],
    alternatives: [["--observations", "--observations-from"]]
)

/// Reads a text as `conf/denoised.yaml`.
func file(_ text: String) throws -> ConfigurationFile {
    try ConfigurationFile(text: text, path: "conf/denoised.yaml", table: testTable)
}

/// What is wrong with a text; empty if nothing is.
func problems(_ text: String) -> [String] {
    do throws(ConfigurationProblems) {
        _ = try ConfigurationFile(text: text, path: "conf/denoised.yaml", table: testTable)
        return []
    } catch {
        return error.lines
    }
}

/// A command line.
func options(_ arguments: String...) -> GivenOptions {
    GivenOptions(arguments) { option in
        testTable.keys(for: option).contains { $0.shape != .flag }
    } words: {
        $0 == "--warm-start" ? ["guess", "partial"] : nil
    }
}

import ArgumentParser

/// Which configuration file `serve` reads.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Take options from this YAML file (docs/CONFIGURATION.md), or from denoised.yaml in this folder. What stands on \
            the command line wins. Without it no file is read.
            """,
            valueName: "file"
        )
    )
    var config: String?

    @Option(
        help: ArgumentHelp(
            """
            Leave a key of that file out, or a section, as sampler.window or recording. May be given more than once.
            """,
            valueName: "key"
        )
    )
    var without: [String] = []

    func validate() throws {
        if config == "" { throw ValidationError("--config is empty, expected a file") }
        guard config == nil, let key = without.first else { return }
        throw ValidationError("--without \(key) leaves a key of a file out, expected --config with it")
    }
}

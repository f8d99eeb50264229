import ArgumentParser
import Compute

/// Which layers of the network are computed by minimal filtering.
struct FilteringOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            In f32, compute layers by minimal filtering (Winograd) that are faster so for batches of so many samples: a window's \
            steps, or more if robots are planned together. Smaller batches may then take longer. 0: no layer. Default: 0.
            """,
            valueName: "b"
        )
    )
    var filteringBatch: Int?

    @Option(
        help: ArgumentHelp(
            """
            MiB that minimal filtering may take for weights, beyond those of the network. Layers that gain most come first. \
            Default: \(Filtering.standardMemory >> 20).
            """,
            valueName: "mib"
        )
    )
    var filteringMemory: Int?

    func validate() throws {
        if let filteringBatch, !(0...1024).contains(filteringBatch) {
            throw ValidationError("--filtering-batch is \(filteringBatch), expected 0...1024")
        }
        if let filteringMemory, !(0...1_048_576).contains(filteringMemory) {
            throw ValidationError("--filtering-memory is \(filteringMemory), expected 0...1048576")
        }
    }

    /// What the options say, and else the standard.
    var filtering: Filtering {
        Filtering(
            batch: filteringBatch ?? Filtering.none.batch,
            memory: filteringMemory.map { $0 << 20 } ?? Filtering.standardMemory
        )
    }
}

/// Which layers a network computes by minimal filtering: for which batch they are to be fast, and what memory that may take.
///
/// Minimal filtering multiplies less and reads more weights. So it pays in layers whose weights are used often: long horizons and
/// large batches. A layer is filtered at every batch or at none, lest a sample's last bits depend on those it is computed with.
public struct Filtering: Sendable, Hashable {
    /// Samples in a batch for which layers are chosen, 0...1024; 0: no layer is filtered.
    public let batch: Int
    /// Bytes that filtered layers' weights may take beyond those of their taps.
    public let memory: Int

    /// - Parameters:
    ///   - batch: samples in a batch, 0...1024.
    ///   - memory: bytes, at least 0.
    public init(batch: Int, memory: Int = standardMemory) {
        precondition((0...1024).contains(batch) && memory >= 0)
        self.batch = batch
        self.memory = memory
    }

    /// Bytes unless others are asked for: 1024 MiB.
    public static let standardMemory = 1024 << 20

    /// Filters nothing.
    public static let none = Filtering(batch: 0)
}

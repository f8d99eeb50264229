import CKernels

/// What each part of a stage needs for itself while it runs.
final class ImageScratch {
    private let sumCount: Int
    private let sumCells: FloatBuffer
    private let normCells: FloatBuffer
    private var tileCount = 0
    private var tileCells = FloatBuffer(count: 0)

    /// - Parameter sumCount: floats of sums that a part needs at once.
    init(parts: Int, sumCount: Int) {
        self.sumCount = (sumCount + Int(dn_lanes) - 1) / Int(dn_lanes) * Int(dn_lanes)
        self.sumCells = FloatBuffer(count: parts * self.sumCount)
        self.normCells = FloatBuffer(count: parts * 2 * Int(dn_lanes))
    }

    /// Makes room for the tiles of a convolution, before any stage runs.
    func reserveTiles(_ count: Int, parts: Int) {
        guard count > tileCount else { return }
        tileCount = count
        tileCells = FloatBuffer(count: parts * count)
    }

    /// A part's tiles.
    func tiles(part: Int) -> UnsafeMutablePointer<Float> { tileCells.pointer + part * tileCount }

    /// A part's sums.
    func sums(part: Int) -> UnsafeMutablePointer<Float> { sumCells.pointer + part * sumCount }

    /// A part's scale and shift, [lanes] each.
    func norm(part: Int) -> (scale: UnsafeMutablePointer<Float>, shift: UnsafeMutablePointer<Float>) {
        let scale = normCells.pointer + part * 2 * Int(dn_lanes)
        return (scale, scale + Int(dn_lanes))
    }
}

/// A number for each frame, which the parts of a stage find each for itself.
final class FrameNumbers {
    private let parts: Int
    private let maximumFrames: Int
    /// [parts][maximumFrames], a cache line at least for each part.
    private let numbers: FloatBuffer

    init(parts: Int, maximumFrames: Int) {
        self.parts = parts
        self.maximumFrames = paddedChannels(maximumFrames)
        self.numbers = FloatBuffer(count: parts * self.maximumFrames)
    }

    /// What a part found, [frames].
    func found(part: Int) -> UnsafeMutablePointer<Float> { numbers.pointer + part * maximumFrames }

    /// Forgets what a part found.
    func clear(part: Int, frames: Int) { found(part: part).update(repeating: 0, count: frames) }

    /// The largest number that a part found for a frame; what is not a number is the largest.
    func largest(frame: Int) -> Float {
        var result: Float = 0
        for part in 0..<parts {
            let number = found(part: part)[frame]
            if !(number <= result) { result = number }
            if result.isNaN { break }
        }
        return result
    }
}

/// Some rows of a frame, or all rows of some frames.
struct ImageStrip {
    let frames: Range<Int>
    let rows: Range<Int>
}

/// How a layer's output is cut into strips. The sums of a strip, and its tiles, stay in the second-level cache.
struct ImageStrips {
    /// Rows of a frame.
    let height: Int
    /// Positions in a row.
    let width: Int
    /// The most rows of a strip: whole tiles, unless these are all rows.
    let rows: Int
    /// The most frames of a strip: 1 unless it has all rows.
    let frames: Int

    /// Positions in a strip, about: with the sums of 4 vectors 64 KiB.
    private static let positions = 256

    /// - Parameters:
    ///   - filter: makes the output in tiles; nil: nothing does.
    ///   - maximumFrames: at least 1.
    init(_ output: ImageActivation, filter: MinimalFilter?, maximumFrames: Int) {
        height = output.height
        width = output.width
        if let filter {
            // A few tiles more than fit are better than a few less: all weights are read again for each strip.
            let all = filter.tiles(covering: height)
            let most = (Self.positions + width * filter.outputs - 1) / (width * filter.outputs)
            let count = (all + most - 1) / most
            rows = min((all + count - 1) / count * filter.outputs, height)
        } else {
            rows = min(max(Self.positions / width, 2), height)
        }
        frames = rows < height ? 1 : min(max(Self.positions / (width * height), 1), maximumFrames)
    }

    /// The most positions of a strip.
    var mostPositions: Int { frames * rows * width }

    /// Calls `body` for each strip of the first `count` frames.
    func forEach(frames count: Int, _ body: (ImageStrip) -> Void) {
        for frame in stride(from: 0, to: count, by: frames) {
            for row in stride(from: 0, to: height, by: rows) {
                body(
                    ImageStrip(
                        frames: frame..<min(frame + frames, count),
                        rows: row..<min(row + rows, height)
                    )
                )
            }
        }
    }
}

/// Where the positions of a layer's output go among the columns of the next layer's input.
enum PositionOrder {
    /// Each to the column of its own number.
    case same
    /// Even times before odd ones, for the convolution that halves the length of a level.
    case evenFirst(level: Int)
    /// Back in time's order, from even times before odd ones, as the convolution that doubles to a level's length computes
    /// them.
    case interleaved(level: Int)
}

/// The columns of each order, laid out for the batch at hand.
final class PositionOrders {
    /// For each level, `evenFirst` and behind it `interleaved`, [length * batch] each.
    private let columns: NumberBuffer<Int32>
    private let offsets: [Int]
    private let lengths: [Int]
    private var preparedBatch = 0

    /// - Parameter lengths: times at each level whose positions change their order.
    init(lengths: [Int], maximumBatch: Int) {
        var offsets: [Int] = []
        var total = 0
        for length in lengths {
            offsets.append(total)
            total += 2 * length * maximumBatch
        }
        self.lengths = lengths
        self.offsets = offsets
        self.columns = NumberBuffer(count: total)
    }

    /// Lays out the columns for a batch.
    func prepare(batch: Int) {
        guard batch != preparedBatch else { return }
        preparedBatch = batch
        for (level, length) in lengths.enumerated() where length > 1 {
            let evenFirst = columns.pointer + offsets[level]
            let interleaved = evenFirst + length * batch
            for time in 0..<length {
                let position = (time % 2 == 0 ? time / 2 : length / 2 + time / 2) * batch
                for sample in 0..<batch {
                    evenFirst[time * batch + sample] = Int32(position + sample)
                    interleaved[position + sample] = Int32(time * batch + sample)
                }
            }
        }
    }

    /// The column of each position, or nil if it is the position itself.
    func columns(_ order: PositionOrder, batch: Int) -> UnsafePointer<Int32>? {
        switch order {
        case .same: nil
        case .evenFirst(let level): UnsafePointer(columns.pointer + offsets[level])
        case .interleaved(let level): UnsafePointer(columns.pointer + offsets[level] + lengths[level] * batch)
        }
    }

    /// Where each position in time's order lies among those that a layer wrote, or nil if it is at its own number.
    func places(_ order: PositionOrder, batch: Int) -> UnsafePointer<Int32>? {
        switch order {
        case .same: nil
        case .interleaved(let level): columns(.evenFirst(level: level), batch: batch)
        case .evenFirst: preconditionFailure("a convolution that halves the length is not filtered")
        }
    }
}

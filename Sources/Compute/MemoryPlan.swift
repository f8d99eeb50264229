/// Places in one block of memory for values that are needed one after the other, so that those that are not needed at the
/// same time share memory.
///
/// The largest value is placed first, each at the lowest place that is free as long as it is needed ("greedy by size for
/// offset calculation", Pisarchyk and Lee 2020, arXiv 2001.03288).
struct MemoryPlan {
    /// A value: how many elements it has, and the first and the last moment at which it is needed.
    struct Value {
        let count: Int
        let moments: ClosedRange<Int>
    }

    /// Elements of a cache line of 4-byte elements: where values begin.
    private static let alignment = 16

    /// Where each value begins.
    let offsets: [Int]
    /// Elements of the block.
    let count: Int

    init(_ values: [Value]) {
        var offsets = [Int](repeating: 0, count: values.count)
        var placed: [Int] = []
        let bySize = values.indices.sorted { (-values[$0].count, $0) < (-values[$1].count, $1) }
        for index in bySize {
            let neighbours = placed.filter { values[$0].moments.overlaps(values[index].moments) }
                .sorted { offsets[$0] < offsets[$1] }
            var offset = 0
            for neighbour in neighbours {
                if offset + values[index].count <= offsets[neighbour] { break }
                let end = offsets[neighbour] + values[neighbour].count
                offset = max(offset, (end + Self.alignment - 1) / Self.alignment * Self.alignment)
            }
            offsets[index] = offset
            placed.append(index)
        }
        self.offsets = offsets
        self.count = values.indices.map { offsets[$0] + values[$0].count }.max() ?? 0
    }
}

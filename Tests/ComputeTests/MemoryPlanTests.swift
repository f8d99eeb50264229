import NumPyRandom
import Testing

@testable import Compute

@Suite("A plan of memory")
struct MemoryPlanTests {
    @Test("values that are needed at the same time never overlap", arguments: 0..<50 as Range<UInt64>)
    func disjoint(seed: UInt64) {
        var generator = PCG64(seed: seed)
        func draw(_ bound: Int) -> Int { Int(generator.uniform(low: 0, high: Double(bound))) }
        let values = (0..<30).map { _ in
            let first = draw(20)
            return MemoryPlan.Value(count: draw(100), moments: first...first + draw(6))
        }
        let plan = MemoryPlan(values)
        for (index, value) in values.enumerated() {
            #expect(plan.offsets[index].isMultiple(of: 16))
            #expect(plan.offsets[index] + value.count <= plan.count)
            for other in 0..<index where values[other].moments.overlaps(value.moments) {
                let range = plan.offsets[index]..<plan.offsets[index] + value.count
                let taken = plan.offsets[other]..<plan.offsets[other] + values[other].count
                #expect(!range.overlaps(taken), "values \(other) and \(index)")
            }
        }
    }

    @Test("values that are needed one after the other share memory")
    func shared() {
        let chain = (0..<10).map { MemoryPlan.Value(count: 64, moments: $0...$0 + 1) }
        #expect(MemoryPlan(chain).count == 2 * 64)
        #expect(MemoryPlan([]).count == 0)
    }

    @Test("a smaller value fits into the gap between two larger ones")
    func gap() {
        let plan = MemoryPlan([
            MemoryPlan.Value(count: 64, moments: 0...9),
            MemoryPlan.Value(count: 48, moments: 0...1),
            MemoryPlan.Value(count: 32, moments: 0...9),
            MemoryPlan.Value(count: 16, moments: 2...9),
        ])
        #expect(plan.offsets == [0, 64, 112, 64])
        #expect(plan.count == 144)
    }
}
